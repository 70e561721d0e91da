"""Families of the pending schedulers: every state of every session that can have one, from 0."""

from collections.abc import Iterable

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.totals import by_kind, totals


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and state, wherever a scheduler is or can be."""
    # The session of a scheduler can be unknown.
    found = by_kind(
        report.schedulers, lambda each: each.state, SchedulerState, (*report.session_keys, ("", ""))
    )
    outcomes = report.scheduler_outcomes_total
    # From 0 wherever a scheduler can be, and where one was until lately.
    session_keys = dict.fromkeys(
        (server, session) for keys in (found, outcomes) for server, session, _ in keys
    )
    return (
        *totals("tmux_schedulers", "tmux_scheduler", found, report.scheduler_cpu_seconds_total),
        family("tmux_scheduler_next_due_timestamp_seconds", _next_due(report.schedulers)),
        family(
            "tmux_scheduler_outcomes_total",
            (
                Sample((*session_key, outcome), outcomes.get((*session_key, outcome), 0))
                for session_key in session_keys
                for outcome in SchedulerOutcome
            ),
        ),
    )


def _next_due(schedulers: Iterable[SchedulerReport]) -> Iterable[Sample]:
    earliest: dict[SessionKey, float] = {}
    for each in schedulers:
        if each.due_timestamp_seconds is not None:
            session_key = each.server, each.session
            earliest[session_key] = min(
                each.due_timestamp_seconds, earliest.get(session_key, each.due_timestamp_seconds)
            )
    return (Sample(session_key, due) for session_key, due in earliest.items())
