"""Asking the exporter that runs: only one of this user, and nothing else that may listen there."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.fixtures import StartExporter
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.sources.own.running_exporter import ExporterAnswer, RunningExporter


@contextmanager
def listener(status: int, body: bytes) -> Iterator[str]:
    """A server of this user that answers everything with the same; its address."""

    class ExporterAnswer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), ExporterAnswer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(address: str, *, uid: int | None = None) -> ExporterAnswer:
    return RunningExporter(address, uid=os.getuid() if uid is None else uid, clock=SystemClock()).ask()


def test_an_exporter_of_ours_is_asked_and_one_of_somebody_else_is_not(start_exporter: StartExporter) -> None:
    address = start_exporter().url.removeprefix("http://").rstrip("/")
    answer = ask(address)
    assert answer.document is not None and answer.failure == ""
    assert {"timestamp", "sessions", "agents", "leaks", "schedulers"} <= answer.document.keys()
    assert answer.remembered() == ()
    other = ask(address, uid=os.getuid() + 1)
    assert (other.document, other.failure) == (None, "is another user's")


def test_one_that_is_stopped_is_given_up_in_time(start_exporter: StartExporter) -> None:
    exporter = start_exporter()
    exporter.process.send_signal(signal.SIGSTOP)
    try:
        answer = ask(exporter.url.removeprefix("http://").rstrip("/"))
    finally:
        exporter.process.send_signal(signal.SIGCONT)
    assert (answer.document, answer.failure) == (None, "does not answer within 2 s")


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, b"no JSON", "is no tmux-exporter"),
        (200, b"[]", "is no tmux-exporter"),
        pytest.param(200, b"[" * 60_000, "is no tmux-exporter", id="nested too deep"),
        (404, b'{"version": 1}', "is no tmux-exporter"),
        (200, b"\xff", "is no tmux-exporter"),
        (200, b'{"version": 2}', "is of another version"),
        (503, b'{"version": 1}', "has taken no sample yet"),
    ],
)
def test_whatever_else_listens_there_is_no_exporter(status: int, body: bytes, failure: str) -> None:
    with listener(status, body) as address:
        assert ask(address) == ExporterAnswer(failure=failure)


def test_an_answer_is_taken_wherever_it_listens() -> None:
    with listener(200, b'{"version": 1}') as address:
        port = address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "0.0.0.0", ""):
            assert ask(f"{host}:{port}").document == {"version": 1}


def test_one_of_before_tells_no_memory() -> None:
    with listener(200, b'{"version": 1}') as address:
        assert ask(address).remembered() is None


def test_nobody_listens() -> None:
    with listener(200, b"") as address:
        pass
    assert ask(address) == ExporterAnswer()
