"""The remediator's families: what it is while it is up, what it did as long as its file is there."""

from dataclasses import replace

from tests.support.literals.report import OBSERVER, example_report
from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.remediation import (
    CULPRIT_ACTIONS,
    Action,
    CulpritKind,
    LeaseMeans,
    Mode,
    Reclaimed,
    RemediatorReport,
)
from tmux_exporter.metrics.exporter import collect_remediator

LASTING = {
    "tmux_remediator_actions_total",
    "tmux_remediator_refusals_total",
    "tmux_remediator_lease_memory_high_events_total",
    "tmux_remediator_culprits_total",
    "tmux_remediator_reclaimed_bytes_total",
    "tmux_remediator_last_cycle_timestamp_seconds",
    "tmux_remediator_log_lines_total",
}


def shown(report: RemediatorReport | None) -> dict[str, dict[tuple[str, ...], float]]:
    """The families that have series."""
    families = collect_remediator(replace(example_report(), remediator=report), MetricsSettings())
    return {each.spec.name: dict(each.samples) for each in families if each.samples}


def test_no_remediator_has_no_series() -> None:
    assert shown(None) == {}


def test_one_that_cannot_see_or_write_or_read_its_policies() -> None:
    status = replace(OBSERVER, mode=Mode.ENFORCE, blind=True, audit_healthy=False, reload_successful=False)
    found = shown(RemediatorReport(up=True, status=status))
    assert found["tmux_remediator_mode"]["enforce",] == 1
    assert found["tmux_remediator_blind"] == {(): 1}
    assert found["tmux_remediator_audit_healthy"] == {(): 0}
    assert found["tmux_remediator_config_last_reload_successful"] == {(): 0}


def test_leases_that_hold_and_what_they_slowed_down() -> None:
    (policy, *_) = OBSERVER.policies
    held = replace(policy, leases={LeaseMeans.SCOPE: 2}, lease_end_timestamp=1234.5, memory_high_events=17)
    found = shown(RemediatorReport(up=True, status=replace(OBSERVER, policies=(held,))))
    assert found["tmux_remediator_leases"] == {(held.policy, "scope"): 2, (held.policy, "pause"): 0}
    assert found["tmux_remediator_lease_end_timestamp_seconds"] == {(held.policy,): 1234.5}
    assert found["tmux_remediator_lease_memory_high_events_total"] == {(held.policy,): 17}
    ended = shown(RemediatorReport(up=False, status=replace(OBSERVER, policies=(held,))))
    assert "tmux_remediator_lease_end_timestamp_seconds" not in ended, "nobody knows what holds now"


def test_culprits_and_bytes_won_back_begin_at_0() -> None:
    (policy, *_) = OBSERVER.policies
    done = replace(
        policy, culprits={(Action.STOP, CulpritKind.DESCENDANT): 2}, reclaimed={Reclaimed.HISTORY: 4096}
    )
    found = shown(RemediatorReport(up=True, status=replace(OBSERVER, policies=(done,))))
    assert found["tmux_remediator_culprits_total"] == {
        (done.policy, action, kind): 2 if (action, kind) == (Action.STOP, CulpritKind.DESCENDANT) else 0
        for action in CULPRIT_ACTIONS
        for kind in CulpritKind
    }
    assert found["tmux_remediator_reclaimed_bytes_total"] == {
        (done.policy, "memory"): 0,
        (done.policy, "history"): 4096,
    }


def test_of_one_that_ended_only_what_it_did_is_left() -> None:
    found = shown(RemediatorReport(up=False, status=OBSERVER))
    assert found.keys() == {"tmux_remediator_up"} | LASTING
    assert found["tmux_remediator_up"] == {(): 0}


def test_of_one_whose_file_is_not_to_be_believed_nothing_is_left() -> None:
    assert shown(RemediatorReport(up=False, detail="another user's")) == {"tmux_remediator_up": {(): 0}}
