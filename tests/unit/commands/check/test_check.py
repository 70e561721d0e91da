"""What `check` makes of one report: ranges, figures, the status that counts, the line that is printed."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.report import DOWN, HELD, NOW, UP, example_report, figures, session, usage
from tmux_exporter.alerting.base.thresholds import load
from tmux_exporter.commands.check.figures import Seen, Subject, Wanted, findings
from tmux_exporter.commands.check.ranges import parse_range
from tmux_exporter.commands.check.verdict import MOST_BYTES, Figure, Status, Verdict, judge
from tmux_exporter.commands.top.rows import Rates
from tmux_exporter.facts.process import Problem
from tmux_exporter.facts.report import OperationsReport, Report
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.report_json import render

# The examples of the guidelines' own table, and both ends of each: they are part of the range.
RANGES = [
    ("10", [-0.1, 10.1], [0, 10]),
    ("10:", [9.9, -1], [10, 1e9]),
    ("~:10", [10.1], [10, -1e9]),
    ("10:20", [9.9, 20.1], [10, 20]),
    ("@10:20", [10, 15, 20], [9.9, 20.1]),
    ("-5:-1", [-5.1, 0], [-5, -1]),
    ("0", [1, -1], [0]),
    ("1.5", [1.51], [1.5]),
]


@pytest.mark.parametrize(("text", "alerts", "calm"), RANGES)
def test_a_range_alerts_outside_of_its_ends(text: str, alerts: list[float], calm: list[float]) -> None:
    parsed = parse_range(text)
    assert all(map(parsed.alerts, alerts))
    assert not any(map(parsed.alerts, calm))


@pytest.mark.parametrize("text", ["", "@", "x", "10:5", "1e3", "10%", "1:2:3", "~", "٣", "10\n"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range|ends before"):
        parse_range(text)


def fleet(**changed: Any) -> Report:
    """One server that answers, one session, one working agent: nothing is wrong."""
    example = example_report()
    calm: dict[str, Any] = {
        "servers": (UP,), "sessions": (session("default", "work"),), "agents": example.agents[:1],
        "schedulers": (), "leaks": (), "collector_success": {"processes": True},
        "operations": OperationsReport(operations=(), lost={}),
    }  # fmt: skip
    return replace(example, **{**calm, **changed})


def checked(
    subject: Subject,
    report: Report,
    wanted: Wanted | None = None,
    *,
    now: float = NOW,
    before: dict[str, Any] | None = None,
    rates: Rates | None = None,
) -> Verdict:
    seen = Seen(
        document=json.loads(render(report)), now=now, thresholds=load(), before=before or {},
        rates=rates or Rates(),
    )  # fmt: skip
    found = findings(subject, seen, wanted or Wanted())
    return judge(subject, found.figures, calm=found.calm, unseen=found.unseen)


def with_memory(percent: float) -> Report:
    agent = example_report().agents[0]
    used = replace(agent.usage, memory_bytes=int(percent * 10), memory_limit_bytes=1000)
    return fleet(agents=(replace(agent, usage=used),))


def with_fds(ratio: float) -> Report:
    return fleet(sessions=(session("default", "work", cost=replace(usage(), fd_utilization_ratio=ratio)),))


def with_wait(seconds: float) -> Report:
    agent = example_report().agents[1]
    return fleet(agents=(replace(agent, state_since_timestamp_seconds=NOW - seconds),))


def with_operations(finished: int, failed: int, slow: int = 0) -> Report:
    made = figures("deploy", (0.5,) * finished, failed=failed)
    made = replace(made, slow_total=slow, objective_seconds=0.4, objective_ratio=0.99)
    return fleet(operations=OperationsReport(operations=(made,), lost={}))


def with_schedulers(index: int) -> Report:
    return fleet(schedulers=example_report().schedulers[index : index + 1])


# Both sides of each default, which is a number of the alerts.
DEFAULTS: list[tuple[Subject, Callable[[], Report], Status]] = [
    (Subject.MEMORY, lambda: with_memory(75), Status.OK),
    (Subject.MEMORY, lambda: with_memory(75.1), Status.WARNING),
    (Subject.MEMORY, lambda: with_memory(90.1), Status.CRITICAL),
    (Subject.FDS, lambda: with_fds(0.75), Status.OK),
    (Subject.FDS, lambda: with_fds(0.76), Status.WARNING),
    (Subject.FDS, lambda: with_fds(0.91), Status.CRITICAL),
    (Subject.AGENTS, fleet, Status.OK),
    (Subject.AGENTS, lambda: fleet(agents=example_report().agents[3:]), Status.WARNING),
    (Subject.WAITING, lambda: with_wait(600), Status.OK),
    (Subject.WAITING, lambda: with_wait(601), Status.WARNING),
    (Subject.SCHEDULERS, lambda: with_schedulers(0), Status.OK),
    (Subject.SCHEDULERS, lambda: with_schedulers(2), Status.WARNING),
    (Subject.LEAKS, fleet, Status.OK),
    (Subject.LEAKS, lambda: fleet(leaks=example_report().leaks[:1]), Status.WARNING),
    (Subject.OPERATIONS, lambda: with_operations(50, 1), Status.OK),
    (Subject.OPERATIONS, lambda: with_operations(49, 1), Status.WARNING),
    (Subject.OPERATIONS, lambda: with_operations(9, 9), Status.OK),
    (Subject.OPERATIONS, lambda: with_operations(20, 0, 5), Status.OK),
    (Subject.OPERATIONS, lambda: with_operations(20, 0, 6), Status.WARNING),
    (Subject.OPERATIONS, lambda: with_operations(9, 0, 9), Status.OK),
    (Subject.EXPORTER, fleet, Status.OK),
    (Subject.EXPORTER, lambda: fleet(timestamp=NOW - 301), Status.CRITICAL),
    (Subject.EXPORTER, lambda: fleet(collector_success={"tmux": False}), Status.WARNING),
    (Subject.EXPORTER, lambda: fleet(collector_success={"processes": False}), Status.CRITICAL),
]


@pytest.mark.parametrize(("subject", "report", "status"), DEFAULTS)
def test_without_ranges_the_numbers_of_the_alerts_hold(
    subject: Subject, report: Callable[[], Report], status: Status
) -> None:
    verdict = checked(subject, report())
    assert verdict.status is status, verdict.text
    assert verdict.text.startswith(f"TMUX {subject.upper()} {status.name} - ")


def test_every_subject_is_tried() -> None:
    assert {subject for subject, *_ in DEFAULTS} == set(Subject) - {Subject.CPU}


def test_ranges_that_are_given_take_the_place_of_both_defaults() -> None:
    given = Wanted(warning=parse_range("95"))
    assert checked(Subject.MEMORY, with_memory(94), given).status is Status.OK
    assert checked(Subject.AGENTS, fleet(), Wanted(critical=parse_range("2:"))).status is Status.CRITICAL


def test_cpu_is_told_from_two_reports() -> None:
    rates = Rates()
    rates.take(json.loads(render(fleet())))
    busier = replace(usage(), cpu_seconds_total=usage().cpu_seconds_total + 3)
    later = fleet(timestamp=NOW + 2, sessions=(session("default", "work", cost=busier),))
    rates.take(json.loads(render(later)))
    wanted = Wanted(warning=parse_range("149"))
    verdict = checked(Subject.CPU, later, wanted, rates=rates)
    assert verdict.status is Status.WARNING
    assert "default:work: 150% of a core (warning at 149)" in verdict.text
    unseen = checked(Subject.CPU, later, wanted)
    assert (unseen.status, "not known" in unseen.text) == (Status.UNKNOWN, True)


def test_operations_are_counted_since_an_earlier_check() -> None:
    report = with_operations(100, 50)
    assert checked(Subject.OPERATIONS, report, before={"deploy": [50, 25.0, 50, 0]}).status is Status.OK
    assert checked(Subject.OPERATIONS, report, before={"deploy": [50, 25.0, 48, 0]}).status is Status.WARNING
    # A newer exporter counts from 0.
    newer = {"deploy": [500, 25.0, 50, 0]}
    assert checked(Subject.OPERATIONS, report, before=newer).status is Status.WARNING
    late = with_operations(100, 0, 40)
    assert checked(Subject.OPERATIONS, late, before={"deploy": [50, 25.0, 0, 40]}).status is Status.OK
    told = checked(Subject.OPERATIONS, late, before={"deploy": [50, 25.0, 0, 27]})
    assert "13 of 50 took longer than 0.4 s, 26.0%" in told.text


def test_swapped_memory_counts() -> None:
    report = with_memory(70)
    agent = replace(report.agents[0], usage=replace(report.agents[0].usage, swap_memory_bytes=60))
    assert checked(Subject.MEMORY, replace(report, agents=(agent,))).status is Status.WARNING


SEEN_IN_PART = [each for each in Subject if each not in (Subject.EXPORTER, Subject.OPERATIONS)]


@pytest.mark.parametrize("subject", [each for each in SEEN_IN_PART if each is not Subject.CPU])
def test_what_cannot_be_seen_is_unknown_and_not_well(subject: Subject) -> None:
    silent = checked(subject, fleet(servers=(UP, HELD)))
    assert silent.status is Status.UNKNOWN
    assert "tmux server claude-swarm-1 does not answer (hung)" in silent.text
    assert checked(subject, fleet(collector_success={"processes": False})).status is Status.UNKNOWN
    assert checked(subject, fleet(), Wanted(session="gone")).status is Status.UNKNOWN
    elsewhere = checked(subject, fleet(servers=(UP, HELD)), Wanted(server="default"))
    assert elsewhere.status is Status.OK, elsewhere.text


def test_unknown_memory_is_unknown() -> None:
    agent = example_report().agents[0]
    report = fleet(agents=(replace(agent, usage=replace(agent.usage, memory_bytes=None)),))
    assert "default:work:lead: not known" in checked(Subject.MEMORY, report).text


def test_operations_that_nobody_counts_are_unknown() -> None:
    assert checked(Subject.OPERATIONS, fleet(operations=None)).status is Status.UNKNOWN


def test_what_is_known_to_be_bad_goes_before_what_is_not_known() -> None:
    verdict = checked(Subject.MEMORY, replace(with_memory(95), servers=(UP, HELD)))
    first, *below = verdict.text.splitlines()
    assert verdict.status is Status.CRITICAL
    assert first.startswith("TMUX MEMORY CRITICAL - default:work:lead: 95.0% of its limit, 950 B of 1000 B")
    assert [line.split(":")[0] for line in below] == ["CRITICAL", "UNKNOWN"]
    assert checked(Subject.MEMORY, replace(with_memory(80), servers=(UP, HELD))).status is Status.WARNING


def test_a_server_that_has_ended_or_may_not_be_asked_hides_nothing() -> None:
    assert checked(Subject.MEMORY, fleet(servers=(UP, replace(DOWN, ended=True)))).status is Status.OK
    refused = Problem(source="other", reason=QueryFailure.UNTRUSTED, detail="")
    report = fleet(servers=(UP, replace(HELD, server="other", problem=refused)))
    assert checked(Subject.MEMORY, report).status is Status.OK
    assert checked(Subject.MEMORY, report, Wanted(server="other")).status is Status.UNKNOWN


def test_a_bar_in_a_name_begins_no_performance_data() -> None:
    agent = replace(example_report().agents[0], agent="a|b=c'd%41")
    text = checked(Subject.MEMORY, replace(with_memory(95), agents=(agent, with_memory(95).agents[0]))).text
    first = text.splitlines()[0]
    assert first.count("|") == 1
    assert "'default:work:a%7Cb%3Dc%27d%2541'=" in first


def test_what_a_monitor_would_cut_is_left_out_and_told() -> None:
    verdict = judge("memory", [Figure(label=f"agent-{n}", value=n) for n in range(2000)], calm="fine")
    assert len(verdict.text.encode()) <= MOST_BYTES
    assert "does not fit" in verdict.text.splitlines()[-1]
