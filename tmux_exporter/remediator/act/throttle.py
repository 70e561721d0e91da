"""Throttle one target for a lease that ends by itself, also when this program is dead.

The order of the steps makes it safe. The target is held by pidfds and judged as before an end. What ends the
lease comes first: the keeper of a pause is started, the timer of a scope is set, and both are on record
before anything is held. Killed at any step, nothing stays throttled after its lease.
"""

import select
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import NamedTuple

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.cgroups import CgroupBounds
from tmux_exporter.facts.process import Cgroup, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Action, ActionOutcome, LeaseMeans, Refusal
from tmux_exporter.facts.report import AgentReport
from tmux_exporter.remediator.act import lease_scope
from tmux_exporter.remediator.act.attempt import Attempt, Result, Tools
from tmux_exporter.remediator.act.live_view import is_alive, process_of
from tmux_exporter.remediator.act.pause import Pause, is_stopped, start
from tmux_exporter.remediator.act.running_leases import RunningLeases
from tmux_exporter.remediator.decide.culprit import awaits_somebody
from tmux_exporter.remediator.decide.last_checks import descendants
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.throttled import MOST_PROCESSES, first_spared, members
from tmux_exporter.remediator.decide.vetoes import Case
from tmux_exporter.remediator.policies.policy import OptIn, Throttle
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import AuditError
from tmux_exporter.remediator.record.leases import Lease
from tmux_exporter.sources.host.cgroups import members_at, place_at, read_means, read_place, used_at

SECONDS = 10.0
"""For how long the effect of a throttle is waited for."""

_ROUNDS = 5
"""How often what a tree has started meanwhile is moved as well."""

Confirm = Callable[[Case], Refusal | None]


@dataclass(slots=True, kw_only=True)
class _Step:
    """One throttle between its steps."""

    order: Order
    attempt: Attempt
    throttle: Throttle
    with_below: bool
    means: LeaseMeans = LeaseMeans.SCOPE
    held: list[tuple[ProcessId, int]] = field(default_factory=list)
    resident: int = 0
    units: frozenset[str | None] = frozenset()
    scope: lease_scope.LeaseScope | None = None
    pause: Pause | None = None
    number: int | None = None
    lease: Lease | None = None
    begun: bool = False
    events: int = 0

    @property
    def root(self) -> ProcessId:
        return self.attempt.order.first


