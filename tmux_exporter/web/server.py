"""The HTTP server: the socket is bound first, uvicorn runs in the main thread, `stop` ends it at once."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from uvicorn.server import Server

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import ConfigError, UsageError
from tmux_exporter.base.runtime import start_time
from tmux_exporter.config.parsers import UNIX, parse_listen_address
from tmux_exporter.config.schema import WebSettings
from tmux_exporter.web.app import App
from tmux_exporter.web.connections import (
    ACCEPT_AT_ONCE,
    AUTHENTICATED,
    TRUST,
    GuardedConfig,
    GuardedProtocol,
    Limits,
)
from tmux_exporter.web.feed import Feed
from tmux_exporter.web.firing_alerts import FiringAlerts
from tmux_exporter.web.guards import HostGuard, is_loopback
from tmux_exporter.web.listen import (
    BACKLOG,
    WhoListens,
    hands_over,
    inherited_listeners,
    open_listener,
    remove_sockets,
    show_address,
)
from tmux_exporter.web.responses import Receive, Scope, Send

if TYPE_CHECKING:
    from tmux_exporter.web.access.gate import Access

_Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# A stop lets answers that are under way finish for so long.
GRACE_SECONDS = 0.3


class WebServer:
    """Listens as soon as it is made; serves from `run` until `stop`.

    Raises UsageError where an address cannot be had, and ConfigError for a web configuration that is wrong;
    `who_listens` says by whom a port is taken. `reload` is what `POST /-/reload` does: it returns problems.
    Signals are the caller's: call `stop` from a handler.
    """

    def __init__(
        self,
        settings: WebSettings,
        feed: Feed,
        *,
        clock: Clock,
        who_listens: WhoListens,
        reload: Callable[[], Sequence[str]] = tuple,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._on_refused = on_refused
        self._addresses = (settings.listen_address, *settings.also_listen)
        # Whoever enables a socket unit means it: no setting has to say so too.
        self._inherits = settings.systemd_socket or hands_over(os.environ)
        self._listeners: tuple[socket.socket, ...] = ()
        self._access: Access | None = None
        try:
            if self._inherits:
                self._listeners = inherited_listeners(os.environ)
            else:
                for each in self._addresses:
                    self._listeners += (open_listener(each, who_listens),)
            self._access = self._open_access(settings)
        except BaseException:
            self._close()
            raise
        self._prometheus_url = ""
        self._limits = Limits(
            max_connections=settings.max_connections, header_timeout=settings.header_timeout
        )
        self._alerts = self._firing_alerts(settings)
        self._app = App(feed, clock, self._guard(settings), self._read_alerts, reload)
        gated: _Asgi = self._app
        if self._access is not None:
            from tmux_exporter.web.access.gate import Gate  # noqa: PLC0415 - as in `_open_access`

            gated = Gate(self._access, self._app, clock)
        config = GuardedConfig(gated, self._limits)
        self._server = _Server(config, self._app, self._limits, self._access)

    @property
    def port(self) -> int:
        """The first TCP port that was taken, also where 0 was asked for; 0 without one."""
        return next((each.getsockname()[1] for each in self._listeners if _is_tcp(each)), 0)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the live page."""
        first = self._listeners[0]
        if not _is_tcp(first):
            return self._url_of(first)
        bound = ipaddress.ip_address(first.getsockname()[0])
        host = (
            ("127.0.0.1" if bound.version == 4 else "::1") if bound.is_unspecified else self._host_of(first)
        )
        return f"{self._scheme}://{show_address(host, self.port)}/"

    @property
    def bound_urls(self) -> tuple[str, ...]:
        """The pages by the addresses that the sockets have: 0.0.0.0 and [::] are all of the machine."""
        return tuple(map(self._url_of, self._listeners))

    @property
    def exposures(self) -> tuple[str, ...]:
        """Who can read what by each address, where that is more than this machine and wants no password."""
        config = self._access.current() if self._access is not None else None
        if config is not None and config.authenticates:
            if config.users and not config.trust.encrypted and self._beyond():
                return (
                    "passwords cross the network unencrypted: add tls_server_config to --web.config.file",
                )
            return ()
        how = (
            "without password" if config is not None and config.context else "without password or encryption"
        )
        return tuple(
            f"anyone who reaches {self._url_of(each)} can read it {how}: figures, "
            "states, pids, names of sessions, windows and agents; for this machine alone: "
            f"--web.listen-address 127.0.0.1:{each.getsockname()[1]}; with users: --web.config.file"
            for each in self._beyond()
        )

    def configure(self, settings: WebSettings) -> None:
        """Use other limits, allowed hosts and the web configuration as it is now; other addresses need a new
        process. Raises ConfigError, and changes nothing.
        """
        must = settings.require_auth and bool(self._beyond())
        if self._access is not None:
            self._access.reload(must_authenticate=must)
        elif must:
            raise ConfigError((self._lacks_users(),))
        self._limits.max_connections = settings.max_connections
        self._limits.header_timeout = settings.header_timeout
        self._app.guard = self._guard(settings)
        self._alerts = self._firing_alerts(settings)

    def ask_prometheus(self, url: str) -> None:
        """Show the alerts of this one where the settings name none, also after a reload."""
        self._prometheus_url = url
        if not self._alerts.url:
            self._alerts = self._firing_alerts(WebSettings())

    def run(self, on_started: Callable[[int], None] = lambda _: None) -> None:
        """Serve until `stop`; `on_started` gets the port once requests are answered."""
        port = self.port
        try:
            asyncio.run(self._server.serve_on(self._listeners, lambda: on_started(port)))
        finally:
            self._close()

    def stop(self) -> None:
        """End `run` within a second, even with open connections. For any thread and signal handlers."""
        self._server.stop()

    def _close(self) -> None:
        for each in self._listeners:
            each.close()
        if not self._inherits:
            remove_sockets(self._addresses[: len(self._listeners)])

    def _lacks_users(self) -> str:
        return (
            f"web.require_auth is set and {self._url_of(self._beyond()[0])} is beyond loopback: give "
            "--web.config.file with basic_auth_users; tmux-exporter web-config makes one"
        )

    def _open_access(self, settings: WebSettings) -> "Access | None":
        must = settings.require_auth and bool(self._beyond())
        if not settings.config_file:
            if must:
                raise UsageError(self._lacks_users())
            return None
        # OpenSSL and YAML stay out of a process that serves without.
        from tmux_exporter.web.access.gate import Access  # noqa: PLC0415

        return Access(settings.config_file, self._clock, must_authenticate=must, on_refused=self._on_refused)

    def _beyond(self) -> tuple[socket.socket, ...]:
        """The listeners that other machines may reach."""
        return tuple(
            each for each in self._listeners if _is_tcp(each) and not is_loopback(each.getsockname()[0])
        )

    @property
    def _scheme(self) -> str:
        return "https" if self._access is not None and self._access.current().context else "http"

    def _host_of(self, listener: socket.socket) -> str:
        """As it was asked for; an inherited one by its address."""
        if self._inherits:
            return str(listener.getsockname()[0])
        return parse_listen_address(self._addresses[self._listeners.index(listener)]).host

    def _url_of(self, listener: socket.socket) -> str:
        if not _is_tcp(listener):
            return f"{UNIX}{listener.getsockname()}"
        bound, port = listener.getsockname()[:2]
        host = bound if ipaddress.ip_address(bound).is_unspecified else self._host_of(listener)
        return f"{self._scheme}://{show_address(host, port)}/"

    def _read_alerts(self) -> bytes:
        # Those of the settings in force.
        return self._alerts.read()

    def _firing_alerts(self, settings: WebSettings) -> FiringAlerts:
        if not settings.prometheus_url:
            settings = replace(settings, prometheus_url=self._prometheus_url)
        return FiringAlerts(settings, start_time=start_time(), clock=self._clock)

    def _guard(self, settings: WebSettings) -> HostGuard:
        tcp = tuple(filter(_is_tcp, self._listeners))
        exposed = (*self._beyond(), *tcp)
        return HostGuard(
            bound=exposed[0].getsockname()[0] if exposed else "127.0.0.1",
            listen_hosts=map(self._host_of, tcp),
            allowed=settings.allowed_hosts,
            hostname=socket.gethostname(),
        )


