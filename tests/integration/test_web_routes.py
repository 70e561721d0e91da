"""What every path answers, over a real connection."""

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.support.wait import wait_for
from tests.support.web.http import (
    OPENMETRICS,
    TEXT,
    FakeFeed,
    connect,
    read_all,
    read_until,
    request,
    serving,
)
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.web.responses import load_pages

OPENMETRICS_ACCEPT = {"Accept": "application/openmetrics-text;version=1.0.0"}


@pytest.fixture
def feed() -> FakeFeed:
    feed = FakeFeed()
    feed.publish()
    return feed


@pytest.fixture
def port(feed: FakeFeed) -> Iterator[int]:
    with serving(feed) as server:
        yield server.port


def test_metrics_in_every_format(port: int) -> None:
    plain = request(port)
    assert (plain.status, plain.body) == (200, TEXT)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    packed = request(port, headers={"Accept-Encoding": "gzip", **OPENMETRICS_ACCEPT})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert gzip.decompress(packed.body) == OPENMETRICS


def test_a_page_larger_than_a_piece_arrives_whole(feed: FakeFeed, port: int) -> None:
    page = b"".join(b"tmux_up %d\n" % number for number in range(60_000))
    feed.publish(text=page)
    assert request(port).body == page


def test_chosen_collectors(port: int) -> None:
    assert request(port, "/metrics?collect[]=agents&collect%5B%5D=servers").body == b"agents 1\nservers 1\n"
    unknown = request(port, "/metrics?collect[]=agents&collect[]=nothing")
    assert (unknown.status, unknown.line) == (
        400,
        "collect[] names a collector that does not exist; it takes agents, servers",
    )


