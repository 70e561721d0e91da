"""Ends one thing: the only file that may signal a process.

The order is the safety. Whatever may be signalled is held by a pidfd before the evidence about it is read
again, so whatever ends in between, no other process can be meant. tmux is asked anew after that, and what is
going to be done is on disk before it is done. Of a scheduler the shell goes first, for a `;` shell whose
sleep is ended types at once; the sleep is only touched once the shell is known to be dead.
"""

import os
import select
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Refusal, Signal
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide.last_checks import (
    ProcessContext,
    ProcessEvidence,
    descendants,
    failed_check,
    gather,
    servers_in,
    stages_refusal,
    target_processes,
)
from tmux_exporter.remediator.decide.order import Order, Stage
from tmux_exporter.remediator.decide.vetoes import Case, Moment, Subject, look_age, refusal
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import Audit, AuditError

LOOK_AGE = 1.0
"""Seconds after which a listing of tmux is too old to signal anything by it, however long the sample took."""

EVIDENCE_AGE = 10.0
"""Seconds after which what was read of the processes under their pidfds is too old for it."""

LOOKS = 3
"""How often tmux is asked anew in one act while the answer is too old by the time that it is judged."""

LONGEST_WAIT = 10.0
"""Seconds for which the loop gives one signal time: the rest of the fleet waits meanwhile."""

LONGEST_WAIT_OF_A_PLAN = 600.0
"""Seconds for which whoever applies a plan gives one signal time: nothing else waits for that."""

