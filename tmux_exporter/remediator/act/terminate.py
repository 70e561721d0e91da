"""Terminate one target by pidfd: the only module that ends a process (`lease_keeper` stops and continues).

The order of the steps makes it safe. A pidfd is opened before the evidence is read again, so a reused pid can
never be signalled. Then tmux is queried again, and the intent is on disk before the signal. The shell of a
scheduler goes first: a `;` shell sends its keys as soon as its sleep ends. The sleep is signalled only after
the shell is dead.
"""

import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import NamedTuple

from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Refusal, Signal
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.act.attempt import Attempt, Result, Tools, first_action
from tmux_exporter.remediator.act.live_view import has_ended
from tmux_exporter.remediator.decide.last_checks import (
    descendants,
    failed_check,
    gather,
    servers_in,
    stages_refusal,
    target_processes,
)
from tmux_exporter.remediator.decide.order import Order, Stage
from tmux_exporter.remediator.decide.vetoes import Case, Subject, look_age, refusal
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import AuditError

LOOK_AGE = 1.0
"""The oldest tmux listing, in seconds, that allows a signal."""

EVIDENCE_AGE = 10.0
"""The oldest process evidence, in seconds, that allows a signal."""

MOST_BELOW = 256
"""The most processes that end with a target: each is held by a descriptor of ours."""

LOOKS = 3
"""How often one act queries tmux while the answer is stale by the time it is judged."""

_NUMBERS = {
    Signal.TERM: signal.SIGTERM,
    Signal.INT: signal.SIGINT,
    Signal.HUP: signal.SIGHUP,
    Signal.KILL: signal.SIGKILL,
}


def _send(descriptor: int, number: int) -> None:
    """Signal the process behind a pidfd; one that is gone meanwhile needs none."""
    try:
        signal.pidfd_send_signal(descriptor, number)  # noqa: TID251 - this file is the one that may
    except ProcessLookupError:
        return


def _check_stages(attempt: Attempt) -> Result | None:
    order = attempt.order
    if order.method is Method.AGENT_PROCESS:
        # What an agent does changes by the second: it is judged by a sample of its own.
        attempt.tools.renew()
    reason = stages_refusal(order.stages, attempt.tools.survived.get(order.first))
    return None if reason is None else attempt.refuse(reason, "by what it has survived before")


def _open_first(attempt: Attempt) -> None:
    attempt.first = attempt.open(target_processes(attempt.order)[0].pid)


def _open_last(attempt: Attempt) -> None:
    attempt.last = attempt.first if attempt.alone else attempt.open(target_processes(attempt.order)[-1].pid)


def _open_below(attempt: Attempt) -> Result | None:
    """Hold all that ends with the target, before its evidence is read."""
    if not attempt.order.with_below:
        return None
    members = target_processes(attempt.order)
    found = descendants(attempt.tools.processes(members), members)
    if len(found) > MOST_BELOW:
        return attempt.refuse(Refusal.EVIDENCE, f"more than {MOST_BELOW} processes would end with it")
    for each in found:
        # One that has just ended needs no signal.
        with suppress(ProcessLookupError):
            attempt.held_below[each] = attempt.open(each.pid)
    return None


def _read_evidence(attempt: Attempt) -> Result | None:
    order, tools = attempt.order, attempt.tools
    attempt.read_at = tools.clock.monotonic()
    members = target_processes(order)
    table = tools.processes(members)
    below = descendants(table, members)
    ending = below if order.with_below or order.method is Method.LEAKED_PROCESS else ()
    around = tools.around((*members, *ending), [each.id for each in servers_in(table)])
    evidence = gather(table, order, around, tools.uid, tools.own())
    if evidence is None:
        return attempt.vanish("one of its processes ended, or its pid is another's now")
    attempt.evidence = evidence
    attempt.below = below
    return None


def _probe(attempt: Attempt) -> Result | None:
    # All are alive, so no pid was reused while the evidence was read.
    for descriptor in (attempt.first, attempt.last):
        _send(descriptor, 0)
        if has_ended(descriptor):
            return attempt.vanish()
    return None


def _judge(attempt: Attempt) -> Result | None:
    if attempt.evidence is None:
        return attempt.end(ActionOutcome.FAILED, detail="no evidence was read")
    if (failed := failed_check(attempt.evidence)) is not None:
        return attempt.refuse(failed.refusal, f"no proof: {failed.holds.__name__}")
    return None


def _look_again(attempt: Attempt) -> Result | None:
    """Query tmux until an answer is recent enough; on a busy machine one query may not do."""
    result = _look_once(attempt)
    for _ in range(LOOKS - 1):
        if result is None or result.refusal is not Refusal.STALE:
            break
        # The process evidence has aged meanwhile, too.
        attempt.tools.renew()
        result = _read_evidence(attempt) or _probe(attempt) or _judge(attempt) or _look_once(attempt)
    return result


