"""One attempt to terminate a target: what it needs, its state between steps, its result."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide.last_checks import ProcessContext, ProcessEvidence
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.vetoes import Case, Moment
from tmux_exporter.remediator.record.audit import Audit

LONGEST_WAIT = 10.0
"""The longest wait after one signal in the loop: other targets wait meanwhile."""

LONGEST_WAIT_OF_A_PLAN = 600.0
"""The longest wait after one signal while a plan is applied: nothing else waits meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the act reads and writes.

    `processes` reads the given ones and all below them again at each call, `around` all that it is given:
    of the first also whether they can be reached;
    `look` may give a sample that other acts rest on too, unless `renew` was called since. `own` gives the
    pids of this process and its ancestors. `longest_wait` is the longest wait after one signal, in seconds.
    `survived` maps targets that survived earlier acts to the last action.
    """

    processes: Callable[[Iterable[ProcessId]], ProcessTable]
    around: Callable[[Iterable[ProcessId], Iterable[ProcessId]], Mapping[ProcessId, ProcessContext]]
    look: Callable[[], tuple[Report, Moment]]
    renew: Callable[[], None]
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
class Attempt:
    """One run through the steps; `first` and `last` are the pidfds of what is signalled first and last.

    `held_below` are those of what ends with them.
    """

    order: Order
    tools: Tools
    confirm: Callable[[Case], Refusal | None]
    held: ExitStack
    first: int = -1
    last: int = -1
    below: tuple[ProcessId, ...] = ()
    held_below: dict[ProcessId, int] = field(default_factory=dict)
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
        return Result(actions=((first_action(self.order), outcome),), refusal=reason, detail=detail)

    def refuse(self, reason: Refusal, detail: str) -> Result:
        """Stop here without a signal."""
        return self.end(ActionOutcome.REFUSED, reason, detail)

    def vanish(self, detail: str = "one of its processes ended") -> Result:
        """Stop here: the target is gone."""
        return self.end(ActionOutcome.VANISHED, detail=detail)

    @property
    def alone(self) -> bool:
        """Whether there is only one process to signal."""
        return self.order.method is not Method.SCHEDULER_PAIR


def first_action(order: Order) -> Action:
    """The action whose outcome an attempt without any signal has."""
    return order.stages[0].action if order.stages else Action.STOP
