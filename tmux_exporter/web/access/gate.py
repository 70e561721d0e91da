"""Who is let through to the application: the web configuration in force, and the ASGI gate before it."""

import logging
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.base.log import log_fields
from tmux_exporter.web.access.file import WebConfig, load_web_config
from tmux_exporter.web.access.passwords import Bucket, Passwords, Verdict
from tmux_exporter.web.access.tls import Trust
from tmux_exporter.web.app import EVENTS
from tmux_exporter.web.connections import AUTHENTICATED, CONNECTION, SAME_USER, TRUST, Connection
from tmux_exporter.web.responses import (
    CLOSE,
    Header,
    Message,
    Receive,
    Response,
    Scope,
    Send,
    message,
    send_response,
)

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the files are looked at, while anybody asks for anything."""

App = Callable[[Scope, Receive, Send], Awaitable[None]]
_Signature = tuple[tuple[int, int, int] | None, ...]

_REFUSALS: Mapping[Verdict, Response] = {
    Verdict.WRONG: message(
        401, "a user and the password are needed", (b"www-authenticate", b'Basic realm="tmux-exporter"')
    ),
    Verdict.TOO_MANY: message(429, "too many failed logins from this address", (b"retry-after", b"10")),
    Verdict.BUSY: message(503, "too many passwords wait for their check", (b"retry-after", b"2")),
}
_LIMITED = message(429, "more requests than rate_limit allows", (b"retry-after", b"1"))


class Access:
    """The web configuration in force. A changed file, certificate or key is read when it is next needed.

    Raises ConfigError at the start; later what was in force stays until all is right again. For any thread.
    """

    def __init__(
        self, path: str, clock: Clock, *, must_authenticate: bool, on_refused: Callable[[], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._must_authenticate = must_authenticate
        self._on_refused = on_refused
        self._lock = threading.Lock()
        self._looked = clock.monotonic()
        self._signature = _signature((path,))
        self._config = load_web_config(path, must_authenticate=must_authenticate)
        # Before the files were read they may have been others.
        self._read_again = True

    def current(self) -> WebConfig:
        """What holds now."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._looked >= LOOK_SECONDS:
                self._looked = now
                if self._read_again or _signature(self._config.files) != self._signature:
                    self._read()
            return self._config

    def context(self) -> ssl.SSLContext | None:
        """For the next connection; None without TLS."""
        return self.current().context

    def trust(self) -> Trust:
        """What a connection must have shown."""
        return self.current().trust

    def reload(self, *, must_authenticate: bool) -> None:
        """Read it now. Raises ConfigError, and leaves everything as it is."""
        with self._lock:
            self._config = load_web_config(self._path, must_authenticate=must_authenticate)
            self._must_authenticate = must_authenticate
            self._read_again = True

    def _read(self) -> None:
        files = self._config.files
        before = _signature(files)
        try:
            config = load_web_config(self._path, must_authenticate=self._must_authenticate)
        except ConfigError as error:
            self._signature, self._read_again = before, False
            for problem in error.problems:
                _log.error(
                    "web configuration refused, the one before stays", extra=log_fields(problem=problem)
                )
            self._on_refused()
            return
        self._read_again = config.files != files
        self._signature, self._config = before, config
        _log.info("web configuration applied")


def _signature(paths: tuple[str, ...]) -> _Signature:
    """Differs after a change of a file; a renewed certificate is often another file behind the same name."""
    return tuple(map(_of_file, paths))


def _of_file(path: str) -> tuple[int, int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size


class Gate:
    """Asks for what the web configuration demands, and adds its headers; then the application answers."""

    def __init__(self, access: Access, app: App, clock: Clock) -> None:
        self._access = access
        self._app = app
        self._clock = clock
        self._passwords: Passwords | None = None
        self._bucket: Bucket | None = None
        self._limited_by = access.current().rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        config, state = self._access.current(), scope["state"]
        if not state[SAME_USER] and state[TRUST] != config.trust:
            # It was made when less was asked for. Its client tries again, as after any idle time.
            state[CONNECTION].drop()
            await receive()
            return None
        send = partial(_send_with, config.headers, send) if config.headers else send
        if scope["path"] == EVENTS:
            send = partial(self._send_while, config, state[CONNECTION], send)
        refusal = await self._refuse(scope, config)
        if refusal is None:
            return await self._app(scope, receive, send)
        # A body that nobody reads would be taken for the next request.
        return await send_response(refusal, send, head=scope["method"] == "HEAD", extra=(CLOSE,))

    async def _send_while(self, config: WebConfig, connection: Connection, send: Send, what: Message) -> None:
        """Send while the same configuration holds: a stream would outlive its user. Browsers come again."""
        if self._access.current() is config:
            await send(what)
        else:
            connection.drop()

    async def _refuse(self, scope: Scope, config: WebConfig) -> Response | None:
        if not self._within(config):
            return _LIMITED
        state = scope["state"]
        if state[SAME_USER] or not config.users:
            return None
        if self._passwords is None:
            self._passwords = Passwords(self._clock)
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        address = scope["client"][0] if scope["client"] else ""
        verdict = (
            await self._passwords.check(given[0], config.users, address) if len(given) == 1 else Verdict.WRONG
        )
        state[AUTHENTICATED] = verdict is Verdict.RIGHT
        return _REFUSALS.get(verdict)

    def _within(self, config: WebConfig) -> bool:
        limit = config.rate_limit
        if not limit.interval:
            return True
        if self._bucket is None or limit != self._limited_by:
            self._bucket, self._limited_by = Bucket(limit.burst, limit.interval, self._clock), limit
        return self._bucket.take()


async def _send_with(headers: tuple[Header, ...], send: Send, what: Message) -> None:
    if what["type"] == "http.response.start":
        names = {name for name, _ in headers}
        kept = [header for header in what["headers"] if header[0] not in names]
        what["headers"] = [*kept, *headers]
    await send(what)
