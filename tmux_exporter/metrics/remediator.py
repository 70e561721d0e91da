"""Families of the remediator, from its status file; no series where none has run."""

from collections.abc import Iterable

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.remediation import Action, ActionOutcome, LeaseMeans, Mode, PolicyStatus, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """Its state only while it is up; its counters as long as its file exists."""
    remediator = report.remediator
    status = remediator.status if remediator else None
    now = status if remediator and remediator.up else None
    policies = status.policies if status else ()
    return (
        family("tmux_remediator_up", _single(int(remediator.up) if remediator else None)),
        family("tmux_remediator_mode", (Sample((mode,), int(mode is now.mode)) for mode in Mode if now)),
        family(
            "tmux_remediator_matches",
            (Sample((each.policy,), each.matches) for each in (now.policies if now else ())),
        ),
        family("tmux_remediator_actions_total", _actions(policies)),
        family("tmux_remediator_refusals_total", _refusals(policies)),
        family(
            "tmux_remediator_breaker_open",
            (Sample((each.policy,), int(each.breaker_open)) for each in (now.policies if now else ())),
        ),
        family(
            "tmux_remediator_leases",
            (
                Sample((each.policy, means), each.leases.get(means, 0))
                for each in (now.policies if now else ())
                for means in LeaseMeans
            ),
        ),
        family(
            "tmux_remediator_lease_memory_high_events_total",
            (Sample((each.policy,), each.memory_high_events) for each in policies),
        ),
        family("tmux_remediator_blind", _single(int(now.blind) if now else None)),
        family("tmux_remediator_audit_healthy", _single(int(now.audit_healthy) if now else None)),
        family(
            "tmux_remediator_config_last_reload_successful",
            _single(int(now.reload_successful) if now else None),
        ),
        family(
            "tmux_remediator_last_cycle_timestamp_seconds",
            _single(status.cycle_timestamp if status else None),
        ),
    )


def _single(value: float | None) -> tuple[Sample, ...]:
    return () if value is None else (Sample((), value),)


def _actions(policies: Iterable[PolicyStatus]) -> Iterable[Sample]:
    for each in policies:
        for action in Action:
            for outcome in ActionOutcome:
                yield Sample((each.policy, action, outcome), each.actions.get((action, outcome), 0))


def _refusals(policies: Iterable[PolicyStatus]) -> Iterable[Sample]:
    for each in policies:
        for reason in Refusal:
            yield Sample((each.policy, reason), each.refusals.get(reason, 0))