class Throttles:
    """Begins throttles; `judge` is `terminate.judge`."""

    def __init__(
        self, state: Path, tools: Tools, judge: Callable[[Attempt], Result | None], *, boot: str
    ) -> None:
        self._tools = tools
        self._judge = judge
        self.leases = RunningLeases(state, tools.clock, uid=tools.uid, boot=boot)

    def take(self, order: Order, throttle: Throttle, confirm: Confirm) -> Result:
        """Throttle the process of an order and, with `with_below`, what descends from it; or say why not.

        Raises only for bugs.
        """
        with ExitStack() as held:
            # One that must be left alone below it is spared, and does not speak against the rest.
            judged = replace(order, with_below=False)
            if throttle.whole_pane:
                # The pane stays open.
                allow = (*order.policy.allow, OptIn.PANE_SHELL)
                judged = replace(judged, policy=replace(order.policy, allow=allow))
            attempt = Attempt(order=judged, tools=self._tools, confirm=confirm, held=held)
            step = _Step(order=order, attempt=attempt, throttle=throttle, with_below=order.with_below)
            result = _result(ActionOutcome.FAILED, detail="interrupted by a mistake of ours")
            try:
                result = self._run(step)
            finally:
                if result.ended and step.lease is not None:
                    self.leases.add(step.lease, step.pause, step.events)
                else:
                    self._undo(step)
                if step.number is not None:
                    result = self._record_outcome(step.number, result)
            return result

    def lacking(self, throttle: Throttle) -> str:
        """Why this machine can hold none of what a throttle allows; empty where it can."""
        means = read_means(self._tools.uid)
        return means.lacking(
            bounded=throttle.needs_cgroup, pause=throttle.pause, whole_pane=throttle.whole_pane
        )

    def _undo(self, step: _Step) -> None:
        """End what has begun, before its lease does."""
        if step.pause is not None:
            step.pause.end()
        with suppress(OSError):
            if step.begun and step.scope is not None:
                lease_scope.end_now(step.scope, self._tools.uid)
            if step.lease is not None:
                self.leases.keep()

    def _run(self, step: _Step) -> Result:
        for each in STEPS:
            try:
                result = each.run(self, step)
            except ProcessLookupError:
                return _result(ActionOutcome.VANISHED, detail="one of its processes ended")
            except AuditError as error:
                return _refused(Refusal.AUDIT, str(error))
            except OSError as error:
                return _result(ActionOutcome.FAILED, detail=error.strerror or str(error))
            if result is not None:
                return result
        until = f"{len(step.held)} processes for {step.throttle.lease:g} s ({step.means})"
        return _result(ActionOutcome.DONE, detail=until)

    def _not_twice(self, step: _Step) -> Result | None:
        if self.leases.holds(step.root):
            return _refused(Refusal.BUDGET, "a lease of it holds already")
        return None

    def _judge_it(self, step: _Step) -> Result | None:
        # What a process does changes by the second: a sample of its own.
        self._tools.renew()
        return self._judge(step.attempt)

    def _choose(self, step: _Step) -> Result | None:
        """What holds it here."""
        if lacking := self.lacking(step.throttle):
            return _refused(Refusal.UNAVAILABLE, lacking)
        if step.throttle.whole_pane:
            return self._choose_pane(step)
        if step.throttle.needs_cgroup and not read_means(self._tools.uid).problem:
            place = read_place(step.root)
            if place is None:
                return _refused(Refusal.UNAVAILABLE, "its cgroup cannot be read")
            stamp = round(self._tools.clock.monotonic())
            step.scope = lease_scope.plan(place, step.root, self._tools.uid, stamp)
            if step.scope.origin is None and OptIn.MOVED_FOR_GOOD not in step.attempt.order.policy.allow:
                return _refused(
                    Refusal.NO_RETURN, f"it cannot return to {place.path[-1] if place.path else '/'}"
                )
            return None
        step.means = LeaseMeans.PAUSE
        return None

    def _choose_pane(self, step: _Step) -> Result | None:
        """The scope that tmux has made for the pane, where agent and pane are in it."""
        case = step.attempt.case
        if case is not None and awaits_somebody(case.subject, case.report):
            return _refused(Refusal.STATE, "an agent waits in its pane")
        place, pane = read_place(step.root), self._pane_of(step)
        home = None if pane is None else read_place(pane)
        if place is None or home is None or place.path != home.path or not place.is_pane_scope:
            return _refused(Refusal.UNAVAILABLE, "tmux has made no scope for its pane, or it is not in it")
        used = used_at(place.path)
        if used is None:
            return _refused(Refusal.UNAVAILABLE, "the memory of its pane cannot be read")
        step.scope = lease_scope.plan_pane(place, step.throttle, used)
        step.events = place.events.get("high", 0)
        if self.leases.holds_in(place.path):
            return _refused(Refusal.BUDGET, "a lease of its pane holds already")
        if step.scope.whole_pane == CgroupBounds():
            return _refused(Refusal.UNAVAILABLE, "its pane has lower bounds already")
        return None

    def _pane_of(self, step: _Step) -> ProcessId | None:
        """What tmux has started in the pane of the agent, by the sample that it was judged by."""
        case = step.attempt.case
        if case is None or not isinstance(case.subject, AgentReport):
            return None
        place = (case.subject.server, case.subject.pane)
        pids = [each.pid for each in case.report.panes if (each.server, each.pane) == place and each.pid]
        return process_of(pids[0]) if pids else None

    def _hold_pane(self, step: _Step, path: Cgroup) -> Result | None:
        """See that everything in the scope of a pane may be throttled; nothing of it is moved."""
        tools, pane = self._tools, self._pane_of(step)
        inside = set()
        for pid in members_at(path):
            with suppress(ProcessLookupError, FileNotFoundError, ValueError):
                inside.add(process_of(pid))
        if pane is None or pane not in inside or step.root not in inside:
            return _refused(Refusal.CHANGED, "its pane is another one by now")
        if len(inside) > MOST_PROCESSES:
            return _refused(Refusal.MAX_MATCH, f"it has more than {MOST_PROCESSES} processes")
        table = tools.processes(inside)
        if not table.complete:
            return _refused(Refusal.BLIND, "not all processes could be listed")
        around, order = tools.around(inside, ()), step.attempt.order
        spared = first_spared(table, frozenset(inside), pane, around, order, uid=tools.uid, own=tools.own())
        if spared is not None:
            return _refused(Refusal.EVIDENCE, f"pid {spared[0].pid} is in its pane: {spared[1]}")
        # Nothing is signalled, and no other unit ever has the name of this one.
        step.held = [(each, -1) for each in sorted(inside)]
        return None

    def _hold(self, step: _Step) -> Result | None:
        """Open a pidfd of each process, then look that the pids are still theirs."""
        if step.scope is not None and step.scope.whole_pane is not None:
            return self._hold_pane(step, step.scope.path)
        order, tools = step.attempt.order, self._tools
        top = order.target.processes[0]
        table = tools.processes((top,))
        if not table.complete:
            return _refused(Refusal.BLIND, "not all processes could be listed")
        if step.root not in (top, *descendants(table, (top,))):
            return _refused(Refusal.CHANGED, "the culprit is not below it any more")
        found = self._members(step, table, pausing=step.means is LeaseMeans.PAUSE)
        if not found:
            return _refused(
                Refusal.EVIDENCE, "it is a shell, an agent, a job of a shell, or may not be touched"
            )
        if len(found) > MOST_PROCESSES:
            return _refused(Refusal.MAX_MATCH, f"it has more than {MOST_PROCESSES} processes")
        for each in found:
            with suppress(ProcessLookupError, FileNotFoundError, ValueError):
                descriptor = step.attempt.open(each.pid)
                if process_of(each.pid) == each and not is_stopped(each.pid):
                    step.held.append((each, descriptor))
        if not step.held:
            return _result(ActionOutcome.VANISHED, detail="its processes ended, or were stopped already")
        known = (table.processes[each.pid].resident_bytes for each, _ in step.held)
        step.resident = sum(each or 0 for each in known)
        return None

    def _start_keeper(self, step: _Step) -> Result | None:
        if step.means is LeaseMeans.PAUSE:
            step.pause = start(step.held, step.throttle.lease)
        return None

    def _record(self, step: _Step) -> Result | None:
        audit, order = self._tools.audit, step.order
        if not audit.check():
            return _refused(Refusal.AUDIT, "its outcome might not be told any more")
        now = self._tools.clock.monotonic()
        step.lease = Lease(
            policy=order.policy.name,
            means=step.means,
            target=step.root,
            processes=tuple(each for each, _ in step.held),
            until=now + step.throttle.lease,
            unit=step.scope.unit if step.scope else "",
            path=step.scope.path if step.scope else (),
            keeper=step.pause.keeper if step.pause else None,
        )
        step.number = audit.record(
            "throttle",
            **audit_fields.of_throttle(
                order, step.throttle, step.lease, step.attempt.evidence, step.attempt.case
            ),
        )
        return None

    def _write(self, step: _Step) -> Result | None:
        if step.lease is not None:
            self.leases.keep(step.lease)
        return None

    def _set_timer(self, step: _Step) -> Result | None:
        if step.scope is not None:
            lease_scope.start_timer(step.scope, step.throttle.lease, self._tools.uid)
        return None

    def _begin(self, step: _Step) -> Result | None:
        if step.pause is not None:
            step.pause.begin()
        elif step.scope is not None and step.scope.whole_pane is not None:
            step.begun = True
            lease_scope.bound_pane(step.scope, self._tools.uid)
        elif step.scope is not None:
            pids = [each.pid for each, _ in step.held]
            step.begun = True
            lease_scope.start_scope(step.scope, step.throttle, step.resident, pids, self._tools.uid)
        return None

    def _verify(self, step: _Step) -> Result | None:
        """See the effect: all are stopped, or in the scope together with what they started meanwhile."""
        if step.means is LeaseMeans.PAUSE:
            wanted = [each for each, _ in step.held]
            if not _seen(self._tools.clock, lambda: all(map(_is_held, wanted))):
                return _result(ActionOutcome.FAILED, detail="not all of them stopped")
            return None
        if step.scope is not None and step.scope.whole_pane is not None:
            held = place_at(step.scope.path).bounds
            if not _has(held, step.scope.whole_pane):
                return _result(ActionOutcome.FAILED, detail="its pane has not got the bounds")
            return None
        return self._gather(step, step.scope) if step.scope is not None else None

    def _gather(self, step: _Step, scope: lease_scope.LeaseScope) -> Result | None:
        wanted = {each.pid for each, _ in step.held}
        if not _seen(self._tools.clock, lambda: bool(wanted & members_at(scope.path))):
            return _result(ActionOutcome.FAILED, detail="systemd did not move it into the scope")
        for _ in range(_ROUNDS):
            late = self._late(step) - members_at(scope.path)
            if not late:
                return None
            lease_scope.attach(scope, sorted(late), self._tools.uid)
        return None

    def _late(self, step: _Step) -> frozenset[int]:
        """The pids of the tree as it is now."""
        found = self._members(step, self._tools.processes((step.root,)), pausing=False)
        return frozenset(each.pid for each in found)

    def _members(self, step: _Step, table: ProcessTable, *, pausing: bool) -> tuple[ProcessId, ...]:
        tools, order = self._tools, step.attempt.order
        tree = (step.root, *descendants(table, (step.root,))) if step.with_below else (step.root,)
        around = tools.around(tree, ())
        # Once it is moved, what it has started since may be in either.
        if not step.units:
            step.units = frozenset({around[step.root].unit, step.scope.unit if step.scope else None})
        own = tools.own()
        return members(table, tree, around, order, uid=tools.uid, own=own, pausing=pausing, units=step.units)

    def _record_outcome(self, number: int, result: Result) -> Result:
        try:
            self._tools.audit.record("outcome", of=number, actions=result.actions, detail=result.detail)
        except AuditError as error:
            detail = f"{result.detail}; its outcome is not on record: {error}"
            return Result(actions=result.actions, refusal=result.refusal, detail=detail)
        return result


