"""The receiver of Alertmanager's messages as a child of `up`, and Alertmanager's settings for it."""

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tmux_exporter.alerting.routes import Data
from tmux_exporter.base.errors import UsageError
from tmux_exporter.commands.notify.targets import VARIABLE, kind
from tmux_exporter.commands.up_children import prometheus

NAME = "notifier"
TOLD_BY = "notify.token"
TOLD = ("pager", "chat")
"""The receivers for P1 to P3. What can wait for a day stays on Alertmanager's page."""

_COMMAND = (sys.executable, "-m", "tmux_exporter.commands.notify.receiver")
_CHECK_SECONDS = 60.0


def check(folder: Path, urls: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise UsageError where one of the URLs could not be sent to."""
    log = folder / "notify-check.log"
    process = prometheus.spawn((*_COMMAND, "--check"), log, _environ(urls, environ))
    if process.wait(_CHECK_SECONDS):
        raise UsageError(prometheus.last_words(prometheus.Child(name=NAME, log=log, process=process)))


def start(
    folder: Path, urls: Sequence[str], public_url: str, environ: Mapping[str, str]
) -> tuple[prometheus.Child, Mapping[str, Data]]:
    """Start it; and the receivers of Alertmanager that post to it, by name."""
    token, port = folder / TOLD_BY, prometheus.free_port(0)
    token.unlink(missing_ok=True)
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32))
    words = ("--port", str(port), "--token-file", str(token), "--public-url", public_url)
    log = folder / "notify.log"
    process = prometheus.spawn((*_COMMAND, *words), log, _environ(urls, environ))
    hook: Data = {
        "url": f"http://127.0.0.1:{port}/",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": str(token)}},
    }
    receivers: dict[str, Data] = {name: {"webhook_configs": [hook]} for name in TOLD}
    return prometheus.Child(name=NAME, log=log, process=process), receivers


def described(urls: Sequence[str]) -> str:
    """Where messages go, without secrets."""
    return f"P1 to P3 by {', '.join(dict.fromkeys(map(kind, urls)))}"


def _environ(urls: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, VARIABLE: "\n".join(urls)}
