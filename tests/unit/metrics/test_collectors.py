"""What each collector makes of a Report, and what a page keeps when something goes wrong."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tests.support.literals.report import (
    HELD,
    NOTHING,
    NOW,
    UP,
    example_report,
    large_report,
    leak,
    pane,
    scheduler,
    session,
)
from tmux_exporter import __version__
from tmux_exporter.config import Config, LimitSettings, MetricsSettings, defaults
from tmux_exporter.facts.agents import AgentState, HelperKind
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.metrics.catalogue import BY_NAME, family
from tmux_exporter.metrics.catalogue.family import Family, FamilyStatus, Sample
from tmux_exporter.metrics.catalogue.usage import PANE_DETAIL
from tmux_exporter.metrics.collectors import COLLECTORS, Collected, Collector, collect_all, collect_named
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.ranks import RANKED

Values = dict[tuple[str, ...], float]


def values(families: Iterable[Family]) -> dict[str, Values]:
    return {each.spec.name: dict(each.samples) for each in families}


def page(
    report: Report, config: Config | None = None, status: ExporterStatus | None = None
) -> dict[str, Values]:
    return values(collect_all(report, config or defaults(), status).families)


def of_server(shown: dict[str, Values], server: str) -> set[str]:
    return {name for name, samples in shown.items() if any(labels[:1] == (server,) for labels in samples)}


def test_after_the_hold_only_what_needs_no_listing_remains() -> None:
    hung = replace(
        HELD, held=False, listing_age_seconds=None, sessions=None, windows=None, panes=None, clients=None,
        history_bytes=None,
    )  # fmt: skip
    shown = page(replace(example_report(), servers=(hung,), sessions=(), panes=(), agents=(), schedulers=()))
    assert of_server(shown, HELD.server) == {
        "tmux_up",
        "tmux_server_query_failures_total",
        "tmux_server_start_time_seconds",
        "tmux_server_resident_memory_bytes",
        "tmux_server_cpu_seconds_total",
        "tmux_server_open_fds",
        "tmux_server_max_fds",
    }


def test_what_is_not_known_has_no_series_and_is_not_0() -> None:
    report = replace(example_report(), sessions=(session("default", "dead", cost=NOTHING),), schedulers=())
    shown = page(report)
    of_session = {name for name, samples in shown.items() if ("default", "dead") in samples}
    assert of_session >= {"tmux_session_cpu_seconds_total", "tmux_session_processes", "tmux_session_threads"}
    assert not of_session & {
        "tmux_session_memory_bytes",
        "tmux_session_memory_limit_bytes",
        "tmux_session_open_fds",
        "tmux_session_fd_utilization_ratio",
        "tmux_session_read_bytes_total",
        "tmux_session_oldest_process_start_time_seconds",
    }


def test_pane_detail_adds_the_rest_of_what_a_session_has() -> None:
    detail = page(example_report(), Config(metrics=MetricsSettings(pane_detail=True)))
    usual = page(example_report())
    assert {name for name in detail if name not in usual} == {
        name
        for name, spec in BY_NAME.items()
        if spec.option == PANE_DETAIL and spec.status is FamilyStatus.BUILT
    }
    assert detail["tmux_pane_threads"]["claude-swarm-1", "team", "3", "%0"] == 51


def test_a_scheduler_of_a_session_that_is_not_there_still_counts() -> None:
    lost = scheduler("gone", "lost", SchedulerState.SERVERLESS, pid=1)
    shown = page(replace(example_report(), schedulers=(lost,)))["tmux_schedulers"]
    assert (shown["gone", "lost", "serverless"], shown["gone", "lost", "armed"]) == (1, 0)


def test_a_sum_holds_what_could_be_read() -> None:
    both = (
        scheduler("default", "work", SchedulerState.ARMED, pid=1, memory=None),
        scheduler("default", "work", SchedulerState.ARMED, pid=2, memory=5),
    )
    shown = page(replace(example_report(), schedulers=both))
    assert shown["tmux_scheduler_memory_bytes"]["default", "work", "armed"] == 5


def test_the_exporter_itself() -> None:
    status = ExporterStatus(config_reload_successful=False, config_loaded_at=NOW - 60)
    shown = page(example_report(), status=status)
    assert [labels[0] for labels in shown["tmux_exporter_build_info"]] == [__version__]
    assert shown["tmux_exporter_last_sample_timestamp_seconds"] == {(): NOW}
    assert shown["tmux_exporter_sample_interval_seconds"] == {(): 5.0}
    assert shown["tmux_exporter_sample_duration_seconds"] == {(): 0.0375}
    assert shown["tmux_exporter_samples_total"] == {("complete",): 41, ("partial",): 2, ("failed",): 0}
    assert shown["tmux_exporter_unreadable_processes"] == {
        ("permission",): 4,
        ("malformed",): 0,
        ("other",): 0,
    }
    assert shown["tmux_exporter_unattributed_cpu_seconds_total"] == {(): 1.5}
    assert shown["tmux_exporter_discovery_missed_total"] == {(): 2}
    assert shown["tmux_exporter_config_last_reload_successful"] == {(): 0}
    assert shown["tmux_exporter_config_last_reload_successful_timestamp_seconds"] == {(): NOW - 60}
    success = shown["tmux_exporter_collector_success"]
    assert {name for (name,), worked in success.items() if not worked} == {"tmux"}
    assert {name for (name,) in success} == {*COLLECTORS, "exporter", "tmux", "processes"}


def test_a_part_is_only_well_when_both_its_halves_are() -> None:
    report = replace(example_report(), collector_success={"schedulers": False, "agents": True})
    success = page(report)["tmux_exporter_collector_success"]
    assert (success["schedulers",], success["agents",], success["panes",]) == (0, 1, 1)


def test_the_own_process() -> None:
    shown = page(example_report())
    assert shown["process_resident_memory_bytes"][()] > 1_000_000
    assert shown["process_max_fds"][()] >= shown["process_open_fds"][()] > 2
    assert 0 <= time.time() - shown["process_start_time_seconds"][()] < 3600
    assert shown["process_cpu_seconds_total"][()] > 0


def broken(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    def samples() -> Iterable[Sample]:
        yield Sample(("default", "work", "g"), 1)
        raise RuntimeError(report.samples)

    return (family("tmux_session_info", samples()),)


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_that_fails_costs_only_itself(name: str, caplog: pytest.LogCaptureFixture) -> None:
    planted: dict[str, Collector] = {**COLLECTORS, name: broken}
    made = collect_all(example_report(), defaults(), collectors=planted)
    whole = collect_all(example_report(), defaults())
    assert (made.groups[name], made.success) == ((), {**whole.success, name: False})
    for other in set(COLLECTORS) - {name, "process"}:
        assert made.groups[other] == whole.groups[other]
    assert values(made.families)["tmux_exporter_collector_success"][name,] == 0
    assert "collector failed" in caplog.text


def limited(series: int, status: ExporterStatus | None = None) -> Collected:
    config = Config(limits=LimitSettings(series=series))
    return collect_all(example_report(), config, status)


def names(made: Collected) -> list[str]:
    return [each.spec.name for each in made.families if each.series]


def test_beyond_the_limit_whole_families_go_and_are_counted() -> None:
    whole = limited(100_000)
    total = sum(each.series for each in whole.families)
    made = limited(300)
    assert whole.dropped == 0
    # The page has a series more for each family that it leaves out.
    assert made.dropped == total - sum(each.series for each in made.families) + len(made.left_out) > 0
    of_the_house = {each.spec.name for each in whole.families} - {*RANKED}
    assert sum(each.series for each in made.families if each.spec.name not in of_the_house) <= 300
    kept = {each.spec.name: each for each in made.families if each.series}
    for each in whole.families:
        if each.spec.name in kept and each.spec.name not in of_the_house:
            assert kept[each.spec.name] == each, "half a family"
    told = {"tmux_exporter_family_dropped_series"}
    assert of_the_house & {*names(whole)} == of_the_house & {*names(made)} - told
    assert names(limited(300)) == names(made)
    assert values(made.families)["tmux_exporter_dropped_series_total"] == {(): made.dropped}


def test_dropped_series_add_up_over_pages() -> None:
    first = limited(300)
    second = limited(300, ExporterStatus(dropped_series_total=first.dropped))
    assert values(second.families)["tmux_exporter_dropped_series_total"] == {(): 2 * first.dropped}


def test_of_two_series_with_the_same_labels_the_first_stays() -> None:
    report = example_report()
    twice = replace(
        report,
        servers=(UP, replace(UP, up=False)),
        panes=(pane("default", "work", "%0"), pane("default", "work", "%0", dead=True)),
    )
    made = collect_all(twice, defaults())
    shown = values(made.families)
    assert shown["tmux_up"] == {("default",): 1}
    assert shown["tmux_pane_dead"] == {("default", "work", "1", "%0"): 0}
    panes = collect_all(replace(twice, panes=(*reversed(report.panes), *report.panes)), defaults()).groups[
        "panes"
    ]
    assert [sample.labels[3] for sample in panes[0].samples] == [each.pane for each in reversed(report.panes)]
    assert all(len({s.labels for s in each.samples}) == len(each.samples) for each in made.families)
    assert len(made.groups["servers"][12].histograms) == 1
    assert made.dropped > 20


def test_named_collectors_show_what_the_whole_page_shows() -> None:
    whole = collect_all(example_report(), defaults())
    named = collect_named(example_report(), defaults(), ["panes", "servers", "panes"])
    assert named == (*whole.groups["servers"], *whole.groups["panes"])
    assert collect_named(example_report(), defaults(), []) == ()
    assert collect_named(example_report(), defaults(), ["servers", "nonsense"]) is None


def test_named_collectors_can_be_the_exporter() -> None:
    made = limited(300)
    after = made.after(ExporterStatus())
    config = Config(limits=LimitSettings(series=300))
    assert collect_named(example_report(), config, ["exporter"], after) == made.groups["exporter"]


def test_every_kind_of_leak_starts_at_0_with_its_session() -> None:
    shown = page(replace(example_report(), leaks=(), leaked_cpu_seconds_total={}))
    counts = shown["tmux_leaked_processes"]
    assert set(counts.values()) == {0}
    assert [kind for server, session, kind in counts if (server, session) == ("default", "work")] == list(
        LeakKind
    )
    for name in ("memory_bytes", "cpu_seconds_total", "open_fds", "oldest_start_time_seconds"):
        assert shown[f"tmux_leaked_{name}"] == {}


def test_memory_cpu_and_descriptors_are_shown_only_where_there_is_something() -> None:
    shown = page(example_report())
    of_work = {
        name: {labels[2] for labels in shown[f"tmux_{name}"] if labels[:2] == ("default", "work")}
        for name in (
            "schedulers",
            "scheduler_memory_bytes",
            "scheduler_open_fds",
            "scheduler_cpu_seconds_total",
            "leaked_memory_bytes",
        )
    }
    assert of_work == {
        "schedulers": {*SchedulerState},
        "scheduler_memory_bytes": {"armed"},
        "scheduler_open_fds": {"armed"},
        # A counter stays where there was one.
        "scheduler_cpu_seconds_total": {"armed", "overdue"},
        "leaked_memory_bytes": {"mcp_server"},
    }


def series_of_a_session(report: Callable[[int], Report]) -> dict[str, int]:
    """Series that one more session brings, by family, with the settings that nobody changed."""
    less, more = (
        {each.spec.name: each.series for each in collect_all(report(count), defaults()).families}
        for count in (10, 11)
    )
    return {name: count - less[name] for name, count in more.items() if count != less[name]}


def test_a_session_with_one_agent_has_few_series() -> None:
    def calm(sessions: int) -> Report:
        return replace(large_report(sessions), schedulers=())

    both = AgentState.IDLE, AgentState.WORKING

    def busy(sessions: int) -> Report:
        agents = (
            replace(
                each,
                state_seconds_total=dict.fromkeys(both, 1.0),
                state_cpu_seconds_total=dict.fromkeys(both, 1.0),
            )
            for each in calm(sessions).agents
        )
        return replace(calm(sessions), agents=tuple(agents))

    found = series_of_a_session(busy)
    # What it may have started of each kind, twice: 10 more at most.
    assert found.pop("tmux_agent_helpers") == 2 and found.pop("tmux_agent_helpers_memory_bytes") == 1
    kills = {each: found.pop(each) for each in ("tmux_session_oom_kills_total", "tmux_agent_oom_kills_total")}
    assert set(kills.values()) == {1}, "where its pane has a cgroup to itself"
    assert sum(found.values()) == 80 and 80 + 2 * len(HelperKind) <= 90
    assert not {name for name in found if name.startswith(("tmux_scheduler_m", "tmux_leaked_m"))}
    assert {name: count for name, count in found.items() if count > 1} == {
        "tmux_agent_state": 5,
        "tmux_agent_state_seconds_total": 2,
        "tmux_agent_state_cpu_seconds_total": 2,
        "tmux_schedulers": 12,
        "tmux_scheduler_outcomes_total": 4,
        "tmux_leaked_processes": 7,
    }


def test_open_files_that_leaks_have_together_count_once() -> None:
    both = (
        leak("default", "dead", LeakKind.OTHER, pid=71, files=71),
        leak("default", "dead", LeakKind.OTHER, pid=72, files=71),
    )
    alone = leak("default", "dead", LeakKind.OTHER, pid=73)
    found = page(replace(example_report(), leaks=(*both, alone)))["tmux_leaked_open_fds"]
    assert found["default", "dead", LeakKind.OTHER] == 10


def test_the_lowest_ports_of_leaks_are_told() -> None:
    (first, *_) = example_report().leaks
    many = replace(first, ports=frozenset(range(4000, 4100)))
    found = page(replace(example_report(), leaks=(many, replace(first, ports=frozenset({4000})))))
    told = {labels[-1]: value for labels, value in found["tmux_leaked_listening_processes"].items()}
    assert told == {"4000": 2, **{str(port): 1 for port in range(4001, 4020)}}
