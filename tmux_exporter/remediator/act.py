"""Ends one scheduler: the only file that may signal a process.

The order is the safety. Both processes are held by pidfds before the evidence about them is read again, so
whatever ends in between, no other process can be meant. tmux is asked anew after that, and what is going to
be done is on disk before it is done. The shell goes first, for a `;` shell whose sleep is ended types at
once; the sleep is only touched once the shell is known to be dead.
"""

import hashlib
import os
import select
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tmux_exporter.clock import Clock
from tmux_exporter.model import ProcessTable
from tmux_exporter.remediation import Action, Outcome, Refusal
from tmux_exporter.remediator.audit import Audit, AuditError
from tmux_exporter.remediator.rules import Policy
from tmux_exporter.remediator.vetoes import (
    Case,
    Evidence,
    Moment,
    Pair,
    gather,
    is_match,
    objection,
    pair_of,
    refusal,
)
from tmux_exporter.report import Report, SchedulerReport

LOOK_AGE = 1.0
"""Seconds after which a look at tmux is too old to signal anything by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the act needs of the world.

    `processes` and `look` look anew each time they are called; `own` gives the pids of this process and of
    all above it.
    """

    processes: Callable[[], ProcessTable]
    look: Callable[[], tuple[Report, Moment]]
    own: Callable[[], frozenset[int]]
    audit: Audit
    clock: Clock
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it: each action with its outcome, in their order, and why nothing was signalled if so."""

    actions: tuple[tuple[Action, Outcome], ...]
    refusal: Refusal | None = None
    detail: str = ""

    @property
    def ended(self) -> bool:
        """Whether the scheduler is gone by our doing: it will not send its keys."""
        return any(outcome is Outcome.DONE for _, outcome in self.actions)


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One run through the steps."""

    policy: Policy
    scheduler: SchedulerReport
    tools: Tools
    held: ExitStack
    shell: int = -1
    sleep: int = -1
    evidence: Evidence | None = None
    judged_at: float = float("-inf")
    intent: int | None = None
    actions: list[tuple[Action, Outcome]] = field(default_factory=list)

    @property
    def pair(self) -> Pair:
        return pair_of(self.scheduler)

    def open(self, pid: int) -> int:
        """A pidfd that is given back at the end."""
        descriptor = os.pidfd_open(pid)
        self.held.callback(os.close, descriptor)
        return descriptor

    def end(self, outcome: Outcome, refusal: Refusal | None = None, detail: str = "") -> Result:
        """Stop here; `outcome` is that of the stop."""
        return Result(actions=((Action.STOP, outcome),), refusal=refusal, detail=detail)


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


def _open_shell(attempt: _Attempt) -> Result | None:
    attempt.shell = attempt.open(attempt.pair.shell.pid)
    return None


def _open_sleep(attempt: _Attempt) -> Result | None:
    attempt.sleep = attempt.open(attempt.pair.sleep.pid)
    return None


def _read_evidence(attempt: _Attempt) -> Result | None:
    tools = attempt.tools
    evidence = gather(tools.processes(), attempt.pair, tools.uid, tools.own())
    if evidence is None:
        return attempt.end(Outcome.VANISHED, detail="one of its processes ended, or its pid is another's now")
    if (failed := objection(evidence)) is not None:
        words = failed.holds.__name__.replace("_", " ")
        return attempt.end(Outcome.REFUSED, failed.refusal, f"no proof that it {words}")
    attempt.evidence = evidence
    return None


def _probe(attempt: _Attempt) -> Result | None:
    # Both are still there: nobody else had their pids while the evidence was read, so it is theirs.
    for descriptor in (attempt.shell, attempt.sleep):
        _send(descriptor, 0)
        if _is_gone(descriptor):
            return attempt.end(Outcome.VANISHED, detail="one of its processes ended")
    return None


def _look_again(attempt: _Attempt) -> Result | None:
    report, moment = attempt.tools.look()
    scheduler = next((each for each in report.schedulers if pair_of(each) == attempt.pair), None)
    if scheduler is None:
        return attempt.end(Outcome.REFUSED, Refusal.CHANGED, "the last look does not show it")
    case = Case(
        scheduler=scheduler,
        report=report,
        policy=replace(attempt.policy, max_age=LOOK_AGE),
        moment=moment,
        own=attempt.tools.own(),
    )
    if not is_match(case):
        return attempt.end(Outcome.REFUSED, Refusal.CHANGED, f"the last look says: {scheduler.state}")
    if (reason := refusal(case)) is not None:
        return attempt.end(Outcome.REFUSED, reason, "by the last look")
    attempt.judged_at = scheduler.judged_at or attempt.judged_at
    return None


