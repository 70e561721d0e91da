"""A feed in the test's hands, the real server around it on a free port, and a plain HTTP client."""

import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from tests.support.literals.report import example_report
from tmux_exporter.base.clock import Clock, SystemClock
from tmux_exporter.commands.history import History
from tmux_exporter.config import WebSettings
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.report_json import render
from tmux_exporter.web.server import WebServer

TEXT = b"# HELP tmux_up Whether it answers.\n# TYPE tmux_up gauge\ntmux_up 1\n"
OPENMETRICS = TEXT + b"# EOF\n"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A `Published` whose pages a test may choose."""

    sequence: int
    report: Report
    text: bytes = TEXT
    openmetrics: bytes = OPENMETRICS

    @cached_property
    def text_gzip(self) -> bytes:
        return gzip.compress(self.text, mtime=0)

    @cached_property
    def openmetrics_gzip(self) -> bytes:
        return gzip.compress(self.openmetrics, mtime=0)

    @cached_property
    def json(self) -> bytes:
        return render(self.report)


@dataclass
class FakeFeed:
    """A `Feed` that samples when the test says so; `fresh` blocks on `fresh_gate` and counts its runs."""

    sample: Sample | None = None
    fresh_gate: threading.Event = field(default_factory=threading.Event)
    fresh_runs: int = 0
    callbacks: list[Callable[[], None]] = field(default_factory=list)
    is_recent: bool = True
    noted: list[str] = field(default_factory=list)
    detail_of_all: bytes | None = None
    wanted: list[Wanted] = field(default_factory=list)
    past: History = field(default_factory=History)

    def publish(self, *, text: bytes = TEXT, report: Report | None = None) -> Sample:
        """Take the next sample and tell the subscribers."""
        sequence = self.sample.sequence + 1 if self.sample else 1
        report = report or replace(example_report(), timestamp=1_795_500_000.0 + sequence)
        self.sample = Sample(sequence=sequence, report=report, text=text)
        for callback in tuple(self.callbacks):
            callback()
        return self.sample

    def current(self) -> Sample | None:
        return self.sample

    def fresh(self) -> Sample | None:
        self.fresh_runs += 1
        self.fresh_gate.wait()
        return self.publish()

    def recent(self) -> Sample | None:
        self.is_recent = True
        return self.fresh()

    def scraped(self) -> bool:
        self.noted.append("scrape")
        return self.is_recent

    def looked(self) -> bool:
        self.noted.append("look")
        return self.is_recent

    @property
    def collectors(self) -> Sequence[str]:
        return ("agents", "servers")

    def collect(self, names: Sequence[str]) -> bytes | None:
        known = {"servers": b"servers 1\n", "agents": b"agents 1\n"}
        if not set(names) <= set(known):
            return None
        return b"".join(known[name] for name in names)

    def detail(self, wanted: Wanted) -> bytes | None:
        self.wanted.append(wanted)
        return self.detail_of_all

    def history(self) -> bytes:
        self.past.take(self.sample.report if self.sample else example_report())
        return self.past.gzipped()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)


@contextmanager
def serving(
    feed: FakeFeed, settings: WebSettings | None = None, clock: Clock | None = None
) -> Iterator[WebServer]:
    """The real server in a thread, on a free loopback port unless the settings say otherwise."""
    settings = settings or WebSettings(listen_address="127.0.0.1:0")
    server = WebServer(settings, feed, clock=clock or SystemClock(), who_listens=lambda _: None)
    started = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda _: started.set(),))
    thread.start()
    try:
        assert started.wait(60), "the server starts"
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive(), "the server stops"


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """The body of a short answer."""
        return self.body.decode().removesuffix("\n")


def request(
    port: int,
    path: str = "/metrics",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    address: str = "127.0.0.1",
) -> Answer:
    """One request on a connection of its own."""
    with closing(http.client.HTTPConnection(address, port, timeout=10)) as connection:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        answer = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, answer)


def connect(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """A bare connection; a small receive buffer makes a slow reader slow for the server too."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """What arrives up to and with `end`, or up to the end of the connection."""
    taken = bytearray()
    while not taken.endswith(end) and (byte := connection.recv(1)):
        taken += byte
    return bytes(taken)


def read_all(connection: socket.socket) -> bytes:
    """What arrives up to the end of the connection."""
    taken = bytearray()
    while piece := connection.recv(65_536):
        taken += piece
    return bytes(taken)


def is_closed(connection: socket.socket) -> bool:
    """The other side has ended it; does not wait, and takes nothing that is still to be read."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(10)