_NUMBERS = {
    Signal.TERM: signal.SIGTERM,
    Signal.INT: signal.SIGINT,
    Signal.HUP: signal.SIGHUP,
    Signal.KILL: signal.SIGKILL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the act needs of the world.

    `processes`, `around` and `look` look anew each time they are called; `own` gives the pids of this process
    and of all above it. `longest_wait` is for how many seconds one signal is given time at most. `survived`
    is what earlier acts have signalled in vain, by their last action.
    """

    processes: Callable[[], ProcessTable]
    around: Callable[[Iterable[ProcessId]], Mapping[ProcessId, ProcessContext]]
    look: Callable[[], tuple[Report, Moment]]
    own: Callable[[], frozenset[int]]
    audit: Audit
    clock: Clock
    uid: int
    longest_wait: float = LONGEST_WAIT
    survived: dict[ProcessId, Action] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it: each action with its outcome, in their order, and why nothing was signalled if so.

    `left` is what lived below it and lives on.
    """

    actions: tuple[tuple[Action, ActionOutcome], ...]
    refusal: Refusal | None = None
    detail: str = ""
    left: tuple[ProcessId, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it is gone by our doing: a scheduler will not send its keys."""
        return any(outcome is ActionOutcome.DONE for _, outcome in self.actions)


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One run through the steps; `first` and `last` are the pidfds of what is signalled first and last."""

    order: Order
    tools: Tools
    confirm: Callable[[Case], Refusal | None]
    held: ExitStack
    first: int = -1
    last: int = -1
    below: tuple[ProcessId, ...] = ()
    evidence: ProcessEvidence | None = None
    case: Case | None = None
    judged_at: float = float("-inf")
    read_at: float = float("-inf")
    intent: int | None = None
    actions: list[tuple[Action, ActionOutcome]] = field(default_factory=list)

    def open(self, pid: int) -> int:
        """A pidfd that is given back at the end."""
        descriptor = os.pidfd_open(pid)
        self.held.callback(os.close, descriptor)
        return descriptor

    def end(self, outcome: ActionOutcome, reason: Refusal | None = None, detail: str = "") -> Result:
        """Stop here; `outcome` is that of the first action."""
        return Result(actions=((_first_action(self.order), outcome),), refusal=reason, detail=detail)

    @property
    def alone(self) -> bool:
        """Whether there is only one process to signal."""
        return self.order.method is not Method.SCHEDULER_PAIR


def _first_action(order: Order) -> Action:
    return order.stages[0].action if order.stages else Action.STOP


def _send(descriptor: int, number: int) -> None:
    """Signal the process behind a pidfd; one that is gone meanwhile needs none."""
    try:
        signal.pidfd_send_signal(descriptor, number)  # noqa: TID251 - this file is the one that may
    except ProcessLookupError:
        return


def _is_gone(descriptor: int, seconds: float = 0.0) -> bool:
    """Whether the process behind a pidfd ends within so many seconds; a zombie has ended."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(round(seconds * 1000)))


def _check_stages(attempt: _Attempt) -> Result | None:
    order = attempt.order
    reason = stages_refusal(order.stages, attempt.tools.survived.get(order.target.processes[0]))
    return (
        None
        if reason is None
        else attempt.end(ActionOutcome.REFUSED, reason, "by what it has survived before")
    )


def _open_first(attempt: _Attempt) -> Result | None:
    attempt.first = attempt.open(target_processes(attempt.order)[0].pid)
    return None


def _open_last(attempt: _Attempt) -> Result | None:
    attempt.last = attempt.first if attempt.alone else attempt.open(target_processes(attempt.order)[-1].pid)
    return None


def _read_evidence(attempt: _Attempt) -> Result | None:
    order, tools = attempt.order, attempt.tools
    attempt.read_at = tools.clock.monotonic()
    table = tools.processes()
    members = target_processes(order)
    around = tools.around({*members, *(each.id for each in servers_in(table))})
    evidence = gather(table, order, around, tools.uid, tools.own())
    if evidence is None:
        return attempt.end(
            ActionOutcome.VANISHED, detail="one of its processes ended, or its pid is another's now"
        )
    attempt.evidence = evidence
    attempt.below = descendants(table, members)
    return None


def _probe(attempt: _Attempt) -> Result | None:
    # All are still there: nobody else had their pids while the evidence was read, so it is theirs.
    for descriptor in (attempt.first, attempt.last):
        _send(descriptor, 0)
        if _is_gone(descriptor):
            return attempt.end(ActionOutcome.VANISHED, detail="one of its processes ended")
    return None


def _judge(attempt: _Attempt) -> Result | None:
    if attempt.evidence is None:
        return attempt.end(ActionOutcome.FAILED, detail="no evidence was read")
    if (failed := failed_check(attempt.evidence)) is not None:
        return attempt.end(ActionOutcome.REFUSED, failed.refusal, f"no proof: {failed.holds.__name__}")
    return None


def _look_again(attempt: _Attempt) -> Result | None:
    """Ask tmux until an answer is young enough, which on a busy machine may take more than one."""
    result = _look_once(attempt)
    for _ in range(LOOKS - 1):
        if result is None or result.refusal is not Refusal.STALE:
            break
        # What was read of the processes has got older meanwhile, too.
        result = _read_evidence(attempt) or _probe(attempt) or _judge(attempt) or _look_once(attempt)
    return result


def _look_once(attempt: _Attempt) -> Result | None:
    report, moment = attempt.tools.look()
    subject = _subject(report, attempt.order)
    if subject is None:
        return attempt.end(ActionOutcome.REFUSED, Refusal.CHANGED, "the last look does not show it")
    case = Case(
        subject=subject,
        report=report,
        policy=replace(attempt.order.policy, max_age=LOOK_AGE),
        moment=moment,
        own=attempt.tools.own(),
        below=frozenset(each.pid for each in attempt.below),
    )
    attempt.case = case
    if (reason := attempt.confirm(case)) is not None:
        changed = reason is Refusal.CHANGED
        detail = "the last look shows something else" if changed else "since it was decided"
        return attempt.end(ActionOutcome.REFUSED, reason, detail)
    if (reason := refusal(case)) is not None:
        return attempt.end(ActionOutcome.REFUSED, reason, "by the last look")
    attempt.judged_at = moment.monotonic - (look_age(case) or 0.0)
    return None


def _subject(report: Report, order: Order) -> Subject | None:
    """What a report says of the target of an order."""
    things: Iterable[Subject]
    match order.method:
        case Method.SCHEDULER_PAIR:
            things = report.schedulers
        case Method.AGENT_PROCESS:
            things = report.agents
        case Method.LEAKED_PROCESS:
            things = report.leaks
    members = target_processes(order)
    return next((each for each in things if audit_fields.processes_of(each) == members), None)


def _record_intent(attempt: _Attempt) -> Result | None:
    audit = attempt.tools.audit
    if not audit.check():
        return attempt.end(ActionOutcome.REFUSED, Refusal.AUDIT, "its outcome might not be told any more")
    try:
        attempt.intent = audit.record("intent", **_words(attempt))
    except AuditError as error:
        return attempt.end(ActionOutcome.REFUSED, Refusal.AUDIT, str(error))
    return None


def _stop(attempt: _Attempt) -> Result | None:
    # Writing to the disk may have taken any time.
    now = attempt.tools.clock.monotonic()
    if now - attempt.judged_at > LOOK_AGE:
        return attempt.end(ActionOutcome.REFUSED, Refusal.STALE, "the last look is too old by now")
    if now - attempt.read_at > EVIDENCE_AGE:
        return attempt.end(ActionOutcome.REFUSED, Refusal.STALE, "its processes were read too long ago")
    if _is_gone(attempt.first) or _is_gone(attempt.last):
        return attempt.end(ActionOutcome.VANISHED, detail="one of its processes ended")
    _send(attempt.first, _NUMBERS[attempt.order.stages[0].signal])
    return None


def _await_stop(attempt: _Attempt) -> Result | None:
    _note(attempt, attempt.order.stages[0])
    return None


def _kill(attempt: _Attempt) -> Result | None:
    for stage in attempt.order.stages[1:]:
        if _is_gone(attempt.first):
            break
        _send(attempt.first, _NUMBERS[stage.signal])
        _note(attempt, stage)
    if _is_gone(attempt.first):
        return None
    return Result(actions=tuple(attempt.actions), detail=_survival(attempt))


def _note(attempt: _Attempt, stage: Stage) -> None:
    """Wait for what a signal brings about, and remember what it was sent to in vain."""
    gone = _is_gone(attempt.first, min(stage.seconds, attempt.tools.longest_wait))
    attempt.actions.append((stage.action, ActionOutcome.DONE if gone else ActionOutcome.SURVIVED))
    target = attempt.order.target.processes[0]
    attempt.tools.survived.pop(target, None)
    if not gone:
        attempt.tools.survived[target] = Action.KILL if stage.signal is Signal.KILL else stage.action


def _survival(attempt: _Attempt) -> str:
    process = attempt.order.target.processes[0]
    seen = attempt.tools.processes().processes.get(process.pid)
    stuck = seen is not None and seen.id == process and seen.state == "D"
    state = "the kernel holds it (state D)" if stuck else "it survived"
    return state if attempt.alone else f"{state}; its sleep was left alone"


def _end_last(attempt: _Attempt) -> Result | None:
    # Its shell is dead: there is nobody left whom its end could wake.
    if attempt.alone:
        return None
    longest = max(stage.seconds for stage in attempt.order.stages)
    seconds = min(longest, attempt.tools.longest_wait)
    for number in (signal.SIGTERM, signal.SIGKILL):
        _send(attempt.last, number)
        if _is_gone(attempt.last, seconds):
            break
    return None


def _verify(attempt: _Attempt) -> Result | None:
    if not attempt.alone:
        survived = not _is_gone(attempt.last)
        detail = "its sleep survived; it wakes nobody any more" if survived else ""
        return Result(actions=tuple(attempt.actions), detail=detail)
    there = {each.id for each in attempt.tools.processes().processes.values() if each.alive}
    left = tuple(each for each in attempt.below if each in there)
    detail = f"{len(left)} that it had started live on" if left else ""
    return Result(actions=tuple(attempt.actions), detail=detail, left=left)


class Step(NamedTuple):
    """One step of the protocol: it returns a Result where the attempt is over."""

    name: str
    run: Callable[[_Attempt], Result | None]


STEPS = (
    Step("check_stages", _check_stages),
    Step("open_first", _open_first),
    Step("open_last", _open_last),
    Step("read_evidence", _read_evidence),
    Step("probe", _probe),
    Step("judge", _judge),
    Step("look_again", _look_again),
    Step("record_intent", _record_intent),
    Step("stop", _stop),
    Step("await_stop", _await_stop),
    Step("kill", _kill),
    Step("end_last", _end_last),
    Step("verify", _verify),
)
"""The protocol, in its order. Once an intent is on disk its outcome is recorded, whichever step ended it."""


def end(order: Order, tools: Tools, confirm: Callable[[Case], Refusal | None]) -> Result:
    """End what an order is for, or say why not. Raises only for our own mistakes.

    `confirm` says what the last look has against it, for the policy: `objections.confirmation`.
    """
    with ExitStack() as held:
        attempt = _Attempt(order=order, tools=tools, confirm=confirm, held=held)
        result = attempt.end(ActionOutcome.FAILED, detail="interrupted by a mistake of ours")
        try:
            result = _run(attempt)
        finally:
            if attempt.intent is not None:
                result = _record_outcome(attempt, attempt.intent, result)
        if attempt.intent is None and result.refusal not in (None, Refusal.AUDIT):
            _record_refusal(attempt, result)
        return result


def _run(attempt: _Attempt) -> Result:
    for step in STEPS:
        try:
            result = step.run(attempt)
        except ProcessLookupError:
            return attempt.end(ActionOutcome.VANISHED, detail="one of its processes ended")
        except OSError as error:
            actions = tuple(attempt.actions) or ((_first_action(attempt.order), ActionOutcome.FAILED),)
            return Result(actions=actions, detail=f"{step.name}: {error.strerror or error}")
        if result is not None:
            return result
    return Result(actions=tuple(attempt.actions))


def _record_outcome(attempt: _Attempt, intent: int, result: Result) -> Result:
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


def _record_refusal(attempt: _Attempt, result: Result) -> None:
    """What was not done is told where it can be: nothing depends on it."""
    try:
        attempt.tools.audit.record("refusal", **_words(attempt), refusal=result.refusal, detail=result.detail)
    except AuditError:
        return


def _words(attempt: _Attempt) -> dict[str, object]:
    before = attempt.tools.survived.get(attempt.order.target.processes[0])
    return audit_fields.of_order(attempt.order, before, attempt.evidence, attempt.case)