def _is_tcp(listener: socket.socket) -> bool:
    return listener.family is not socket.AF_UNIX


class _Server(Server):
    def __init__(self, config: GuardedConfig, app: App, limits: Limits, access: "Access | None") -> None:
        super().__init__(config)
        self._config = config
        self._app = app
        self._limits = limits
        self._access = access
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._on_started: Callable[[], None] = lambda: None

    async def serve_on(self, listeners: tuple[socket.socket, ...], on_started: Callable[[], None]) -> None:
        self._on_started = on_started
        self._loop = asyncio.get_running_loop()
        await self.serve(sockets=list(listeners))

    def stop(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            # The loop may end between the look and the call: then it is stopped already.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The caller has its own handlers; uvicorn would take SIGINT and SIGTERM and raise them again.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # In the place of the base class's, which knows one protocol for all sockets.
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                partial(self._connect, _is_tcp(listener)), sock=listener, backlog=ACCEPT_AT_ONCE
            )
            for listener in sockets or []
        ]
        self.started = True
        for listener in sockets or []:
            # asyncio made the kernel's queue as short as the number it accepts at once.
            listener.listen(BACKLOG)
        self._on_started()

    def _connect(self, is_tcp: bool) -> asyncio.Protocol:
        make = partial(GuardedProtocol, self._config, self.server_state)
        if self._access is None:
            return make({})
        config = self._access.current()
        if not is_tcp or config.context is None:
            return make({TRUST: config.trust})
        from tmux_exporter.web.handshake import Handshake  # noqa: PLC0415 - with TLS only

        state = {TRUST: config.trust, AUTHENTICATED: config.trust.required}
        return Handshake(partial(make, state), config.context, self._limits, config.trust.refuses)

    async def main_loop(self) -> None:
        # uvicorn wakes ten times a second to check whether it should stop; here an event says so.
        if not self.should_exit:
            with _woken_by_signals(asyncio.get_running_loop()):
                await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.close()
        loop = asyncio.get_running_loop()
        for listener in sockets or []:
            loop.remove_reader(listener)
        # asyncio loses connections that it has accepted and not yet set up when their server closes.
        await asyncio.sleep(0)
        loop.call_later(GRACE_SECONDS, self._limits.drop_all)
        await super().shutdown(sockets=sockets)


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let each signal wake the loop: Python runs handlers in the main thread only, the kernel may give the
    signal to any, and the loop has nothing else to wake for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    woken, waker = socket.socketpair()
    with woken, waker:
        woken.setblocking(False)
        waker.setblocking(False)
        loop.add_reader(woken, woken.recv, 64)
        before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(woken)
