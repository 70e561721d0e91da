"""The whole sampler beside real tmux of five releases, for as long as `make check-tmux` says."""

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.tmux import checks
from tests.support.tmux.under_test import TmuxUnderTest, tmux_under_test
from tests.versions.get_tmux import RELEASES, get_tmux
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import Config
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.tmux_quirks import LINES_CUT
from tmux_exporter.sampling.open import open_sampler

SAMPLE_SECONDS = float(os.environ.get("TMUX_EXPORTER_ASK_SECONDS", "20"))
KEPT_WINDOWS = 20

pytestmark = [pytest.mark.versions, pytest.mark.timeout(SAMPLE_SECONDS + 120)]


@pytest.fixture(params=RELEASES)
def server(request: pytest.FixtureRequest, socket_dir: Path) -> Iterator[TmuxUnderTest]:
    with tmux_under_test(get_tmux(request.param), socket_dir / "default") as running:
        yield running


def sessions(report: Report) -> set[str]:
    """The sessions of the server under test; the machine may have others."""
    return {each.session for each in report.sessions if each.server == "default"}


def test_sampling_a_server_that_changes_all_the_time(server: TmuxUnderTest) -> None:
    checks.furnish(server)
    sampler = open_sampler(Config(), SystemClock(), os.environ)
    may_cut = LINES_CUT.holds(server.version)

    def sampled() -> Report:
        report = sampler.sample()
        shown = next(each for each in report.servers if each.server == "default")
        assert shown.pid == server.pid
        assert shown.sessions is not None, shown
        cut = shown.query_failures[QueryFailure.PARTIAL]
        assert sum(shown.query_failures.values()) == cut <= (report.samples["partial"] if may_cut else 0), (
            shown
        )
        return report

    first = last = sampled()
    before = server.descriptors()
    end = time.monotonic() + SAMPLE_SECONDS
    for turn in count():
        server.ok("new-window", "-d", "-t", "=main:", "-n", f"churn-{turn}", "sleep 3600")
        if turn >= KEPT_WINDOWS:
            server.ok("kill-window", "-t", f"=main:churn-{turn - KEPT_WINDOWS}")
        last = sampled()
        if time.monotonic() > end:
            break
    for name in server.ok(
        "list-windows", "-t", "=main", "-F", "#{window_id} #{m:churn-*,#{window_name}}"
    ).split(b"\n"):
        window, is_churn = name.split()
        if is_churn == b"1":
            server.ok("kill-window", "-t", window)
    assert last.samples["failed"] == 0
    assert sessions(last) == sessions(first)
    assert server.alive
    assert server.descriptors() == before
    checks.agrees_with_own_client(server)
