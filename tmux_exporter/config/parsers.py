"""Parse texts of the configuration and of flags. Every error is one sentence that says how to fix it.

A number of seconds or bytes always carries its unit: `5` could be seconds to one reader and minutes
to the next.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tmux_exporter.facts.label import Label, is_label
from tmux_exporter.wire.operation_line import CLASSES, LONGEST_NAME, is_name

DURATION_UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZE_UNITS: Mapping[str, int] = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}

# The kernel's sun_path holds 108 bytes, the last one a NUL.
SOCKET_PATH_BYTES = 107

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([^0-9.:]*)")
_SHOWN = 60
_LONGEST_NUMBER = 16


class ListenAddress(NamedTuple):
    """Where to listen: a host name or an IP address without brackets, and a port (0: any free one).

    Without a host on all addresses of the machine.
    """

    host: str
    port: int


def shown(text: str) -> str:
    """Foreign text for a message: quoted, on one line, printable, of bounded length."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def nearest(text: str, names: Iterable[str]) -> str | None:
    """The one of `names` of which `text` is probably a misspelling, if any."""
    import difflib  # noqa: PLC0415 - only for a mistake

    return next(iter(difflib.get_close_matches(text[:_SHOWN].lower(), names, n=1)), None)


def parse_duration(text: str) -> float:
    """Seconds of `250ms`, `5s`, `2m`, `1h`. Raises ValueError with the mend."""
    number, unit = _quantity(text, "a duration", DURATION_UNITS, ("s", "m"))
    return number * DURATION_UNITS[unit]


def parse_size(text: str) -> int:
    """Bytes of `512KiB`, `64MiB`, `1GiB`. Raises ValueError with the mend."""
    number, unit = _quantity(text, "a size", SIZE_UNITS, ("MiB", "GiB"))
    return int(number * SIZE_UNITS[unit])


def parse_share(text: str) -> float:
    """The part of all that `99%` or `99.5%` is. Raises ValueError with the mend."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?%", text):
        raise ValueError(f"{shown(text)} is not a percentage; write it like 99% or 99.5%")
    return float(text.removesuffix("%")) / 100


def format_share(share: float) -> str:
    """The text that `parse_share` reads back."""
    return f"{100 * share:.7g}%"


def format_size(size: int) -> str:
    """The shortest text that `parse_size` reads back."""
    unit = max(
        (unit for unit, factor in SIZE_UNITS.items() if size % factor == 0), key=SIZE_UNITS.__getitem__
    )
    return f"{size // SIZE_UNITS[unit]}{unit}"


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back, to the millisecond."""
    milliseconds = round(seconds * 1000)
    for unit in ("h", "m", "s"):
        number, rest = divmod(milliseconds, round(DURATION_UNITS[unit] * 1000))
        if rest == 0 and (number or unit == "s"):
            return f"{number}{unit}"
    return f"{milliseconds}ms"


def parse_listen_address(text: str) -> ListenAddress:
    """Host and port of `127.0.0.1:10077`, `[::1]:10077`, `:10077`. Raises ValueError with the mend."""
    host, colon, port_text = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]+", port_text):
        raise ValueError(f"{shown(text)} has no port; write host:port, such as 127.0.0.1:10077")
    if len(port_text) > 5 or int(port_text) > 65535:
        raise ValueError(f"port {shown(port_text)} does not exist; use 0 (any free one) to 65535")
    if not host:
        return ListenAddress("", int(port_text))
    bracketed = host.startswith("[") and host.endswith("]")
    if not bracketed and re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", host):
        raise ValueError(f"{shown(text)} is ambiguous; write brackets: [::1]:10077")
    return ListenAddress(parse_host(host[1:-1] if bracketed else host), int(port_text))


UNIX = "unix:"
"""Before the path of a Unix socket to listen on."""


def parse_listen_text(text: str) -> str:
    """`host:port`, or `unix:/path` of a Unix socket, as it is. Raises ValueError with the mend."""
    if text.startswith(UNIX):
        parse_socket_path(text.removeprefix(UNIX))
    else:
        parse_listen_address(text)
    return text