class ThrottleStep(NamedTuple):
    """One step of the protocol: it returns a Result where it is over."""

    name: str
    run: Callable[[Throttles, _Step], Result | None]


STEPS = (
    ThrottleStep("not_twice", Throttles._not_twice),
    ThrottleStep("judge", Throttles._judge_it),
    ThrottleStep("choose", Throttles._choose),
    ThrottleStep("hold", Throttles._hold),
    ThrottleStep("start_keeper", Throttles._start_keeper),
    ThrottleStep("record", Throttles._record),
    ThrottleStep("write", Throttles._write),
    ThrottleStep("set_timer", Throttles._set_timer),
    ThrottleStep("begin", Throttles._begin),
    ThrottleStep("verify", Throttles._verify),
)
"""The protocol, in its order: what ends the lease comes before what begins it."""


def _result(outcome: ActionOutcome, reason: Refusal | None = None, detail: str = "") -> Result:
    return Result(actions=((Action.THROTTLE, outcome),), refusal=reason, detail=detail)


def _refused(reason: Refusal, detail: str) -> Result:
    return _result(ActionOutcome.REFUSED, reason, detail)


def _is_held(process: ProcessId) -> bool:
    """Whether it is stopped, or gone."""
    try:
        return not is_alive(process) or is_stopped(process.pid)
    except (OSError, ValueError):
        return True


def _has(held: CgroupBounds, wanted: CgroupBounds) -> bool:
    """Whether each bound that is wanted is there; the kernel rounds memory down to pages."""
    pairs = [(getattr(held, each.name), getattr(wanted, each.name)) for each in fields(wanted)]
    return all(bound is None or (value is not None and value <= bound) for value, bound in pairs)


def _seen(clock: Clock, condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in time."""
    deadline = clock.monotonic() + SECONDS
    while not condition():
        if clock.monotonic() >= deadline:
            return False
        select.select((), (), (), 0.02)
    return True