def _record_intent(attempt: _Attempt) -> Result | None:
    try:
        attempt.intent = attempt.tools.audit.record("intent", **_words(attempt))
    except AuditError as error:
        return attempt.end(Outcome.REFUSED, Refusal.AUDIT, str(error))
    return None


def _term_shell(attempt: _Attempt) -> Result | None:
    # Writing to the disk may have taken any time.
    if attempt.tools.clock.monotonic() - attempt.judged_at > LOOK_AGE:
        return attempt.end(Outcome.REFUSED, Refusal.STALE, "the last look is too old by now")
    if _is_gone(attempt.shell) or _is_gone(attempt.sleep):
        return attempt.end(Outcome.VANISHED, detail="one of its processes ended")
    _send(attempt.shell, signal.SIGTERM)
    return None


def _await_shell(attempt: _Attempt) -> Result | None:
    gone = _is_gone(attempt.shell, attempt.policy.grace)
    attempt.actions.append((Action.STOP, Outcome.DONE if gone else Outcome.SURVIVED))
    return None


def _kill_shell(attempt: _Attempt) -> Result | None:
    if _is_gone(attempt.shell):
        return None
    _send(attempt.shell, signal.SIGKILL)
    gone = _is_gone(attempt.shell, attempt.policy.gone_within)
    attempt.actions.append((Action.KILL, Outcome.DONE if gone else Outcome.SURVIVED))
    if gone:
        return None
    return Result(actions=tuple(attempt.actions), detail="its shell survived; its sleep was left alone")


def _end_sleep(attempt: _Attempt) -> Result | None:
    # Its shell is dead: there is nobody left whom its end could wake.
    policy = attempt.policy
    for number, seconds in ((signal.SIGTERM, policy.grace), (signal.SIGKILL, policy.gone_within)):
        _send(attempt.sleep, number)
        if _is_gone(attempt.sleep, seconds):
            break
    return None


def _verify(attempt: _Attempt) -> Result | None:
    if _is_gone(attempt.sleep):
        return None
    return Result(actions=tuple(attempt.actions), detail="its sleep survived; it wakes nobody any more")


class Step(NamedTuple):
    """One step of the protocol: it returns a Result where the attempt is over."""

    name: str
    run: Callable[[_Attempt], Result | None]


STEPS = (
    Step("open_shell", _open_shell),
    Step("open_sleep", _open_sleep),
    Step("read_evidence", _read_evidence),
    Step("probe", _probe),
    Step("look_again", _look_again),
    Step("record_intent", _record_intent),
    Step("term_shell", _term_shell),
    Step("await_shell", _await_shell),
    Step("kill_shell", _kill_shell),
    Step("end_sleep", _end_sleep),
    Step("verify", _verify),
)
"""The protocol, in its order. Once an intent is on disk its outcome is recorded, whichever step ended it."""


def end_pair(policy: Policy, scheduler: SchedulerReport, tools: Tools) -> Result:
    """End a scheduler, or say why not. Raises only for our own mistakes."""
    with ExitStack() as held:
        attempt = _Attempt(policy=policy, scheduler=scheduler, tools=tools, held=held)
        result = Result(actions=((Action.STOP, Outcome.FAILED),), detail="interrupted by a mistake of ours")
        try:
            result = _run(attempt)
        finally:
            if attempt.intent is not None:
                result = _record_outcome(attempt, attempt.intent, result)
        return result


def _run(attempt: _Attempt) -> Result:
    for step in STEPS:
        try:
            result = step.run(attempt)
        except ProcessLookupError:
            return attempt.end(Outcome.VANISHED, detail="one of its processes ended")
        except OSError as error:
            actions = tuple(attempt.actions) or ((Action.STOP, Outcome.FAILED),)
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
        )
    except AuditError as error:
        return replace(result, detail=f"{result.detail}; its outcome is not on record: {error}".lstrip("; "))
    return result


def _words(attempt: _Attempt) -> dict[str, object]:
    """What the record says of the target and of the evidence; names stand in it as labels only."""
    scheduler, evidence, now = attempt.scheduler, attempt.evidence, attempt.tools.clock.time()
    argv = evidence.shell.argv if evidence is not None and evidence.shell.argv is not None else ()
    script = b"\0".join(word.encode("utf-8", "surrogateescape") for word in argv)
    due = scheduler.due_timestamp_seconds
    return {
        "policy": attempt.policy.name,
        "policy_sha256": attempt.policy.digest,
        "shell": list(attempt.pair.shell),
        "sleep": list(attempt.pair.sleep),
        "argv_sha256": hashlib.sha256(script).hexdigest(),
        "server": scheduler.server,
        "session": scheduler.session,
        "state": str(scheduler.state),
        "seconds_left": None if due is None else round(due - now, 3),
        "look_age_seconds": round(attempt.tools.clock.monotonic() - attempt.judged_at, 6),
    }
