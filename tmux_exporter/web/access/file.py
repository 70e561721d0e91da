"""Read a web configuration file; mistakes are reported at once, each with its line, certificates included."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.load import read_tree
from tmux_exporter.config.nodes import MappingNode, Node, Position, Problems, ScalarNode, TooManyProblemsError
from tmux_exporter.config.parsers import nearest, shown
from tmux_exporter.config.records import SHAPES, entries, position_of, record, scalar_value
from tmux_exporter.config.types import Boolean, MisfitError, Text
from tmux_exporter.web.access.schema import HeaderSettings, RateLimit, TlsSettings, parse_hash
from tmux_exporter.web.access.tls import Trust, make_context, trust_of
from tmux_exporter.web.responses import Header

_T = TypeVar("_T")
_SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
_START = Position(1, 1)
_HASH = Text(what="bcrypt hash", parser=parse_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """What a web configuration file says. `context` None: no TLS. `files` are those that it rests on."""

    context: ssl.SSLContext | None = None
    trust: Trust = field(default_factory=Trust)
    headers: tuple[Header, ...] = ()
    users: Mapping[str, bytes] = field(default_factory=dict)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    files: tuple[str, ...] = ()

    @property
    def authenticates(self) -> bool:
        """Nobody reads anything without a password or a certificate."""
        return bool(self.users) or self.trust.required


def load_web_config(path: str, *, must_authenticate: bool = False) -> WebConfig:
    """The file at `path`, certificates loaded. Raises ConfigError with every mistake."""
    problems = Problems(path)
    try:
        config = _convert(read_tree(problems), problems)
    except TooManyProblemsError:
        config = WebConfig()
    if must_authenticate and not config.authenticates and not problems.found:
        problems.add(
            _START,
            "web.require_auth is set and an address beyond loopback is listened on: add basic_auth_users, "
            "or client_auth_type: RequireAndVerifyClientCert",
        )
    if problems.found:
        raise ConfigError(problems.lines())
    return config


def _convert(root: Node | None, problems: Problems) -> WebConfig:
    config = WebConfig(files=(problems.path,))
    if root is None or (isinstance(root, ScalarNode) and root.reads_as == "null"):
        return config
    if not isinstance(root, MappingNode):
        problems.add(root.at, "write sections such as 'basic_auth_users:'")
        return config
    for key, name, node in entries(root, problems):
        if name not in _SECTIONS:
            near = nearest(name, _SECTIONS)
            mend = f"did you mean '{near}'?" if near else f"sections are {', '.join(_SECTIONS)}"
            problems.add(key.at, f"unknown section {shown(name)}; {mend}")
        elif isinstance(node, ScalarNode) and node.reads_as == "null":
            continue
        elif not isinstance(node, MappingNode):
            problems.add(node.at, f"section '{name}' holds no mapping; write its keys below it, indented")
        elif name == "tls_server_config":
            config = _with_tls(config, node, problems)
        elif name == "http_server_config":
            config = replace(config, headers=_headers(node, problems))
        elif name == "basic_auth_users":
            config = replace(config, users=_users(node, problems))
        else:
            config = replace(config, rate_limit=_record(RateLimit, node, name, problems) or RateLimit())
    return config


def _record(of: type[_T], node: MappingNode, where: str, problems: Problems) -> _T | None:
    made = record(of, node, where, problems)
    return made if isinstance(made, of) else None


def _with_tls(config: WebConfig, node: MappingNode, problems: Problems) -> WebConfig:
    settings = _record(TlsSettings, node, "tls_server_config", problems) if node.entries else None
    if settings is None:
        return config
    folder = Path(problems.path).parent
    settings = replace(
        settings,
        cert_file=_below(folder, settings.cert_file),
        key_file=_below(folder, settings.key_file),
        client_ca_file=_below(folder, settings.client_ca_file),
    )
    config = replace(config, files=(*config.files, *settings.files()))
    try:
        return replace(config, context=make_context(settings), trust=trust_of(settings))
    except MisfitError as error:
        problems.add(position_of(error.key, node), f"tls_server_config.{error.key}: {error}")
    return config


def _below(folder: Path, path: str) -> str:
    return str(folder / path) if path else ""


def _headers(node: MappingNode, problems: Problems) -> tuple[Header, ...]:
    for key, name, value in entries(node, problems):
        if name == "headers" and isinstance(value, MappingNode):
            names = {entry.name.replace("_", "-"): entry.name for entry in fields(HeaderSettings)}
            renamed = tuple(
                (replace(k, text=names.get(k.text, k.text)) if isinstance(k, ScalarNode) else k, v)
                for k, v in value.entries
            )
            made = _record(
                HeaderSettings, replace(value, entries=renamed), "http_server_config.headers", problems
            )
            if made is not None:
                return tuple(
                    (name.lower().encode(), str(text).encode("latin-1", "replace"))
                    for name, field_name in names.items()
                    if (text := getattr(made, field_name))
                )
        elif name == "http2" and isinstance(value, ScalarNode):
            # Taken and not offered: every client of HTTP/2 speaks HTTP/1.1.
            scalar_value(Boolean(), value, "http_server_config.http2", problems)
        elif name in ("headers", "http2"):
            problems.add(
                value.at, f"http_server_config.{name} does not hold {SHAPES.get(type(value), 'this')}"
            )
        else:
            problems.add(key.at, f"unknown key {shown(name)}; keys of http_server_config are http2, headers")
    return ()


def _users(node: MappingNode, problems: Problems) -> Mapping[str, bytes]:
    users = {}
    for key, name, value in entries(node, problems):
        if not isinstance(value, ScalarNode):
            problems.add(value.at, f"the password of {shown(name)} is one bcrypt hash")
        elif not name or ":" in name:
            problems.add(key.at, "a user's name is not empty and has no colon")
        elif isinstance(found := scalar_value(_HASH, value, f"the password of {shown(name)}", problems), str):
            users[name] = found.encode()
    if users:
        try:
            import bcrypt  # noqa: F401, PLC0415 - only who has users pays for it
        except ImportError:
            problems.add(
                node.at,
                "passwords need the library bcrypt: pip install 'tmux-exporter[web]', or python3-bcrypt",
            )
    return users
