"""Connections that do not get on never stand in the way of a scrape."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.support.wait import wait_for
from tests.support.web.http import TEXT, FakeFeed, connect, is_closed, read_all, read_until, request, serving
from tests.support.web.process import web_process
from tmux_exporter.config import WebSettings
from tmux_exporter.web import connections
from tmux_exporter.web.server import WebServer

HEADER = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
SCRAPE = HEADER + b"\r\n"


@contextmanager
def limited(*, connections: int = 256, header: float = 30.0, text: bytes = TEXT) -> Iterator[WebServer]:
    feed = FakeFeed()
    feed.publish(text=text)
    settings = WebSettings(listen_address="127.0.0.1:0", max_connections=connections, header_timeout=header)
    with serving(feed, settings) as server:
        yield server


def scrape_on(connection: socket.socket) -> bytes:
    """One scrape on a connection that stays open."""
    connection.sendall(SCRAPE)
    return read_until(connection, TEXT)


def test_300_half_open_connections_and_100_scrapers_delay_no_scrape_beyond_a_second() -> None:
    took: list[float] = []

    def scrape(port: int) -> None:
        began = time.monotonic()
        answer = request(port)
        took.append(time.monotonic() - began if (answer.status, answer.body) == (200, TEXT) else 1e9)

    with limited() as server, ExitStack() as held:
        for _ in range(100):
            scrape(server.port)
        # What as many scrapes take one after the other is work, of which a busy machine makes more.
        work = sum(took)
        took.clear()
        for _ in range(300):
            half_open = held.enter_context(connect(server.port))
            # Those that were dropped to make room cannot be written to.
            with contextlib.suppress(ConnectionError):
                half_open.sendall(HEADER)
        scrapers = [threading.Thread(target=scrape, args=(server.port,)) for _ in range(100)]
        for scraper in scrapers:
            scraper.start()
        for scraper in scrapers:
            scraper.join()
        scrape(server.port)
    assert len(took) == 101
    assert max(took) < work + 1.0


def test_a_rush_in_one_moment_drops_no_scraper_whose_request_is_already_sent() -> None:
    with web_process("127.0.0.1:0") as (child, port), ExitStack() as held:
        # Stopped, so that all of them knock before the server looks at any.
        os.kill(child.pid, signal.SIGSTOP)
        scraper = held.enter_context(connect(port))
        scraper.sendall(SCRAPE)
        for _ in range(600):
            held.enter_context(connect(port))
        os.kill(child.pid, signal.SIGCONT)
        assert read_until(scraper, TEXT).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET /met", HEADER])
def test_a_half_open_connection_is_closed_after_the_header_timeout(sent: bytes) -> None:
    with limited(header=0.3) as server, connect(server.port) as connection:
        began = time.monotonic()
        connection.sendall(sent)
        assert connection.recv(1) == b""
        assert 0.25 < time.monotonic() - began < 10


def test_a_trickled_header_counts_from_its_first_byte() -> None:
    with limited(header=0.5) as server, connect(server.port) as connection:
        assert scrape_on(connection), "the first request of the connection is complete"
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for letter in HEADER * 100:
                connection.sendall(bytes([letter]))
                if is_closed(connection):
                    break
                time.sleep(0.02)
        assert is_closed(connection)
        assert 0.4 < time.monotonic() - began < 10


def test_an_idle_kept_connection_outlives_the_header_timeout() -> None:
    with limited(header=0.2) as server, connect(server.port) as kept, connect(server.port) as witness:
        assert scrape_on(kept)
        # The witness is closed a full header timeout after `kept` was answered.
        assert witness.recv(1) == b""
        assert scrape_on(kept)


def test_an_idle_kept_connection_is_closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.2)
    with limited() as server, connect(server.port) as connection:
        assert scrape_on(connection)
        began = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - began < 10


def test_at_the_cap_the_connection_that_is_idle_longest_makes_room() -> None:
    with limited(connections=3) as server, ExitStack() as held:
        first, second, third = (held.enter_context(connect(server.port)) for _ in range(3))
        for connection in (first, second, third):
            assert scrape_on(connection)
        assert scrape_on(first), "now the second is idle longest"
        fourth = held.enter_context(connect(server.port))
        assert scrape_on(fourth), "the new one is served, not refused"
        assert [is_closed(each) for each in (first, second, third, fourth)] == [False, True, False, False]


def test_at_the_cap_an_incomplete_header_counts_as_idle_and_an_event_stream_does_not() -> None:
    with limited(connections=2) as server, ExitStack() as held:
        stream = held.enter_context(connect(server.port))
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_until(stream, b"event: report\n")
        half_open = held.enter_context(connect(server.port))
        half_open.sendall(HEADER)
        assert request(server.port).body == TEXT
        wait_for(lambda: is_closed(half_open), "the incomplete one made room")
        assert not is_closed(stream)


def test_when_all_are_busy_the_one_that_is_busy_longest_makes_room() -> None:
    with limited(connections=2) as server, ExitStack() as held:
        streams = [held.enter_context(connect(server.port)) for _ in range(2)]
        for stream in streams:
            stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_until(stream, b"event: report\n")
        assert request(server.port).body == TEXT
        read_all(streams[0])
        assert not is_closed(streams[1])


def test_a_slow_reader_delays_nobody_and_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    page = TEXT * 200_000
    with limited(text=page) as server, ExitStack() as held:
        slow = [held.enter_context(connect(server.port, receive_buffer=4096)) for _ in range(20)]
        for connection in slow:
            connection.sendall(SCRAPE)
        began = time.monotonic()
        assert request(server.port, "/-/healthy").status == 200
        assert time.monotonic() - began < 5
        for connection in slow:
            wait_for(partial(was_reset, connection), "the slow reader is dropped")


def was_reset(connection: socket.socket) -> bool:
    """The other side gave up with bytes unsent; those that had arrived are still there to be read."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def test_a_header_without_end_is_refused() -> None:
    with limited() as server, connect(server.port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(HEADER + b"X: " + b"x" * 100_000)
        # The rest of what was sent may turn the answer into a reset.
        try:
            answer = read_until(connection, b"\r\n")
        except ConnectionError:
            answer = b""
        assert answer in (b"", b"HTTP/1.1 400 Bad Request\r\n")
        assert request(server.port).status == 200


def test_what_is_not_http_ends_only_its_own_connection(caplog: pytest.LogCaptureFixture) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"
    with limited() as server:
        for garbage in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\r\n\r\n\r\n",
            b"GET\r\n\r\n",
            b"PUT /-/reload HTTP/1.1\r\nHost: localhost\r\n" + chunked,
            b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + chunked,
            SCRAPE + b"\x00\x00\x00\r\n\r\n",
        ):
            with connect(server.port) as connection:
                connection.sendall(garbage)
                # ENOTCONN where the server has closed it by then.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    read_all(connection)
        assert request(server.port).status == 200
    assert caplog.records == []


def test_new_limits_hold_at_once() -> None:
    with limited(header=60.0) as server:
        settings = WebSettings(listen_address="127.0.0.1:0", header_timeout=0.2, allowed_hosts=("box.lan",))
        assert request(server.port, headers={"Host": "box.lan"}).status == 403
        server.configure(settings)
        assert request(server.port, headers={"Host": "box.lan"}).status == 200
        with connect(server.port) as connection:
            assert connection.recv(1) == b""