def test_fresh_is_one_flight_for_all_who_ask(feed: FakeFeed, port: int) -> None:
    askers = [connect(port) for _ in range(8)]
    for asker in askers:
        asker.sendall(b"GET /metrics?fresh=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    wait_for(lambda: feed.fresh_runs, "a fresh sample is asked for")
    assert request(port).status == 200, "others are answered meanwhile, and after all who came before"
    feed.fresh_gate.set()
    for asker in askers:
        assert read_all(asker).startswith(b"HTTP/1.1 200 ")
        asker.close()
    assert feed.fresh_runs == 1


def test_readers_are_noted_by_what_they_read(feed: FakeFeed, port: int) -> None:
    for path in ("/metrics", "/metrics?collect[]=agents", "/api/v1/report", "/", "/-/ready"):
        assert request(port, path).status == 200
    assert feed.noted == ["scrape", "scrape", "look"]


@pytest.mark.parametrize("path", ["/metrics", "/metrics?collect[]=agents", "/api/v1/report"])
def test_a_reader_of_an_old_sample_waits_for_the_next(feed: FakeFeed, port: int, path: str) -> None:
    feed.is_recent = False
    feed.fresh_gate.set()
    assert request(port, path).status == 200
    assert feed.sample and feed.sample.sequence == 2
    assert request(port, path).status == 200
    assert feed.fresh_runs == 1


def test_who_waits_in_vain_gets_the_last_sample(feed: FakeFeed, port: int) -> None:
    feed.is_recent = False
    answer = request(port, headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.6"})
    assert (answer.status, answer.body) == (200, TEXT)
    feed.is_recent = False
    assert request(port, "/api/v1/report").status == 200
    assert feed.sample and feed.sample.sequence == 1


def test_fresh_leaves_a_scraper_its_way_back(feed: FakeFeed, port: int) -> None:
    answer = request(port, "/metrics?fresh=1", headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.6"})
    assert (answer.status, answer.body) == (200, TEXT)
    assert feed.sample is not None
    assert feed.sample.sequence == 1, "the flight has not landed: this was the last sample"
    feed.fresh_gate.set()


@pytest.mark.parametrize("query", ["fresh=2", "fresh=", "fresh=1&fresh=yes", "&".join(["a=b"] * 101)])
def test_a_query_that_means_nothing_is_refused(port: int, query: str) -> None:
    assert request(port, f"/metrics?{query}").status == 400


def test_an_unknown_parameter_does_not_fail_a_scrape(port: int) -> None:
    assert request(port, "/metrics?target=x&fresh=0").status == 200


def test_before_the_first_sample() -> None:
    with serving(FakeFeed()) as server:
        assert request(server.port, "/-/healthy").line == "healthy"
        for path in ("/-/ready", "/metrics", "/metrics?collect[]=agents", "/api/v1/report"):
            answer = request(server.port, path)
            assert (answer.status, answer.line) == (503, "no sample has been taken yet")
            assert answer.headers["retry-after"] == "1"
        assert request(server.port, "/").status == 200


def test_health_readiness_and_report(port: int) -> None:
    assert (request(port, "/-/healthy").status, request(port, "/-/ready").line) == (200, "ready")
    report = request(port, "/api/v1/report")
    assert report.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(report.body)["version"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reload_over_http_is_refused_with_the_way_to_do_it(port: int, method: str) -> None:
    answer = request(port, "/-/reload", method=method, body=b"x" * 100)
    assert answer.status == 403
    assert "SIGHUP" in answer.line
    assert answer.headers["connection"] == "close", "the body was not read"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/-/reload", "POST, PUT"),
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("OPTIONS", "/api/v1/events", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(port: int, method: str, path: str, allow: str) -> None:
    answer = request(port, path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/metrics/", "/assets/", "/assets/index.html", "/assets/../app.py",
        "/assets/%2e%2e/app.py", "//metrics", "/assets/app.js/x", "/%00", "/runbooks", "/runbooks/Nothing",
        "/runbooks/../app.py", "/runbooks/%2e%2e/%2e%2e/app",
    ],
)  # fmt: skip
def test_an_unknown_path_is_404(port: int, path: str) -> None:
    answer = request(port, path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")


def test_head_is_get_without_the_body(port: int) -> None:
    paths = [
        "/", "/metrics", "/metrics?collect[]=agents", "/-/healthy", "/-/ready", "/api/v1/report", "/nothing",
        "/runbooks/", "/runbooks/Watchdog", *load_pages().assets,
    ]  # fmt: skip
    for path in paths:
        get, head = request(port, path), request(port, path, method="HEAD")
        assert (head.body, head.status) == (b"", get.status)
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}, path
    events = request(port, "/api/v1/events", method="HEAD")
    assert (events.status, events.headers["content-type"]) == (200, "text/event-stream")


def test_a_body_where_none_belongs_is_refused(port: int) -> None:
    answer = request(port, "/api/v1/events", body=b"hello")
    assert (answer.status, answer.headers["connection"]) == (400, "close")


def test_every_answer_has_the_protective_headers(port: int) -> None:
    for path in ("/", "/metrics", "/nothing", "/assets/app.js", "/api/v1/report"):
        headers = request(port, path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_a_foreign_host_or_origin_is_refused_on_every_path(port: int) -> None:
    for path in ("/", "/metrics", "/nothing", "/assets/app.js", "/api/v1/report", "/api/v1/events"):
        rebound = request(port, path, headers={"Host": "evil.example"})
        assert (rebound.status, "allowed_hosts: ['evil.example']" in rebound.line) == (403, True)
        assert request(port, path, headers={"Origin": "http://evil.example"}).status == 403


def test_two_hosts_are_not_http(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n")
        assert read_until(connection, b"\r\n").startswith(b"HTTP/1.1 400")


def test_a_kept_connection_answers_pipelined_requests(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        for _ in range(3):
            assert read_until(connection, b"healthy\n").startswith(b"HTTP/1.1 200")


def test_a_request_that_fails_inside_says_so_and_nothing_more(
    feed: FakeFeed, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> bytes:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(feed, "collect", broken)
    answer = request(port, "/metrics?collect[]=agents")
    assert (answer.status, "secret" in answer.line) == (500, False)
    assert "secret detail" in caplog.text
    assert request(port).status == 200


def test_the_detail_of_one_thing_by_its_names(feed: FakeFeed, port: int) -> None:
    feed.detail_of_all = b'{"version":1}'
    for query, wanted in (
        ("server=a&session=b&agent=c%2Fd", Wanted(server="a", session="b", agent="c/d")),
        ("server=a&pane=%250", Wanted(server="a", pane="%0")),
        ("pid=42", Wanted(pid=42)),
    ):
        assert request(port, f"/api/v1/detail?{query}").body == b'{"version":1}'
        assert feed.wanted[-1] == wanted
    feed.detail_of_all = None
    assert request(port, "/api/v1/detail?server=a").status == 404
    for query in ("", "agent=c", "pid=-1", "pid=x", "pid=99999999999", "&".join(["server=a"] * 11)):
        assert request(port, f"/api/v1/detail?{query}").status == 400


def test_the_last_hour_compressed_or_not(port: int) -> None:
    packed = request(port, "/api/v1/history", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    plain = request(port, "/api/v1/history")
    assert json.loads(plain.body) == json.loads(gzip.decompress(packed.body))
    assert len(json.loads(plain.body)["timestamps"]) == 1
