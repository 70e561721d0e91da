"""What the page is told about firing alerts, whatever the server at that address answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.web.http import FakeFeed, request, serving
from tmux_exporter.config import WebSettings
from tmux_exporter.web.firing_alerts import KEPT_SECONDS, FiringAlerts

LABELS = {
    "alertname": "TmuxAgentWaiting",
    "priority": "P3",
    "agent": "lead",
    "session": "work",
    "server": "s",
}


def answer(*results: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": results}}).encode()


GOOD = answer({"metric": {**LABELS, "password": "x"}, "value": [1.0, "1795500000"]})


@contextmanager
def prometheus(body: bytes, status: int = 200, **headers: str) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers everything so, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def made(url: str, clock: ManualClock | None = None, token: str = "") -> FiringAlerts:
    settings = WebSettings(prometheus_url=url, prometheus_token_file=token)
    return FiringAlerts(settings, start_time=1795400000.25, clock=clock or ManualClock(monotonic=100.0))


def told(alerts: FiringAlerts) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(alerts.read())
    return document


def test_only_known_labels_are_taken_and_the_target_is_this_process() -> None:
    with prometheus(GOOD) as (url, asked):
        (alert,) = told(made(url))["alerts"]
        assert alert == {**LABELS, "since_timestamp_seconds": 1795500000.0}
        ((path, headers),) = asked
        assert path.startswith("/api/v1/query?query=")
        assert "process_start_time_seconds+%3D%3D+1795400000.25" in path
        assert "Authorization" not in headers


def test_an_answer_is_kept_for_a_while() -> None:
    clock = ManualClock(monotonic=100.0)
    with prometheus(GOOD) as (url, asked):
        alerts = made(url, clock)
        assert told(alerts) == told(alerts)
        assert len(asked) == 1
        clock.advance(KEPT_SECONDS)
        told(alerts)
        assert len(asked) == 2


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    with prometheus(GOOD) as (url, asked):
        assert b"secret" not in made(f"{url}/team/", token=str(token)).read()
        ((path, headers),) = asked
        assert path.startswith("/team/api/v1/query?")
        assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b'{"data": 7}', b"\xff\xfe", answer("x"), answer({"metric": {}}),
        answer({"metric": 5, "value": [1, "1"]}), answer({"metric": {}, "value": [1, "one"]}),
        b"[" * 100_000, b"x" * (2**20 + 2),
    ],
)  # fmt: skip
def test_a_foreign_answer_is_a_problem_and_no_alert(body: bytes) -> None:
    with prometheus(body) as (url, _):
        document = told(made(url))
    assert (document["alerts"], bool(document["problem"])) == (None, True)
    assert len(document["problem"]) <= 200


def test_no_redirect_is_followed() -> None:
    with prometheus(GOOD) as (target, asked), prometheus(b"", 302, Location=target) as (url, _):
        assert told(made(url))["problem"] == "ValueError: it answers 302"
        assert asked == []


def test_nobody_is_asked_unless_an_address_is_set() -> None:
    assert told(made("")) == {
        "version": 1,
        "prometheus": None,
        "grafana": None,
        "alerts": None,
        "problem": None,
    }


def test_a_server_that_is_away_is_a_problem() -> None:
    with prometheus(GOOD) as (url, _):
        pass
    assert "refused" in told(made(url))["problem"]


def test_the_exporter_serves_them() -> None:
    feed = FakeFeed()
    feed.publish()
    with prometheus(GOOD) as (url, _), serving(feed) as server:
        assert json.loads(request(server.port, "/api/v1/alerts").body)["prometheus"] is None
        server.ask_prometheus(url)
        document = json.loads(request(server.port, "/api/v1/alerts").body)
        assert (document["prometheus"], document["alerts"][0]["agent"]) == (url, "lead")
        # A reload without an address leaves it what it has.
        server.configure(WebSettings())
        assert json.loads(request(server.port, "/api/v1/alerts").body)["prometheus"] == url
