"""The server ends within a second whoever is connected, and its port is free at once."""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.wait import wait_for
from tests.support.web.http import TEXT, FakeFeed, connect, is_closed, read_all, read_until, serving
from tests.support.web.process import web_process
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import WebSettings
from tmux_exporter.web.server import WebServer

EVENTS = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_viewers_and_half_open_connections(number: signal.Signals) -> None:
    with web_process("127.0.0.1:0") as (child, port), ExitStack() as held:
        streams = [held.enter_context(connect(port)) for _ in range(5)]
        for stream in streams:
            stream.sendall(EVENTS)
            assert read_until(stream, b"event: report\n")
        half_open = held.enter_context(connect(port))
        half_open.sendall(b"GET /metr")
        began = time.monotonic()
        os.kill(child.pid, number)
        output, errors = child.communicate(timeout=60)
        assert time.monotonic() - began < 5
        assert (child.returncode, output, errors) == (0, "", "")
        assert is_closed(half_open)
        assert read_until(streams[0], b"0\r\n\r\n").endswith(b"0\r\n\r\n"), "the stream ends in good order"
        with web_process(f"127.0.0.1:{port}") as (_, again):
            assert again == port


def test_a_signal_that_the_kernel_gives_to_another_thread_ends_it() -> None:
    with web_process("127.0.0.1:0") as (child, _):
        assert child.stdin is not None
        child.stdin.write("x")
        child.stdin.flush()
        assert child.wait(timeout=60) == 0


def test_at_rest_it_does_not_wake() -> None:
    with web_process("127.0.0.1:0") as (child, port):
        with connect(port) as connection:
            connection.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
            assert read_all(connection)
        # uvicorn's own loop would wake ten times a second, and once a second to write the date.
        assert wait_for(lambda: _wakes(child.pid, 3.0) == 0, "three seconds without a wake")


def _wakes(pid: int, seconds: float) -> int:
    """How often its main thread went to sleep anew in that time."""

    def sleeps() -> int:
        status = Path(f"/proc/{pid}/task/{pid}/status").read_text()
        return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

    before = sleeps()
    time.sleep(seconds)
    return sleeps() - before


def test_stopping_does_not_wait_for_a_slow_reader_nor_for_a_fresh_sample() -> None:
    feed = FakeFeed()
    feed.publish(text=TEXT * 200_000)
    with ExitStack() as held:
        with serving(feed) as server:
            slow = held.enter_context(connect(server.port, receive_buffer=4096))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            waiting = held.enter_context(connect(server.port))
            waiting.sendall(b"GET /metrics?fresh=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_for(lambda: feed.fresh_runs, "a fresh sample is under way")
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert read_until(waiting, b"\r\n") == b"HTTP/1.1 200 OK\r\n", "it got the last sample"
        feed.fresh_gate.set()


def test_a_request_under_way_is_answered_before_the_end() -> None:
    feed = FakeFeed()
    feed.publish(text=TEXT * 20_000)
    with serving(feed) as server, connect(server.port) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n")
        server.stop()
        assert len(read_all(connection)) == len(TEXT) * 20_000


def test_a_stop_before_the_start_is_a_stop() -> None:
    server = WebServer(
        WebSettings(listen_address="127.0.0.1:0"), FakeFeed(), clock=SystemClock(), who_listens=lambda _: None
    )
    server.stop()
    server.run()
