"""`web-config`: make what a web configuration needs, and check one."""

import ipaddress
import os
import shutil
import subprocess
from pathlib import Path

from tmux_exporter.base.errors import CannotSeeError, UsageError
from tmux_exporter.config.parsers import parse_host
from tmux_exporter.web.access.file import load_web_config

_OPENSSL_SECONDS = 30
_LONGEST_PASSWORD = 72


def hashed(password: str, cost: int) -> str:
    """The bcrypt hash of a password. Raises UsageError."""
    try:
        import bcrypt  # noqa: PLC0415 - an extra
    except ImportError:
        raise CannotSeeError(
            "the library bcrypt is missing: pip install 'tmux-exporter[web]', or python3-bcrypt"
        ) from None
    text = password.encode()
    if not 0 < len(text) <= _LONGEST_PASSWORD or b"\0" in text:
        raise UsageError(f"bcrypt takes a password of 1 to {_LONGEST_PASSWORD} bytes")
    return bcrypt.hashpw(text, bcrypt.gensalt(cost)).decode()


def make_pair(folder: str, hosts: tuple[str, ...], days: int) -> tuple[Path, Path]:
    """A self-signed certificate for these hosts and its key (mode 0600), by openssl; nothing is overwritten.

    Raises UsageError and CannotSeeError.
    """
    if (program := shutil.which("openssl")) is None:
        raise CannotSeeError("openssl is missing; install it, or bring a certificate of your own")
    cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
    names = ",".join(map(_san, hosts))
    try:
        for path in (cert, key):
            # Also with its mode before anything is in it.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644 if path is cert else 0o600))
    except OSError as error:
        raise UsageError(f"cannot make {error.filename}: {os.strerror(error.errno or 0)}") from None
    done = subprocess.run(
        [
            *(program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", str(days), "-subj", "/CN=tmux-exporter", "-addext", f"subjectAltName={names}"),
            *("-addext", "extendedKeyUsage=serverAuth", "-keyout", str(key), "-out", str(cert)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_OPENSSL_SECONDS,
        check=False,
    )
    if done.returncode:
        cert.unlink()
        key.unlink()
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CannotSeeError(f"openssl made no certificate: {''.join(last)}")
    return cert, key


def described(path: str) -> str:
    """What a web configuration asks for. Raises ConfigError with every mistake."""
    config = load_web_config(path)
    asked = [
        "TLS" if config.context else "no TLS",
        "client certificates" if config.trust.required else "no client certificates",
        f"users: {', '.join(sorted(config.users))}" if config.users else "no users",
    ]
    return "; ".join(asked)


def _san(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        pass
    try:
        return f"DNS:{parse_host(host)}"
    except ValueError as error:
        raise UsageError(f"--host: {error}") from None
