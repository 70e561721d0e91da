"""The remediator's families: what it is while it is up, what it did as long as its file is there."""

from dataclasses import replace

from tests.support.literals.report import NOW, OBSERVER, example_report
from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal, RemediatorReport
from tmux_exporter.metrics import remediator

POLICY = "orphaned-schedulers"
NOW_ONLY = {
    "tmux_remediator_mode",
    "tmux_remediator_matches",
    "tmux_remediator_breaker_open",
    "tmux_remediator_blind",
    "tmux_remediator_audit_healthy",
    "tmux_remediator_config_last_reload_successful",
}
LASTING = {
    "tmux_remediator_actions_total",
    "tmux_remediator_refusals_total",
    "tmux_remediator_last_cycle_timestamp_seconds",
}


def shown(report: RemediatorReport | None) -> dict[str, dict[tuple[str, ...], float]]:
    """The families that have series."""
    families = remediator.collect(replace(example_report(), remediator=report), MetricsSettings())
    return {each.spec.name: dict(each.samples) for each in families if each.samples}


def test_no_remediator_has_no_series() -> None:
    assert shown(None) == {}


def test_one_that_runs() -> None:
    found = shown(RemediatorReport(up=True, status=OBSERVER))
    assert found.keys() == {"tmux_remediator_up"} | NOW_ONLY | LASTING
    assert found["tmux_remediator_up"] == {(): 1}
    assert found["tmux_remediator_mode"] == {("observe",): 1, ("recommend",): 0, ("enforce",): 0}
    assert found["tmux_remediator_matches"] == {(POLICY,): 1}
    assert found["tmux_remediator_breaker_open"] == {(POLICY,): 0}
    assert found["tmux_remediator_blind"] == {(): 0}
    assert found["tmux_remediator_audit_healthy"] == {(): 1}
    assert found["tmux_remediator_config_last_reload_successful"] == {(): 1}
    assert found["tmux_remediator_last_cycle_timestamp_seconds"] == {(): NOW - 2.5}


def test_every_action_and_every_refusal_is_counted_from_0() -> None:
    found = shown(RemediatorReport(up=True, status=OBSERVER))
    actions = found["tmux_remediator_actions_total"]
    assert actions.keys() == {(POLICY, action, outcome) for action in Action for outcome in ActionOutcome}
    assert {key: count for key, count in actions.items() if count} == {
        (POLICY, "warn", "done"): 2,
        (POLICY, "stop", "would"): 1,
    }
    refusals = found["tmux_remediator_refusals_total"]
    assert refusals.keys() == {(POLICY, reason) for reason in Refusal}
    assert {key: count for key, count in refusals.items() if count} == {(POLICY, "warmup"): 1}


def test_one_that_cannot_see_or_write_or_read_its_policies() -> None:
    status = replace(OBSERVER, mode=Mode.ENFORCE, blind=True, audit_healthy=False, reload_successful=False)
    found = shown(RemediatorReport(up=True, status=status))
    assert found["tmux_remediator_mode"]["enforce",] == 1
    assert found["tmux_remediator_blind"] == {(): 1}
    assert found["tmux_remediator_audit_healthy"] == {(): 0}
    assert found["tmux_remediator_config_last_reload_successful"] == {(): 0}


def test_of_one_that_ended_only_what_it_did_is_left() -> None:
    found = shown(RemediatorReport(up=False, status=OBSERVER))
    assert found.keys() == {"tmux_remediator_up"} | LASTING
    assert found["tmux_remediator_up"] == {(): 0}


def test_of_one_whose_file_is_not_to_be_believed_nothing_is_left() -> None:
    assert shown(RemediatorReport(up=False, detail="another user's")) == {"tmux_remediator_up": {(): 0}}