def parse_server_url(text: str) -> str:
    """An http(s) address of a server, without user, query and fragment. Raises ValueError with the mend."""
    host = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    if text and not re.fullmatch(rf"https?://{host}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError(f"{shown(text)} is no address of a server; write it like http://127.0.0.1:9090")
    return text


def parse_host(text: str) -> str:
    """A host name or an IP address without brackets, in lower case. Raises ValueError with the mend."""
    if not re.fullmatch(
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text
    ):
        raise ValueError(f"{shown(text)} is not a host; write only a name or an address")
    return text.lower()


def fitting(pattern: str, otherwise: str) -> Callable[[str], str]:
    """A parser of texts that a pattern fits; of others it raises ValueError: the text, then `otherwise`."""
    known = re.compile(pattern, re.DOTALL)

    def parse(text: str) -> str:
        if not known.fullmatch(text):
            raise ValueError(f"{shown(text)} {otherwise}")
        return text

    return parse


parse_path = fitting("/.*", "is not an absolute path; start it with / (~ is not expanded)")


parse_optional_path = fitting("(?:/.*)?", "is not an absolute path; start it with / (~ is not expanded)")


def parse_socket_path(text: str) -> str:
    """An absolute path that fits into a socket address. Raises ValueError with the mend."""
    if len(parse_path(text).encode()) > SOCKET_PATH_BYTES:
        raise ValueError(
            f"{shown(text)} is longer than a socket's path can be; use {SOCKET_PATH_BYTES} bytes"
        )
    return text


parse_program = fitting(r"[a-z0-9][a-z0-9._-]{0,63}", "is not a program name; use a-z, 0-9, '.', '_' and '-'")
"""A program's name as the label `program` shows it."""


def parse_label(text: str) -> Label:
    """A label's value as pages show it. Raises ValueError with the mend."""
    if not text.strip() or not is_label(text):
        raise ValueError(f"{shown(text)} is no label; write it as /metrics shows it")
    return Label(text)


def parse_operation(text: str) -> str:
    """The name of an operation. Raises ValueError with the mend."""
    if text in CLASSES:
        raise ValueError(f"{shown(text)} is always there; leave it out")
    if not is_name(text):
        raise ValueError(
            f"{shown(text)} is no name of an operation; use a-z, 0-9 and '_', a letter first, "
            f"at most {LONGEST_NAME}"
        )
    return text


parse_operation_pattern = fitting(
    rf"[a-z*][a-z0-9_*]{{0,{LONGEST_NAME - 1}}}",
    "is no name of an operation; use a-z, 0-9, '_', and '*' for any",
)
"""The name of an operation, or of several: `deploy_*`."""


parse_file_name = fitting("[^/]+", "is not a file name; write the path's last part")


parse_pattern = fitting(r".*[^*].*", "is no pattern; write one such as '*/bin/claude'")
"""A shell pattern."""


def parse_name_pattern(text: str) -> str:
    """A shell pattern of names. Raises ValueError with the mend."""
    if not text.strip("*") or not text.isprintable():
        raise ValueError(f"{shown(text)} is no pattern of names; write one such as '*-reviewer'")
    return text


def _quantity(text: str, what: str, units: Iterable[str], usual: tuple[str, ...]) -> tuple[float, str]:
    """The number and the unit of a text; `usual` are the units that a message shows."""
    known = tuple(units)
    number, unit = match.groups() if (match := _QUANTITY.fullmatch(text)) else ("", "")
    if unit in known and len(number) <= _LONGEST_NUMBER:
        return float(number), unit
    if not number or len(number) > _LONGEST_NUMBER:
        example = _in_seconds(text) if re.fullmatch(r"[0-9]{1,4}(:[0-9]{2}){1,2}", text) else 5
        raise ValueError(
            f"{shown(text)} is not {what}; write a number and a unit, for example {example}{usual[0]}"
        )
    mend = " or ".join(number + unit for unit in usual)
    if not unit:
        raise ValueError(f"{shown(text)} has no unit; write {mend}")
    raise ValueError(
        f"unit {shown(unit)} of {shown(text)} is unknown; units are {', '.join(known)}: write {mend}"
    )


def _in_seconds(text: str) -> int:
    """`1:30` as YAML 1.1 reads it: digits to the base of 60."""
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds
