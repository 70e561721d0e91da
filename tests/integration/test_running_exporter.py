"""Asking the exporter that runs: only one of this user, and nothing else that may listen there."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.exporter import Exporter
from tmux_exporter.sources.running_exporter import RunningExporter


@contextmanager
def listener(status: int, body: bytes) -> Iterator[str]:
    """A server of this user that answers everything with the same; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_exporter_of_ours_is_asked_and_one_of_somebody_else_is_not(
    start_exporter: Callable[..., Exporter],
) -> None:
    address = start_exporter().url.removeprefix("http://").rstrip("/")
    document = RunningExporter(address, uid=os.getuid()).report()
    assert document is not None
    assert {"timestamp", "sessions", "agents", "leaks", "schedulers"} <= document.keys()
    assert RunningExporter(address, uid=os.getuid() + 1).report() is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"no JSON"), (200, b"[]"), (200, b'{"version": 2}'), (503, b'{"version": 1}'), (200, b"\xff")],
)
def test_whatever_else_listens_there_is_no_exporter(status: int, body: bytes) -> None:
    with listener(status, body) as address:
        assert RunningExporter(address, uid=os.getuid()).report() is None


def test_an_answer_is_taken_wherever_it_listens() -> None:
    with listener(200, b'{"version": 1}') as address:
        port = address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "0.0.0.0"):
            assert RunningExporter(f"{host}:{port}", uid=os.getuid()).report() == {"version": 1}


def test_nobody_listens() -> None:
    with listener(200, b"") as address:
        pass
    assert RunningExporter(address, uid=os.getuid()).report() is None
