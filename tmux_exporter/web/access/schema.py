"""Keys of a web configuration file, as exporter-toolkit has them; what cannot be honoured is refused here."""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.config.parsers import shown
from tmux_exporter.config.types import Boolean, Choice, Duration, Integer, ListOf, MisfitError, Text, key

DEAREST_COST = 16
"""Of a bcrypt hash: each step doubles the time of one check, and 16 takes about 5 s."""


class ClientAuth(StrEnum):
    """The policies for client certificates that Python's ssl has."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


class FrameOptions(StrEnum):
    """Values of X-Frame-Options."""

    DENY = "deny"
    SAME_ORIGIN = "sameorigin"


CIPHERS = {
    f"TLS_ECDHE_{kind}_WITH_{go}": f"ECDHE-{kind}-{openssl}"
    for kind in ("ECDSA", "RSA")
    for go, openssl in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
"""OpenSSL's name of each suite, by Go's."""

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
"""OpenSSL's name of each curve, by Go's."""

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


def _one_of(
    names: dict[str, str] | dict[str, ssl.TLSVersion], reasons: dict[str, str]
) -> Callable[[str], str]:
    """A parser that takes these names; `reasons` says why others, by their beginning, are refused."""

    def parse(text: str) -> str:
        if text in names:
            return text
        why = next((words for start, words in reasons.items() if text.startswith(start)), "unknown")
        raise ValueError(f"{shown(text)}: {why}; known are {', '.join(names)}")

    return parse


_VERSION = Text(
    what="TLS12 or TLS13",
    parser=_one_of(VERSIONS, {"TLS1": "obsolete (RFC 8996)"}),
)
_NO_CHOICE = "Python's ssl has no choice of the suites of TLS 1.3"


def _client_auth(text: str) -> str:
    if text in ("RequestClientCert", "RequireClientCert", "RequireAnyClientCert"):
        raise ValueError(
            f"{text} takes a certificate without verifying it, which Python's ssl cannot; "
            f"write {ClientAuth.REQUIRED}"
        )
    return Choice(of=ClientAuth).parse(text)


# `key` itself makes the fields of this class.
_FIELDS = {"key": "key_"}


def _path(what: str) -> Text:
    return Text(what=what, parser=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The section `tls_server_config`; paths are relative to the file."""

    cert: str = key(_path("PEM"), "The server's certificate and its chain.", default="")
    key_: str = key(_path("PEM"), "Its private key.", default="")
    client_ca: str = key(_path("PEM"), "Certificates of those who sign clients' certificates.", default="")
    cert_file: str = key(_path("path"), "A file with the certificate.", default="")
    key_file: str = key(_path("path"), "A file with the key.", default="")
    client_ca_file: str = key(_path("path"), "A file with the certificates for `client_ca`.", default="")
    client_auth_type: str = key(
        Text(what="policy", parser=_client_auth),
        "Whether clients need a certificate.",
        default=ClientAuth.NONE.value,
    )
    client_allowed_sans: tuple[str, ...] = key(
        ListOf(item=Text(what="DNS name, IP address, e-mail address or URI", parser=str)),
        "Names of which a client's certificate must have one.",
        default=(),
    )
    min_version: str = key(_VERSION, "Lowest version.", default="TLS12")
    max_version: str = key(_VERSION, "Highest version.", default="TLS13")
    cipher_suites: tuple[str, ...] = key(
        ListOf(
            item=Text(what="name", parser=_one_of(CIPHERS, {"TLS_AES": _NO_CHOICE, "TLS_CHACHA": _NO_CHOICE}))
        ),
        "Suites of TLS 1.2.",
        default=(),
    )
    prefer_server_cipher_suites: bool = key(Boolean(), "The server's order of suites counts.", default=True)
    curve_preferences: tuple[str, ...] = key(
        ListOf(item=Text(what="name", parser=_one_of(CURVES, {}))), "The curve.", default=()
    )

    def __post_init__(self) -> None:
        for what in ("cert", "key"):
            given = [name for name in (what, f"{what}_file") if getattr(self, _FIELDS.get(name, name))]
            if not given:
                raise MisfitError(f"without {what}_file there is no TLS; give one, or leave the section out")
            if len(given) > 1:
                raise MisfitError(f"{what} and {what}_file are both given; keep one", what)
        authorities = [name for name in ("client_ca", "client_ca_file") if getattr(self, name)]
        if len(authorities) > 1:
            raise MisfitError("client_ca and client_ca_file are both given; keep one", "client_ca")
        if self.client_auth_type == ClientAuth.NONE:
            for name in (*authorities, *(("client_allowed_sans",) if self.client_allowed_sans else ())):
                raise MisfitError(
                    f"no client is asked for a certificate; add client_auth_type: {ClientAuth.REQUIRED}", name
                )
        elif not authorities:
            raise MisfitError("nobody is trusted to sign clients; add client_ca_file", "client_auth_type")
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            raise MisfitError("is below min_version", "max_version")
        if len(self.curve_preferences) > 1:
            raise MisfitError("Python's ssl takes one curve; keep the first", "curve_preferences")

    @property
    def certificate_key(self) -> str:
        """The key of the file under which the certificate stands."""
        return "cert_file" if self.cert_file else "cert"

    def files(self) -> tuple[str, ...]:
        """What must be read to serve."""
        return tuple(filter(None, (self.cert_file, self.key_file, self.client_ca_file)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSettings:
    """The section `http_server_config.headers`; a field is a header, with `_` for `-`."""

    Content_Security_Policy: str = key(Text(what="policy", parser=str), "", default="")
    X_Frame_Options: str = key(Choice(of=FrameOptions), "", default="")
    X_Content_Type_Options: str = key(
        Text(what="nosniff", parser=_one_of({"nosniff": ""}, {})), "", default=""
    )
    X_XSS_Protection: str = key(Text(what="value", parser=str), "", default="")
    Strict_Transport_Security: str = key(Text(what="value", parser=str), "", default="")

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not str(getattr(self, name)).isprintable():
                raise MisfitError("a header is one line", name.replace("_", "-"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The section `rate_limit`: a bucket of `burst` requests, one more each `interval`."""

    interval: float = key(Duration(at_least=0, at_most=3600), "0s for no limit.", default=0.0)
    burst: int = key(Integer(at_least=0, at_most=1_000_000), "Requests at once.", default=0)

    def __post_init__(self) -> None:
        if self.interval and not self.burst:
            raise MisfitError("with a burst of 0 no request is ever answered; give one", "burst")


def parse_hash(text: str) -> str:
    """A bcrypt hash. Raises ValueError with the mend, without what was written: it may be a password."""
    match = re.fullmatch(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}", text)
    if not match:
        raise ValueError("is no bcrypt hash; make one: tmux-exporter web-config hash")
    if not 4 <= int(match[1]) <= DEAREST_COST:
        raise ValueError(f"a cost of {int(match[1])} is out of range; allowed is 4 to {DEAREST_COST}")
    return text
