"""Where notifications go: URLs from the command line, a private file or the environment.

A URL with a secret is refused on the command line, which every user of the machine can read.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from tmux_exporter.base.errors import UsageError

VARIABLE = "TMUX_EXPORTER_NOTIFY"
"""In the environment: URLs, with white space between them."""

DESKTOP = "desktop"
_WEBHOOK = "webhook:"
_MAY_BE_OPEN = ("mailto", "ntfy", "ntfys")
# Names of our own for what the library calls otherwise.
_SCHEMES = {"telegram": "tgram", "teams": "msteams", "pushover": "pover"}
_OPEN_PARAMETERS = re.compile(r"(?:(?:to|from|smtp|mode|name|priority)=[^&]*(?:&|$))*")
_LIKE_A_SECRET = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[^/]{20,}")


def targets(given: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """All URLs, each once: those given, those of the files given as `@FILE`, those of the environment.

    Raises UsageError.
    """
    found: list[str] = []
    for text in given:
        if text.startswith("@"):
            found += _lines(text[1:])
        elif has_secret(text):
            raise UsageError(
                f"--notify {kind(text)}…: a URL with a secret would stand in the list of processes for all; "
                f"write it into a file of mode 0600 (--notify @FILE) or into {VARIABLE}"
            )
        else:
            found.append(text)
    found += environ.get(VARIABLE, "").split()
    for url in found:
        if url != DESKTOP and not re.match(r"[a-z]+:.", url):
            raise UsageError(
                f"--notify: {kind(url)!r} is no URL; write ntfy://…, slack://…, telegram://…, mailto://…, "
                "webhook:https://… or desktop"
            )
    return tuple(dict.fromkeys(found))


def kind(url: str) -> str:
    """What may be said of a URL: its scheme."""
    scheme = url.partition(":")[0]
    return scheme if re.fullmatch(r"[a-z]{2,12}", scheme) else "?"


def has_secret(url: str) -> bool:
    """Whether a URL may hold one: all may but few forms that are known not to."""
    if url == DESKTOP:
        return False
    webhook = url.startswith(_WEBHOOK)
    parts = urlsplit(url.removeprefix(_WEBHOOK))
    if not webhook and parts.scheme not in _MAY_BE_OPEN:
        return True
    if "@" in parts.netloc or (webhook and parts.query):
        return True
    return bool(
        not _OPEN_PARAMETERS.fullmatch(parts.query)
        or any(_LIKE_A_SECRET.fullmatch(each) for each in (parts.path + "/" + parts.netloc).split("/"))
    )


def library_url(url: str) -> str:
    """A URL as Apprise writes it."""
    if url.startswith(_WEBHOOK):
        scheme, _, rest = url.removeprefix(_WEBHOOK).partition("://")
        return f"{'jsons' if scheme == 'https' else 'json'}://{rest}"
    scheme, separator, rest = url.partition(":")
    return f"{_SCHEMES.get(scheme, scheme)}{separator}{rest}"


def _lines(path: str) -> list[str]:
    """The URLs in a file that nobody else can read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"--notify @{path}: {error.strerror}") from None
    with open(descriptor, encoding="utf-8", errors="replace") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"--notify @{path}: is no file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise UsageError(f"--notify @{path}: others may read it or it is not yours; chmod 600 {path}")
        lines = [line.strip() for line in stream.read(65_536).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
