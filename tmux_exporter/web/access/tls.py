"""TLS as a web configuration file says, by Python's ssl."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tmux_exporter.config.types import MisfitError
from tmux_exporter.web.access.schema import CIPHERS, CURVES, VERSIONS, ClientAuth, TlsSettings

_REQUIREMENTS = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a connection had to show when it was made; another one now, and it has to show it again."""

    encrypted: bool = False
    required: bool = False
    policy: tuple[str, ...] = ()
    authorities: bytes = b""
    allowed_sans: tuple[str, ...] = ()

    def refuses(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether a client with this verified certificate (None: without one) may not connect."""
        return bool(self.allowed_sans and certificate) and _names(certificate or {}).isdisjoint(
            map(_canonical, self.allowed_sans)
        )


def trust_of(settings: TlsSettings) -> Trust:
    """The trust under these settings, whose files have just been read. Raises MisfitError."""
    authorities = settings.client_ca.encode()
    if settings.client_ca_file:
        authorities = _read(settings.client_ca_file, "client_ca_file")
    return Trust(
        encrypted=True,
        required=settings.client_auth_type == ClientAuth.REQUIRED,
        policy=(
            settings.client_auth_type,
            settings.min_version,
            settings.max_version,
            *settings.cipher_suites,
        ),
        authorities=authorities,
        allowed_sans=settings.client_allowed_sans,
    )


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """Raises MisfitError with the key that is to be mended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A session that is taken up again is not verified again: scrapers keep their connection instead.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.cipher_suites:
        context.set_ciphers(":".join(CIPHERS[name] for name in settings.cipher_suites))
    for curve in settings.curve_preferences:
        try:
            context.set_ecdh_curve(CURVES[curve])
        except (ValueError, ssl.SSLError):
            raise MisfitError(
                f"this Python's ssl cannot be given {curve}; leave the key out: it is offered",
                "curve_preferences",
            ) from None
    _load_certificate(context, settings)
    if settings.client_auth_type != ClientAuth.NONE:
        _load_authorities(context, settings)
        context.verify_mode = _REQUIREMENTS[ClientAuth(settings.client_auth_type)]
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    for name in ("cert_file", "key_file"):
        if path := getattr(settings, name):
            _read(path, name)
    with _InFile(settings.cert) as cert, _InFile(settings.key_) as key:
        try:
            context.load_cert_chain(settings.cert_file or cert, settings.key_file or key, _no_passphrase)
        except ssl.SSLError as error:
            mismatch = error.reason == "KEY_VALUES_MISMATCH"
            words = "the key is another certificate's" if mismatch else "no certificate and key in PEM form"
            raise MisfitError(words, settings.certificate_key) from None
        except OSError as error:
            raise MisfitError(os.strerror(error.errno or 0), settings.certificate_key) from None


def _load_authorities(context: ssl.SSLContext, settings: TlsSettings) -> None:
    name = "client_ca_file" if settings.client_ca_file else "client_ca"
    text = settings.client_ca
    if settings.client_ca_file:
        text = _read(settings.client_ca_file, name).decode("ascii", "replace")
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise MisfitError("no certificate in PEM form", name) from None


def _read(path: str, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise MisfitError(f"cannot read {path}: {os.strerror(error.errno or 0)}", name) from None


def _no_passphrase() -> str:
    # OpenSSL would ask the terminal.
    raise MisfitError("the key has a passphrase, which nobody can type; store it without one", "key_file")


class _InFile:
    """A text as a file in memory, for a library that reads only files; the path is empty without a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._handle = -1

    def __enter__(self) -> str:
        if not self._text:
            return ""
        self._handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
        with suppress(OSError):
            os.write(self._handle, self._text.encode())
        return f"/proc/self/fd/{self._handle}"

    def __exit__(self, *_: object) -> None:
        if self._handle != -1:
            os.close(self._handle)


def _names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The Subject Alternative Names of a certificate as `getpeercert` returns it."""
    return frozenset(_canonical(value) for _, value in certificate.get("subjectAltName", ()))


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
