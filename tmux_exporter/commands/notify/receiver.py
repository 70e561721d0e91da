"""The program between Alertmanager and a person: takes messages on loopback, with a token, and sends them on.

A process of its own, as the library that sends is none for the daemon. Its URLs come by the environment, its
token in a file. It answers only when a message has left, so that Alertmanager tries again what has not.
"""

import argparse
import hmac
import html
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tmux_exporter.base.errors import CannotSeeError, ExporterError, UsageError
from tmux_exporter.commands.notify.message import Message, message
from tmux_exporter.commands.notify.targets import DESKTOP, VARIABLE, kind, library_url, targets

_LARGEST = 4 * 2**20
_MISSING = "notifications need Apprise: install `tmux-exporter[notify]` (pipx inject tmux-exporter apprise)"

_BETWEEN_SECONDS = 1.0
_KEPT = 1000

Deliver = Callable[[Message], bool]


def senders(urls: Sequence[str]) -> dict[str, Deliver]:
    """How to send to each URL. Raises UsageError for an unknown one, CannotSeeError without the library."""
    return {url: _desktop if url == DESKTOP else _by_library(url) for url in urls}


def _by_library(url: str) -> Deliver:
    try:
        import apprise  # noqa: PLC0415 - only where it is used
    except ImportError:
        raise CannotSeeError(_MISSING) from None
    address = library_url(url)
    loud = (
        f"{address}{'&' if '?' in address else '?'}priority=max" if kind(url).startswith("ntfy") else address
    )
    services = {each: apprise.Apprise.instantiate(each) for each in (address, loud)}
    for service in services.values():
        if service is None:
            raise UsageError(
                f"--notify {kind(url)}…: Apprise does not take this URL; https://appriseit.com has its form"
            )
        # The library waits 5.5 s between two messages of most services: of twenty the last would be late.
        service.request_rate_per_sec = min(service.request_rate_per_sec, _BETWEEN_SECONDS)

    def deliver(told: Message) -> bool:
        urgent = _urgent(told)
        level = (
            apprise.NotifyType.SUCCESS
            if told.resolved
            else apprise.NotifyType.FAILURE
            if urgent
            else apprise.NotifyType.WARNING
        )
        service = services[loud if urgent else address]
        return bool(service and service.notify(title=told.title, body=told.text, notify_type=level))

    return deliver


def _desktop(told: Message) -> bool:
    urgency = "critical" if _urgent(told) else "normal"
    text = html.escape(told.text, quote=False)
    words = ("notify-send", "--app-name=tmux-exporter", f"--urgency={urgency}", "--", told.title, text)
    try:
        return subprocess.run(words, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _urgent(told: Message) -> bool:
    return told.priority in ("P1", "P2") and not told.resolved


class _Turns:
    """One message at a time to one service; what is urgent goes before what is not."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = False
        self._urgent = 0

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Wait for the turn, and give it back."""
        with self._changed:
            self._urgent += urgent
            self._changed.wait_for(lambda: not self._busy and (urgent or not self._urgent))
            self._urgent -= urgent
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()


class Receiver:
    """Sends each message to all. What comes again, as some did not get it yet, goes to those only."""

    def __init__(
        self, deliver: dict[str, Deliver], host: str, public_url: str, log: Callable[[str], None]
    ) -> None:
        self._deliver, self._host, self._public_url, self._log = deliver, host, public_url, log
        self._turns = {url: _Turns() for url in deliver}
        self._sent: dict[tuple[str, str], set[str]] = {}
        self._lock = threading.Lock()

    def take(self, payload: dict[str, Any]) -> bool:
        """Whether all have it now."""
        told = message(payload, host=self._host, public_url=self._public_url)
        if told is None:
            return True
        key = (told.title, told.text)
        with self._lock:
            sent = self._sent.setdefault(key, set())
            while len(self._sent) > _KEPT:
                del self._sent[next(iter(self._sent))]
        missing = [url for url in self._deliver if not self._has(url, told, sent)]
        for url in missing:
            self._log(f"cannot send by {kind(url)}; Alertmanager tries again")
        if not missing:
            with self._lock:
                self._sent.pop(key, None)
        return not missing

    def _has(self, url: str, told: Message, sent: set[str]) -> bool:
        """Whether the service has it now; it may have got it while Alertmanager tried again."""
        with self._turns[url].turn(urgent=_urgent(told)):
            if url not in sent and self._deliver[url](told):
                sent.add(url)
                self._log(f"sent {told.priority or 'a message'} by {kind(url)}")
        return url in sent


def serve(receiver: Receiver, port: int, token: str) -> None:
    """Listen on loopback for what has the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = self.headers.get("Authorization", "")
            length = self.headers.get("Content-Length", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return self._answer(401)
            if not length.isascii() or not length.isdecimal() or int(length) > _LARGEST:
                return self._answer(413)
            try:
                payload = json.loads(self.rfile.read(int(length)))
            except ValueError:
                return self._answer(400)
            if not isinstance(payload, dict):
                return self._answer(400)
            return self._answer(200 if receiver.take(payload) else 502)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


def main(arguments: Sequence[str]) -> int:
    """Run it, or with --check only say whether it could."""
    parser = argparse.ArgumentParser(prog="tmux-exporter-notify")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--public-url", default="")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)

    def log(words: str) -> None:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()

    try:
        deliver = senders(targets((), os.environ))
    except ExporterError as error:
        log(str(error))
        return error.exit_code
    if not options.check:
        # What it starts, and whatever looks at it, need not have them.
        os.environ.pop(VARIABLE, None)
        token = options.token_file.read_text(encoding="ascii").strip()
        serve(Receiver(deliver, socket.gethostname(), options.public_url, log), options.port, token)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
