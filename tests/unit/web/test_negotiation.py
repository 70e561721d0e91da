"""Which page a scraper gets for its Accept and Accept-Encoding."""

import gzip

import pytest

from tests.support.literals.report import example_report
from tests.support.web.http import OPENMETRICS, TEXT, Sample
from tmux_exporter.web.negotiation import accepts_gzip, page, wants_openmetrics

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
SAMPLE = Sample(sequence=1, report=example_report())


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, "application/openmetrics-text"])
def test_scrapers_that_know_openmetrics_get_it(accept: str) -> None:
    assert wants_openmetrics(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "text/html",
        "application/openmetrics-text;version=0.0.1",
        "text/plain;version=1.0.0",
    ],
)
def test_all_others_get_text(accept: str) -> None:
    assert not wants_openmetrics(accept)


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=abc", "text/plain;version=1.x,;;,=", ";"]
)
def test_a_broken_version_is_no_error(accept: str) -> None:
    assert not wants_openmetrics(accept)


@pytest.mark.parametrize(
    ("encoding", "accepted"),
    [
        ("gzip", True), ("gzip, deflate, br", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0.001", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("*", False),
        ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_only_where_it_is_wanted(encoding: str, accepted: bool) -> None:
    assert accepts_gzip(encoding) is accepted


def test_the_answer_declares_what_the_bytes_are() -> None:
    answer = page(SAMPLE, accept=PROMETHEUS_3, accept_encoding="gzip")
    assert gzip.decompress(answer.body) == OPENMETRICS
    assert answer.content_type == b"application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert (b"content-encoding", b"gzip") in answer.headers
    assert (b"vary", b"Accept, Accept-Encoding") in answer.headers
    plain = page(SAMPLE, accept="", accept_encoding="")
    assert (plain.body, plain.content_type) == (TEXT, b"text/plain; version=0.0.4; charset=utf-8")
    assert dict(plain.headers).keys() == {b"vary"}
