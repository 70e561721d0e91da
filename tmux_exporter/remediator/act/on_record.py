"""Take a step that ends nothing, with a record on disk before it and its outcome after it."""

from collections.abc import Callable

from tmux_exporter.facts.remediation import Action, ActionOutcome, Refusal
from tmux_exporter.remediator.record.audit import Audit, AuditError

StepResult = tuple[ActionOutcome, str]
"""The outcome of a step, and a text."""


def on_record(
    audit: Audit, kind: str, fields: dict[str, object], action: Action, step: Callable[[], StepResult]
) -> StepResult:
    """The result of `step`, which is not taken where it cannot be recorded."""
    if not audit.check():
        return ActionOutcome.REFUSED, Refusal.AUDIT
    try:
        number = audit.record(kind, **fields)
    except AuditError:
        return ActionOutcome.REFUSED, Refusal.AUDIT
    told: StepResult = (ActionOutcome.FAILED, "interrupted by a mistake of ours")
    try:
        told = step()
    finally:
        try:
            audit.record("outcome", of=number, actions=[[action, told[0]]], detail=told[1])
        except AuditError as error:
            told = (told[0], f"{told[1]}; its outcome is not on record: {error}")
    return told