def _look_once(attempt: Attempt) -> Result | None:
    report, moment = attempt.tools.look()
    subject = _subject(report, attempt.order)
    if subject is None:
        return attempt.refuse(Refusal.CHANGED, "the last sample does not show it")
    case = Case(
        subject=subject,
        report=report,
        policy=replace(attempt.order.policy, max_age=LOOK_AGE),
        moment=moment,
        own=attempt.tools.own(),
        below=frozenset(each.pid for each in attempt.below),
        culprit=attempt.order.culprit,
    )
    attempt.case = case
    if (reason := attempt.confirm(case)) is not None:
        shown = (
            "the last sample shows something else" if reason is Refusal.CHANGED else "since it was decided"
        )
        return attempt.refuse(reason, shown)
    if (reason := refusal(case)) is not None:
        return attempt.refuse(reason, "by the last sample")
    attempt.judged_at = moment.monotonic - (look_age(case) or 0.0)
    return None


def _subject(report: Report, order: Order) -> Subject | None:
    """What a report says of the target of an order."""
    things: Mapping[Method, Iterable[Subject]] = {
        Method.SCHEDULER_PAIR: report.schedulers,
        Method.AGENT_PROCESS: report.agents,
        Method.LEAKED_PROCESS: report.leaks,
    }
    processes = order.target.processes
    members = target_processes(order) if order.method is Method.SCHEDULER_PAIR else processes[:1]
    return next((each for each in things[order.method] if audit_fields.processes_of(each) == members), None)


def _record_intent(attempt: Attempt) -> Result | None:
    audit = attempt.tools.audit
    if not audit.check():
        return attempt.refuse(Refusal.AUDIT, "its outcome might not be told any more")
    try:
        attempt.intent = audit.record("intent", **_words(attempt))
    except AuditError as error:
        return attempt.refuse(Refusal.AUDIT, str(error))
    return None


def _stop(attempt: Attempt) -> Result | None:
    # The write to disk may have taken long.
    now = attempt.tools.clock.monotonic()
    if now - attempt.judged_at > LOOK_AGE:
        return attempt.refuse(Refusal.STALE, "the last sample is too old by now")
    if now - attempt.read_at > EVIDENCE_AGE:
        return attempt.refuse(Refusal.STALE, "its processes were read too long ago")
    if has_ended(attempt.first) or has_ended(attempt.last):
        return attempt.vanish()
    _send(attempt.first, _NUMBERS[attempt.order.stages[0].signal])
    return None


def _await_stop(attempt: Attempt) -> None:
    _note(attempt, attempt.order.stages[0])


def _kill(attempt: Attempt) -> Result | None:
    for stage in attempt.order.stages[1:]:
        if has_ended(attempt.first):
            break
        _send(attempt.first, _NUMBERS[stage.signal])
        _note(attempt, stage)
    if has_ended(attempt.first):
        return None
    return Result(actions=tuple(attempt.actions), detail=_survival(attempt))


def _note(attempt: Attempt, stage: Stage) -> None:
    """Wait for the effect of a signal; remember targets that survived it."""
    gone = has_ended(attempt.first, min(stage.seconds, attempt.tools.longest_wait))
    attempt.actions.append((stage.action, ActionOutcome.DONE if gone else ActionOutcome.SURVIVED))
    target = attempt.order.first
    attempt.tools.survived.pop(target, None)
    if not gone:
        attempt.tools.survived[target] = Action.KILL if stage.signal is Signal.KILL else stage.action


def _survival(attempt: Attempt) -> str:
    process = attempt.order.first
    seen = attempt.tools.processes((process,)).find(process)
    stuck = seen is not None and seen.state == "D"
    state = "the kernel holds it (state D)" if stuck else "it survived"
    return state if attempt.alone else f"{state}; its sleep was left alone"


def _end_last(attempt: Attempt) -> Result | None:
    # Its shell is dead, so the end of the sleep triggers nothing.
    if attempt.alone:
        return None
    seconds = min(max(stage.seconds for stage in attempt.order.stages), attempt.tools.longest_wait)
    for number in (signal.SIGTERM, signal.SIGKILL):
        _send(attempt.last, number)
        if has_ended(attempt.last, seconds):
            break
    return None


