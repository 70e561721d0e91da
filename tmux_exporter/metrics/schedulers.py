"""Families of the pending schedulers: every state of every session that can have one, from 0."""

from collections.abc import Iterable, Sequence

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample

Place = tuple[str, str]


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and state; a sum of which nothing could be read gives none."""
    places = _places(report)
    found: dict[tuple[str, str, SchedulerState], list[SchedulerReport]] = {
        (*place, state): [] for place in places for state in SchedulerState
    }
    for each in report.schedulers:
        found[each.server, each.session, each.state].append(each)
    cpu = report.scheduler_cpu_seconds_total
    return (
        family("tmux_schedulers", (Sample(key, len(members)) for key, members in found.items())),
        family(
            "tmux_scheduler_memory_bytes",
            _sums((key, [each.memory_bytes for each in members]) for key, members in found.items()),
        ),
        family("tmux_scheduler_cpu_seconds_total", (Sample(key, cpu.get(key, 0.0)) for key in found)),
        family(
            "tmux_scheduler_open_fds",
            _sums((key, [each.open_fds for each in members]) for key, members in found.items()),
        ),
        family("tmux_scheduler_next_due_timestamp_seconds", _next_due(report.schedulers)),
        family("tmux_scheduler_outcomes_total", _outcomes(report, places)),
    )


def _places(report: Report) -> Sequence[Place]:
    """Where a scheduler is possible: wherever something is, and nowhere known."""
    seen = [(each.server, each.session) for each in report.schedulers]
    return tuple(dict.fromkeys((*report.places, ("", ""), *seen)))


def _outcomes(report: Report, places: Sequence[Place]) -> Iterable[Sample]:
    """From 0 wherever a scheduler is possible, and where one was until lately."""
    counts = report.scheduler_outcomes_total
    shown = dict.fromkeys((*places, *((server, session) for server, session, _ in counts)))
    return (
        Sample((*place, outcome), counts.get((*place, outcome), 0))
        for place in shown
        for outcome in SchedulerOutcome
    )


def _sums(groups: Iterable[tuple[tuple[str, ...], list[int | None]]]) -> Iterable[Sample]:
    for key, values in groups:
        known = [value for value in values if value is not None]
        if known or not values:
            yield Sample(key, sum(known))


def _next_due(schedulers: Iterable[SchedulerReport]) -> Iterable[Sample]:
    earliest: dict[Place, float] = {}
    for each in schedulers:
        if each.due_timestamp_seconds is not None:
            place = each.server, each.session
            earliest[place] = min(each.due_timestamp_seconds, earliest.get(place, each.due_timestamp_seconds))
    return (Sample(place, due) for place, due in earliest.items())
