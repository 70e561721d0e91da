"""What stays on the page where there are more series than `limits.series`: whole families, by their ranks."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.literals.report import example_report, large_report
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.log import fields_of
from tmux_exporter.commands.publisher import Publisher
from tmux_exporter.config import Config, LimitSettings, SamplingSettings
from tmux_exporter.facts.detail import Detail, Wanted
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import BY_NAME, FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus
from tmux_exporter.metrics.collectors import Collected, collect_all
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.ranks import FOR_ALERTS, RANKED, RANKS, ROOM, cut

RULES = Path(__file__).parents[3] / "alerts" / "rules"
FLEETS = (138, 220, 600, 1_000)
"""Sessions with one agent each: at the first of them the old default of 20,000 began to bite."""

PANES = {name for name in RANKED if name.startswith("tmux_pane_")}


def read_by_rules() -> set[str]:
    """Every family that a shipped rule reads."""
    names = re.findall(r"\b[a-z][a-z0-9_]+", "".join(each.read_text() for each in RULES.rglob("*.yml")))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names} & BY_NAME.keys() | (
        {*names} & BY_NAME.keys()
    )


@cache
def fleet(sessions: int) -> Report:
    return large_report(sessions)


def page(sessions: int, limit: int | None = None, status: ExporterStatus | None = None) -> Collected:
    config = Config(limits=LimitSettings() if limit is None else LimitSettings(series=limit))
    return collect_all(fleet(sessions), config, status)


def kept(made: Collected) -> set[str]:
    return {each.spec.name for each in made.families if each.series}


def test_every_family_has_one_rank_but_those_of_the_exporter_itself() -> None:
    assert len(RANKED) == len({*RANKED})
    assert {*RANKED} == {spec.name for spec in FAMILIES if spec.subject not in ("exporter", "process")}


def test_what_alerts_need_goes_after_all_that_they_do_not() -> None:
    needed = read_by_rules()
    assert len(needed) > 50
    first = {name for _, names in RANKS[:FOR_ALERTS] for name in names}
    assert needed & {*RANKED} - first == set()
    assert {*RANKS[-1][1]} == PANES


@pytest.mark.parametrize("sessions", FLEETS)
def test_by_default_a_thousand_agents_fit(sessions: int) -> None:
    made = page(sessions)
    assert made.left_out == {}
    needed = {name for name in read_by_rules() if not BY_NAME[name].option}
    built = {name for name in needed if BY_NAME[name].status is FamilyStatus.BUILT}
    assert built - kept(made) == {
        "tmux_agent_waiting_since_timestamp_seconds",
        "tmux_agent_usage_limit_reset_timestamp_seconds",
        "tmux_remediator_lease_end_timestamp_seconds",
        "tmux_agent_declared",
        "tmux_agent_crashed",
        "tmux_exporter_sample_tick_seconds",
        "tmux_agent_context_tokens",
        "tmux_agent_context_window_tokens",
    }, "nobody waits, crashed, is declared or says its context in this fleet, and no exporter runs"


LAST_RANK_WITH_ALL = {138: 7, 220: 7, 600: 3, 1_000: 1}
"""By fleet, with 20,000 series: the last of the ranks of which all is there."""


@pytest.mark.parametrize("sessions", FLEETS)
def test_beyond_the_limit_the_last_ranks_go_first(sessions: int) -> None:
    whole, made = kept(page(sessions, 1_000_000)), page(sessions, 20_000)
    whole_ranks = [{*names} & whole for _, names in RANKS]
    complete = [names <= kept(made) for names in whole_ranks]
    last = LAST_RANK_WITH_ALL[sessions]
    assert complete == [place <= last for place in range(len(RANKS))]
    assert sum(made.left_out.values()) == made.dropped
    assert made.left_out.keys() == whole - kept(made)
    assert {"tmux_up", "tmux_agent_up", "tmux_agent_state", "tmux_host_load1"} <= kept(made)
    assert "tmux_operation_duration_seconds" in kept(made)


@pytest.mark.parametrize("limit", [5_000, 20_000, 60_000])
def test_more_series_never_bring_a_family_back(limit: int) -> None:
    status, before = ExporterStatus(), {*RANKED}
    for sessions in (20, 60, 134, 138, 139, 200, 220, 250, 600):
        made = page(sessions, limit, status)
        status = made.after(status)
        gone = {*RANKED} - before
        assert kept(made) & gone == set(), f"{sessions} sessions"
        before -= made.left_out.keys()


def test_a_family_comes_back_only_where_there_is_room() -> None:
    every = sum(each.series for each in page(20, 1_000_000).families if each.spec.name in RANKED)
    first = page(20, every - 1)
    assert first.left_out.keys() == {"tmux_pane_fd_utilization_ratio"}
    status = first.after(ExporterStatus())
    assert page(20, every + 1, status).left_out == first.left_out, "it would fit, with no room"
    assert page(20, every + 1).left_out == {}
    assert page(20, int(every / ROOM) + 1, status).left_out == {}


_SIZES = st.lists(st.integers(0, 60), min_size=5, max_size=5)


@given(_SIZES, _SIZES, st.integers(1, 200), st.integers(0, 5))
def test_the_cut_falls_with_more_series(sizes: list[int], more: list[int], limit: int, before: int) -> None:
    grown = [size + each for size, each in zip(sizes, more, strict=True)]
    found = cut(sizes, limit, before)
    assert cut(grown, limit, before) <= found
    assert sum(sizes[:found]) <= limit
    if found > before:
        assert sum(sizes[:found]) <= limit * ROOM
    assert cut(sizes, limit, found) == found, "it rests where nothing changes"


class Sampler:
    """Gives one report again and again."""

    in_doubt = False
    asks_again = False

    def sample(self) -> Report:
        return example_report()

    failed = sample

    def detail(self, wanted: Wanted) -> Detail | None:
        """Nobody asks."""

    def configure(self, config: Config) -> None:
        """Nothing of it is used."""


@pytest.fixture
def publish() -> Iterator[Callable[[int], Publisher]]:
    started: list[Publisher] = []

    def start(series: int) -> Publisher:
        config = Config(sampling=SamplingSettings(interval=3600.0), limits=LimitSettings(series=series))
        started.append(Publisher(Sampler(), config, SystemClock()))
        started[-1].start()
        wait_for(started[-1].current, "the first sample")
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_what_is_left_out_is_told(
    publish: Callable[[int], Publisher], caplog: pytest.LogCaptureFixture
) -> None:
    published = publish(300).current()
    assert published is not None
    text, openmetrics = published.text.decode(), published.openmetrics.decode()
    line = re.compile(r'^tmux_exporter_family_dropped_series\{family="(\w+)"\} (\S+)$', re.MULTILINE)
    gone = {name: float(series) for name, series in line.findall(text)}
    assert gone["tmux_pane_dead"] == len(example_report().panes)
    assert line.findall(openmetrics) == line.findall(text)
    assert f"\ntmux_exporter_dropped_series_total {sum(gone.values())}\n" in text
    assert json.loads(published.json)["dropped_series"] == gone
    (logged,) = caplog.records
    assert logged.message == "series are left out of the page"
    families = " ".join(sorted(gone))
    assert fields_of(logged) == {"series": sum(gone.values()), "limit": 300, "families": families}


def test_the_log_has_a_line_only_where_the_families_change(
    publish: Callable[[int], Publisher], caplog: pytest.LogCaptureFixture
) -> None:
    publisher = publish(300)

    def next_page(series: int) -> None:
        before = publisher.current()
        config = Config(sampling=SamplingSettings(interval=3600.0), limits=LimitSettings(series=series))
        publisher.configure(config)
        wait_for(lambda: publisher.current() is not before, "the next sample")
        assert (published := publisher.current()) is not None
        assert published.text

    for series in (300, 300, 200_000, 200_000, 300):
        next_page(series)
    left, none = "series are left out of the page", "no series are left out of the page any more"
    assert [each.message for each in caplog.records] == [left, none, left]


def test_two_of_one_name_are_told_by_their_family_too() -> None:
    report = example_report()
    made = collect_all(replace(report, panes=(*report.panes, report.panes[0])), Config())
    assert made.left_out["tmux_pane_dead"] == 1
    assert {name.split("_")[1] for name in made.left_out} == {"pane"}
