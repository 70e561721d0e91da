"""The event stream: at once, after each sample, only the newest for the slow, no more viewers than fit."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.report import example_report, large_report
from tests.support.wait import wait_for
from tests.support.web.http import FakeFeed, connect, read_all, read_until, request, serving
from tmux_exporter.web import connections, events
from tmux_exporter.web.events import MAX_VIEWERS

REQUEST = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed()


@pytest.fixture
def port(feed: FakeFeed) -> Iterator[int]:
    with serving(feed) as server:
        yield server.port


def open_stream(port: int, **options: Any) -> socket.socket:
    connection = connect(port, **options)
    connection.sendall(REQUEST)
    return connection


def next_chunk(connection: socket.socket) -> bytes:
    """One chunk of the transfer coding; the header of the answer is skipped."""
    size = read_until(connection, b"\r\n")
    if size.startswith(b"HTTP/1.1"):
        assert size == b"HTTP/1.1 200 OK\r\n"
        read_until(connection, b"\r\n\r\n")
        size = read_until(connection, b"\r\n")
    chunk = b""
    while len(chunk) < int(size, 16) and (more := connection.recv(int(size, 16) - len(chunk))):
        chunk += more
    assert connection.recv(2) == b"\r\n"
    return chunk


def next_event(connection: socket.socket) -> tuple[str, Any]:
    """The next event with a name: its name and its data."""
    block = b""
    while not block.endswith(b"\n\n"):
        block += next_chunk(connection)
    fields = dict(line.split(b": ", 1) for line in block.decode().encode().splitlines() if line)
    if b"event" not in fields:
        return next_event(connection)
    return fields[b"event"].decode(), json.loads(fields[b"data"])


def next_report(connection: socket.socket) -> Any:
    while (event := next_event(connection))[0] != "report":
        pass
    return event[1]


def test_who_opens_the_page_does_not_see_a_report_that_is_older_than_promised(
    feed: FakeFeed, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.publish()
    feed.is_recent = False
    with open_stream(port) as stream:
        wait_for(lambda: "look" in feed.noted, "the viewer is there")
        newer = feed.publish()
        assert next_report(stream) == json.loads(newer.json)
    monkeypatch.setattr(events, "FIRST_SECONDS", 0.05)
    with open_stream(port) as stream:
        assert next_report(stream) == json.loads(newer.json), "it gets the last one in the end"


def test_the_newest_report_comes_at_once_and_then_each_new_one(feed: FakeFeed, port: int) -> None:
    first = feed.publish()
    with open_stream(port) as stream:
        name, now = next_event(stream)
        assert name == "now"
        assert now > 1_700_000_000
        assert next_report(stream) == json.loads(first.json)
        for _ in range(3):
            sample = feed.publish()
            assert next_report(stream) == json.loads(sample.json)


def test_before_the_first_sample_the_stream_waits(feed: FakeFeed, port: int) -> None:
    with open_stream(port) as stream:
        assert next_chunk(stream) == b"retry: 2000\n\n"
        feed.publish()
        assert next_report(stream)["version"] == 1


def test_a_report_larger_than_a_piece_arrives_whole(feed: FakeFeed, port: int) -> None:
    sample = feed.publish(report=large_report(400))
    assert len(sample.json) > 200_000
    with open_stream(port) as stream:
        assert next_report(stream) == json.loads(sample.json)


def test_a_quiet_stream_is_kept_alive(feed: FakeFeed, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.05)
    with open_stream(port) as stream:
        assert next_chunk(stream) == b"retry: 2000\n\n"
        assert next_chunk(stream) == b": keep-alive\n\n"
        assert next_event(stream)[0] == "now"


def test_viewers_beyond_the_cap_are_refused_until_one_leaves(feed: FakeFeed, port: int) -> None:
    feed.publish()
    with ExitStack() as held:
        streams = [held.enter_context(open_stream(port)) for _ in range(MAX_VIEWERS)]
        for stream in streams:
            next_report(stream)
        refused = request(port, "/api/v1/events")
        assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        assert request(port).status == 200, "scrapes are not viewers"
        streams[0].close()
        wait_for(lambda: len(feed.callbacks) == MAX_VIEWERS - 1, "the viewer that left is forgotten")
        assert next_report(held.enter_context(open_stream(port)))["version"] == 1
    wait_for(lambda: not feed.callbacks, "all viewers are forgotten")


def test_a_slow_viewer_gets_the_newest_one(
    feed: FakeFeed, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It takes nothing until the last report is out, which is long on a busy machine.
    monkeypatch.setattr(connections, "STALL_SECONDS", 300.0)
    large = large_report(800)
    feed.publish(report=large)
    with open_stream(port, receive_buffer=4096) as stream, open_stream(port) as quick:
        next_report(quick)
        last = None
        for number in range(30):
            last = feed.publish(report=replace(large, samples={"complete": number}))
            next_report(quick)
        assert last is not None
        seen = [next_report(stream)["samples"]]
        while seen[-1] != {"complete": 29}:
            seen.append(next_report(stream)["samples"])
        assert len(seen) <= 5, "what it missed was not kept for it"


def test_a_viewer_that_stalls_is_dropped(feed: FakeFeed, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.3)
    feed.publish(report=large_report(800))
    with open_stream(port, receive_buffer=4096):
        wait_for(lambda: len(feed.callbacks) == 1, "the stream is open")
        for _ in range(20):
            feed.publish(report=large_report(800))
        wait_for(lambda: not feed.callbacks, "the viewer is dropped")


def test_names_that_look_like_events_stay_inside_their_data(feed: FakeFeed, port: int) -> None:
    report = example_report()
    hostile = "x\n\nevent: report\ndata: {}\n\n"
    feed.publish(report=replace(report, agents=(replace(report.agents[0], window_name=hostile),)))
    with open_stream(port) as stream:
        assert next_report(stream)["agents"][0]["window_name"] == hostile


def test_a_sample_after_the_server_has_stopped_hurts_nobody(feed: FakeFeed) -> None:
    feed.publish()
    with serving(feed) as server, open_stream(server.port) as stream:
        next_report(stream)
        leftover = tuple(feed.callbacks)
        server.stop()
        assert read_all(stream).endswith(b"0\r\n\r\n")
    for callback in leftover:
        callback()
