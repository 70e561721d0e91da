"""The HTTP server: the socket is bound first, uvicorn runs in the main thread, `stop` ends it at once."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from uvicorn.server import Server

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.runtime import start_time
from tmux_exporter.config.parsers import parse_listen_address
from tmux_exporter.config.schema import WebSettings
from tmux_exporter.web.app import App
from tmux_exporter.web.connections import GuardedConfig, Limits
from tmux_exporter.web.feed import Feed
from tmux_exporter.web.firing_alerts import FiringAlerts
from tmux_exporter.web.guards import HostGuard, is_loopback
from tmux_exporter.web.listen import BACKLOG, WhoListens, open_listener, show_address

# A stop lets answers that are under way finish for so long.
GRACE_SECONDS = 0.3


class WebServer:
    """Listens as soon as it is made; serves from `run` until `stop`.

    Raises UsageError where the address cannot be had; `who_listens` then says by whom a port is taken.
    Signals are the caller's: call `stop` from a handler.
    """

    def __init__(self, settings: WebSettings, feed: Feed, *, clock: Clock, who_listens: WhoListens) -> None:
        self._listener = open_listener(settings.listen_address, who_listens)
        self._prometheus_url = ""
        self._listen_host = parse_listen_address(settings.listen_address).host
        self._limits = Limits(
            max_connections=settings.max_connections, header_timeout=settings.header_timeout
        )
        self._clock = clock
        self._alerts = self._firing_alerts(settings)
        self._app = App(feed, clock, self._guard(settings), self._read_alerts)
        self._server = _Server(GuardedConfig(self._app, self._limits), self._app, self._limits)

    @property
    def port(self) -> int:
        """The port that was taken, also where 0 was asked for."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the live page."""
        bound = ipaddress.ip_address(self._listener.getsockname()[0])
        host = ("127.0.0.1" if bound.version == 4 else "::1") if bound.is_unspecified else self._listen_host
        return f"http://{show_address(host, self.port)}/"

    @property
    def bound_url(self) -> str:
        """The page by the address that the socket has: 0.0.0.0 and [::] are all addresses of the machine."""
        bound = self._listener.getsockname()[0]
        host = bound if ipaddress.ip_address(bound).is_unspecified else self._listen_host
        return f"http://{show_address(host, self.port)}/"

    @property
    def exposure(self) -> str:
        """Who can read what, where that is more than this machine; else empty."""
        if is_loopback(self._listener.getsockname()[0]):
            return ""
        return (
            f"anyone who reaches {self.bound_url} can read it without password or encryption: figures, "
            "states, pids, names of sessions, windows and agents; for this machine alone: "
            f"--web.listen-address 127.0.0.1:{self.port}"
        )

    def configure(self, settings: WebSettings) -> None:
        """Use other limits and allowed hosts from now on. Another listen address needs a new process."""
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
            asyncio.run(self._server.serve_on(self._listener, lambda: on_started(port)))
        finally:
            self._listener.close()

    def stop(self) -> None:
        """End `run` within a second, even with open connections. For any thread and signal handlers."""
        self._server.stop()

    def _read_alerts(self) -> bytes:
        # Those of the settings in force.
        return self._alerts.read()

    def _firing_alerts(self, settings: WebSettings) -> FiringAlerts:
        if not settings.prometheus_url:
            settings = replace(settings, prometheus_url=self._prometheus_url)
        return FiringAlerts(settings, start_time=start_time(), clock=self._clock)

    def _guard(self, settings: WebSettings) -> HostGuard:
        return HostGuard(
            bound=self._listener.getsockname()[0],
            listen_host=self._listen_host,
            allowed=settings.allowed_hosts,
            hostname=socket.gethostname(),
        )


class _Server(Server):
    def __init__(self, config: GuardedConfig, app: App, limits: Limits) -> None:
        super().__init__(config)
        self._app = app
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._on_started: Callable[[], None] = lambda: None

    async def serve_on(self, listener: socket.socket, on_started: Callable[[], None]) -> None:
        self._on_started = on_started
        self._loop = asyncio.get_running_loop()
        await self.serve(sockets=[listener])

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
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            # asyncio made the kernel's queue as short as the number it accepts at once.
            listener.listen(BACKLOG)
        self._on_started()

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
