"""Families of the pending schedulers: every state of every session that can have one, from 0."""

from collections.abc import Iterable

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.totals import Place, by_kind, totals


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and state, wherever a scheduler is or can be."""
    # The session of a scheduler can be unknown.
    found = by_kind(
        report.schedulers, lambda each: each.state, SchedulerState, (*report.session_keys, ("", ""))
    )
    outcomes = report.scheduler_outcomes_total
    # From 0 wherever a scheduler can be, and where one was until lately.
    places = dict.fromkeys((server, session) for keys in (found, outcomes) for server, session, _ in keys)
    return (
        *totals("tmux_schedulers", "tmux_scheduler", found, report.scheduler_cpu_seconds_total),
        family("tmux_scheduler_next_due_timestamp_seconds", _next_due(report.schedulers)),
        family(
            "tmux_scheduler_outcomes_total",
            (
                Sample((*place, outcome), outcomes.get((*place, outcome), 0))
                for place in places
                for outcome in SchedulerOutcome
            ),
        ),
    )


def _next_due(schedulers: Iterable[SchedulerReport]) -> Iterable[Sample]:
    earliest: dict[Place, float] = {}
    for each in schedulers:
        if each.due_timestamp_seconds is not None:
            place = each.server, each.session
            earliest[place] = min(each.due_timestamp_seconds, earliest.get(place, each.due_timestamp_seconds))
    return (Sample(place, due) for place, due in earliest.items())