def _end_below(attempt: Attempt) -> Result | None:
    """End what descended from the target, once that is gone: only what was judged, and is held since."""
    judged = {each.process for each in attempt.evidence.members} if attempt.evidence else set()
    held = [descriptor for each, descriptor in attempt.held_below.items() if each in judged]
    for stage in attempt.order.stages:
        left = [each for each in held if not has_ended(each)]
        for descriptor in left:
            _send(descriptor, _NUMBERS[stage.signal])
        deadline = attempt.tools.clock.monotonic() + min(stage.seconds, attempt.tools.longest_wait)
        for descriptor in left:
            has_ended(descriptor, max(0.0, deadline - attempt.tools.clock.monotonic()))
    return None


def _verify(attempt: Attempt) -> Result | None:
    if not attempt.alone:
        survived = not has_ended(attempt.last)
        detail = "its sleep survived; it wakes no pane any more" if survived else ""
        return Result(actions=tuple(attempt.actions), detail=detail)
    table = attempt.tools.processes(attempt.below)
    there = {each.id for each in table.processes.values() if each.alive}
    left = tuple(each for each in attempt.below if each in there)
    detail = f"{len(left)} that it had started live on" if left else ""
    return Result(actions=tuple(attempt.actions), detail=detail, left=left)


class Step(NamedTuple):
    """One step of the protocol: it returns a Result where the attempt is over."""

    name: str
    run: Callable[[Attempt], Result | None]


STEPS = (
    Step("check_stages", _check_stages),
    Step("open_first", _open_first),
    Step("open_last", _open_last),
    Step("open_below", _open_below),
    Step("read_evidence", _read_evidence),
    Step("probe", _probe),
    Step("judge", _judge),
    Step("look_again", _look_again),
    Step("record_intent", _record_intent),
    Step("stop", _stop),
    Step("await_stop", _await_stop),
    Step("kill", _kill),
    Step("end_last", _end_last),
    Step("end_below", _end_below),
    Step("verify", _verify),
)
"""The protocol, in its order. Once an intent is on disk its outcome is recorded, whichever step ended it."""


JUDGED = ("open_first", "open_last", "read_evidence", "probe", "judge", "look_again")
"""The steps that hold a target and judge it, without a record or a signal."""


def judge(attempt: Attempt) -> Result | None:
    """Hold a target by pidfds and judge it as before an end; None where nothing speaks against it."""
    for step in STEPS:
        if step.name in JUDGED:
            try:
                result = step.run(attempt)
            except ProcessLookupError:
                return attempt.vanish()
            except OSError as error:
                return attempt.end(ActionOutcome.FAILED, detail=error.strerror or str(error))
            if result is not None:
                return result
    return None


def end(order: Order, tools: Tools, confirm: Callable[[Case], Refusal | None]) -> Result:
    """Terminate the target of an order, or say why not. Raises only for bugs.

    `confirm` judges the last sample for the policy: `objections.confirmation`.
    """
    with ExitStack() as held:
        attempt = Attempt(order=order, tools=tools, confirm=confirm, held=held)
        result = attempt.end(ActionOutcome.FAILED, detail="interrupted by a mistake of ours")
        try:
            result = _run(attempt)
        finally:
            if attempt.intent is not None:
                result = _record_outcome(attempt, attempt.intent, result)
        if attempt.intent is None and result.refusal not in (None, Refusal.AUDIT):
            _record_refusal(attempt, result)
        return result


def _run(attempt: Attempt) -> Result:
    for step in STEPS:
        try:
            result = step.run(attempt)
        except ProcessLookupError:
            return attempt.vanish()
        except OSError as error:
            actions = tuple(attempt.actions) or ((first_action(attempt.order), ActionOutcome.FAILED),)
            return Result(actions=actions, detail=f"{step.name}: {error.strerror or error}")
        if result is not None:
            return result
    return Result(actions=tuple(attempt.actions))


def _record_outcome(attempt: Attempt, intent: int, result: Result) -> Result:
    try:
        attempt.tools.audit.record(
            "outcome",
            of=intent,
            actions=[[str(action), str(outcome)] for action, outcome in result.actions],
            refusal=result.refusal,
            detail=result.detail,
            left=[list(each) for each in result.left],
        )
    except AuditError as error:
        return replace(result, detail=f"{result.detail}; its outcome is not on record: {error}".lstrip("; "))
    return result


def _record_refusal(attempt: Attempt, result: Result) -> None:
    """Record the refusal if possible: nothing depends on it."""
    try:
        attempt.tools.audit.record("refusal", **_words(attempt), refusal=result.refusal, detail=result.detail)
    except AuditError:
        return


def _words(attempt: Attempt) -> dict[str, object]:
    before = attempt.tools.survived.get(attempt.order.first)
    return audit_fields.of_order(attempt.order, before, attempt.evidence, attempt.case)
