"""The remediator's loop: sample, decide, act, write its status."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmux_exporter import __version__
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.log import line_counts, log_fields
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_OFF
from tmux_exporter.config import Config
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import (
    Action,
    ActionOutcome,
    Mode,
    Reclaimed,
    Refusal,
    RemediatorStatus,
    TargetKind,
    least,
)
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator import lock
from tmux_exporter.remediator.act.attempt import LONGEST_WAIT, LONGEST_WAIT_OF_A_PLAN, Tools
from tmux_exporter.remediator.act.fd_limit import FdLimits
from tmux_exporter.remediator.act.live_view import LiveView, is_there, limit_files
from tmux_exporter.remediator.act.on_record import StepResult
from tmux_exporter.remediator.act.pane_history import PaneHistory
from tmux_exporter.remediator.act.shared_view import SharedView
from tmux_exporter.remediator.act.terminate import end, judge
from tmux_exporter.remediator.act.throttle import Throttles
from tmux_exporter.remediator.act.warn_and_snapshot import WarnAndSnapshot
from tmux_exporter.remediator.decide.candidates import left_out_words
from tmux_exporter.remediator.decide.culprit import memory_held
from tmux_exporter.remediator.decide.decide import decide, note, reloaded, start, step_refused
from tmux_exporter.remediator.decide.objections import confirmation
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.decide.protection import protection_refusal
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.policy import PANE_STEPS, Channel, Policy, PolicySet
from tmux_exporter.remediator.record import status_file
from tmux_exporter.remediator.record.audit import Audit, AuditError
from tmux_exporter.remediator.record.counters import RemediatorCounters
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.remediator.record.log_fields import (
    LEVELS,
    describe_end,
    describe_target,
    fields,
    warning_text,
)
from tmux_exporter.remediator.record.plan_file import PlanFile
from tmux_exporter.remediator.record.switch import is_off
from tmux_exporter.remediator.record.waits import WaitsFile
from tmux_exporter.remediator.stop import Stop
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.state_file import boot_id

_log = logging.getLogger(__name__)

_PERHAPS_LATER = (ActionOutcome.REFUSED, ActionOutcome.FAILED)

_MEND_OF_APPLY = "end that one, apply the plan, and start it again (systemctl stop, systemctl start)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for: without `enforce` nothing is ever signalled.

    `screen` lets snapshots hold what stands on a screen; `applies` says that it only carries out a plan.
    """

    config: Config
    policies: PolicySet
    enforce: bool
    screen: bool = False
    applies: bool = False


class Remediator:
    """Runs policies for the user who runs it; `cycle` once per interval.

    `runtime` and `state` are the private folders of `places`. Holds the locks from the moment it is made:
    UsageError where another one holds one of them.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], *, runtime: Path, state: Path, clock: Clock
    ) -> None:
        if settings.enforce and settings.config.processes.root != "/proc":
            raise UsageError("processes.root is not /proc: nothing that is read there can be acted on")
        self._settings = settings
        self._clock = clock
        self._runtime = runtime
        self._state = state
        self._switch = state / REMEDIATOR_OFF
        boot = boot_id("/proc")
        self._holds = Holds(state, uid=os.getuid(), boot=boot)
        self._plan = PlanFile(state, uid=os.getuid(), boot=boot, clock=clock)
        limits = limit_files(settings.config, clock, environ, lambda: self._settings.policies)
        self._live = LiveView(settings.config, clock, environ, limits)
        self._me = self._live.me()
        doing = "applies a plan" if settings.applies else "enforces" if settings.enforce else "observes"
        mend = (_MEND_OF_APPLY,) if settings.applies else ()
        # By that in the runtime folder the exporter sees that we live; it may be another one for each login.
        self._locks = lock.take((state, runtime), f"pid {self._me.pid}, which {doing}", clock, *mend)
        self._audit = Audit(state / REMEDIATOR_AUDIT, uid=os.getuid(), clock=clock)
        self._waits = WaitsFile(state, uid=os.getuid(), boot=boot, clock=clock)
        resumed = self._waits.load(settings.policies)
        self._live.earlier = resumed.earlier
        self._sampler = open_sampler(
            settings.config,
            clock,
            environ,
            trees=True,
            screens=False,
            earlier=resumed.earlier,
            spending=limits,
        )
        self._counters = RemediatorCounters(each.name for each in settings.policies.policies)
        self._history = replace(start(self._live.moment()), policies=resumed.policies)
        self._has_seen = False
        self._blind = True
        self._left_out: frozenset[ProcessId] = frozenset()
        self._reload_successful = True
        self._audit_healthy = self._record_policies("start")
        self._warn_and_snapshot = WarnAndSnapshot(
            state, self._audit, uid=os.getuid(), clock=clock, screen=settings.screen
        )
        self._fd_limits = FdLimits(state, self._audit, self._objection, uid=os.getuid(), boot=boot)
        self._pane_history = PaneHistory(state, self._audit, self._objection, uid=os.getuid(), clock=clock)
        shared = SharedView(self._live, clock)
        self._tools = Tools(
            processes=shared.processes,
            around=self._live.around,
            look=shared.look,
            renew=shared.renew,
            own=self._live.own,
            audit=self._audit,
            clock=clock,
            uid=os.getuid(),
            longest_wait=LONGEST_WAIT_OF_A_PLAN if settings.applies else LONGEST_WAIT,
        )
        self._throttles = Throttles(state, self._tools, judge, boot=boot)

    def close(self) -> None:
        """Keep what the next run has to know, end the pauses, and give the locks and the audit back."""
        if self._has_seen:
            self._waits.keep(self._settings.policies, self._history, self._live.earlier, last=True)
        self._throttles.leases.close()
        self._audit.close()
        self._locks.close()

    @property
    def mode(self) -> Mode:
        """The mode in force now: the least of flag and switch, and of what the boldest policy may do."""
        flag = Mode.ENFORCE if self._settings.enforce else Mode.OBSERVE
        boldest = max((each.mode for each in self._settings.policies.policies), key=tuple(Mode).index)
        return least(boldest, flag, Mode.OBSERVE if is_off(self._switch) else Mode.ENFORCE)

    def cycle(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """One sample and what follows from it; no further act is begun once `stopping` says so."""
        self._audit_healthy = self._audit.check()
        try:
            report = self._sampler.sample()
        except Exception:
            # A failed sample decides nothing; try the next one.
            _log.exception("sample failed")
            self._blind = True
            self._tell()
            return
        self._live.earlier = report.remembered
        verdict = decide(
            self._settings.policies,
            report,
            self._history,
            self._live.moment(),
            self._live.own(),
            holds=self._holds.read(),
        )
        self._history, self._blind = verdict.state, verdict.blind
        self._counters.cycle(verdict.matches, verdict.opened)
        self._plan.keep(verdict.plan)
        self._say_left_out(report)
        self._warn_and_snapshot.begin()
        # No act rests on a sample from before its decision.
        self._tools.renew()
        for decision in verdict.decisions:
            if stopping():
                break
            self._carry_out(decision, report)
        self._follow()
        self._has_seen = True
        self._waits.keep(self._settings.policies, self._history, report.remembered)
        self._tell()

    def use(self, policies: PolicySet) -> None:
        """Go on with other policies; nothing that has begun to be waited for is waited for any shorter."""
        before = self._settings.policies
        self._history = reloaded(before, policies, self._history, self._live.moment())
        self._settings = replace(self._settings, policies=policies)
        self._counters.use(each.name for each in policies.policies)
        self._audit_healthy = self._record_policies("reload")
        self._reload_successful = True

    def keep_policies(self) -> None:
        """Go on with the policies in use, because those that were read now have a mistake."""
        self._reload_successful = False

    def apply(self, order: Order) -> tuple[bool, str]:
        """Carry out an approved order; returns whether it ended its target, and a text.

        It is verified again, and switch, holds and protection stand against it as against every other.
        """
        if is_off(self._switch):
            return False, f"{Refusal.SWITCHED_OFF}: {self._switch} is there; to go on: tmux-remediator on"
        result = end(order, self._tools, confirmation(order.policy, self._holds.read))
        outcomes = ", ".join(f"{action} {outcome}" for action, outcome in result.actions)
        return result.ended, ": ".join(filter(None, (outcomes, result.refusal, result.detail)))

    def status(self) -> RemediatorStatus:
        """The status file's content."""
        now = self._live.moment()
        return RemediatorStatus(
            process=self._me,
            mode=self.mode,
            interval_seconds=self._settings.config.sampling.interval,
            cycle_timestamp=now.wall,
            cycle_at=now.monotonic,
            blind=self._blind,
            audit_healthy=self._audit_healthy,
            reload_successful=self._reload_successful,
            policies=self._counters.status(),
            ended=self._counters.ended,
            log_lines=line_counts(),
        )

    def _mode_of(self, policy: Policy) -> Mode:
        """The mode in force now for one policy: the least of policy, flag and switch."""
        return least(policy.mode, self.mode)

    def _carry_out(self, decision: Decision, report: Report) -> None:
        policy, action = decision.policy.name, decision.action
        if decision.refusal is not None:
            self._counters.refuse(policy, decision.refusal)
        if action is None:
            self._say("left alone", decision, reason=decision.refusal)
        elif decision.refusal is not None:
            self._counters.act(policy, action, ActionOutcome.REFUSED)
            self._say(f"{action}, {decision.refusal}: left out", decision)
        elif action is Action.WARN:
            self._warn(decision, report)
        elif action is Action.SNAPSHOT:
            self._snapshot(decision, report)
        elif action is Action.THROTTLE:
            self._throttle(decision)
        elif action is Action.RAISE_FD_LIMIT:
            self._change(decision, action, report, self._fd_limits.take)
        elif action in PANE_STEPS:
            self._change(decision, action, report, self._pane_history.take)
            self._counters.reclaim(policy, Reclaimed.HISTORY, self._pane_history.take_reclaimed())
        elif decision.order is not None and self._mode_of(decision.policy) is Mode.ENFORCE:
            self._end(decision, decision.order, report)
        elif decision.order is not None:
            self._counters.act(policy, action, ActionOutcome.WOULD)
            if self._settings.enforce and is_off(self._switch):
                self._counters.refuse(policy, Refusal.SWITCHED_OFF)
            self._say(f"would end {describe_end(decision)}", decision)

    def _warn(self, decision: Decision, report: Report) -> None:
        """Tell of it in the counters and the log and, where the policy says so, in tmux."""
        rung = decision.rung
        more: dict[str, Any] = {}
        self._counters.act(decision.policy.name, Action.WARN, ActionOutcome.DONE)
        if rung is not None and Channel.PANE_MESSAGE in rung.via:
            outcome, words = self._warn_and_snapshot.message(decision, report, self._mode_of(decision.policy))
            self._note_step(decision, outcome, words)
            more = {"pane_message": f"{outcome}: {words}"}
        level = LEVELS[rung.severity] if rung else logging.WARNING
        self._say(warning_text(decision), decision, level=level, **more)

    def _snapshot(self, decision: Decision, report: Report) -> None:
        """Keep what the target is like, where the policy may do more than observe."""
        outcome, words = self._warn_and_snapshot.snapshot(decision, report, self._mode_of(decision.policy))
        self._counters.act(decision.policy.name, Action.SNAPSHOT, outcome)
        self._note_step(decision, outcome, words)
        more: dict[str, Any] = {"file" if outcome is ActionOutcome.DONE else "detail": words}
        self._say(f"snapshot of {describe_target(decision.candidate)}: {outcome}", decision, **more)

    def _throttle(self, decision: Decision) -> None:
        """Hold a target for the time of a lease, where the policy may do more than observe."""
        policy, order, rung = decision.policy, decision.order, decision.rung
        if rung is None or rung.throttle is None or order is None:
            return
        if self._mode_of(policy) is not Mode.ENFORCE:
            if lacking := self._throttles.lacking(rung.throttle):
                self._counters.act(policy.name, Action.THROTTLE, ActionOutcome.REFUSED)
                self._counters.refuse(policy.name, Refusal.UNAVAILABLE)
                self._say(f"throttle, {Refusal.UNAVAILABLE}: left out", decision, detail=lacking)
                return
            self._counters.act(policy.name, Action.THROTTLE, ActionOutcome.WOULD)
            self._say(f"would throttle {describe_end(decision)}", decision)
            return
        result = self._throttles.take(order, rung.throttle, confirmation(policy, self._holds.read))
        ((_, outcome),) = result.actions
        culprit = None if rung.throttle.whole_pane else decision.culprit
        self._counters.act(policy.name, Action.THROTTLE, outcome, culprit)
        if result.refusal is not None:
            self._counters.refuse(policy.name, result.refusal)
        self._audit_healthy = self._audit_healthy and result.refusal is not Refusal.AUDIT
        why = {"reason": result.refusal} if result.refusal else {}
        if outcome in _PERHAPS_LATER:
            self._later(decision)
        words = f"throttle of {describe_end(decision)}: {outcome}"
        self._say(words, decision, level=logging.WARNING, detail=result.detail, **why)

    def _follow(self) -> None:
        """End what has to end, and count what holds."""
        try:
            grown = self._throttles.leases.follow()
        except OSError as error:
            _log.error("leases not written", extra=log_fields(error=str(error)))
            return
        offset = self._clock.time() - self._clock.monotonic()
        running = self._throttles.leases.running
        self._counters.leases(((each.policy, each.means, each.until + offset) for each in running), grown)

    def _change(
        self,
        decision: Decision,
        action: Action,
        report: Report,
        take: Callable[[Decision, Report, Mode], StepResult],
    ) -> None:
        """Take a step that ends nothing and changes something, where the policy enforces."""
        policy = decision.policy
        outcome, words = take(decision, report, self._mode_of(policy))
        self._counters.act(policy.name, action, outcome, decision.culprit)
        if self._settings.enforce and is_off(self._switch):
            self._counters.refuse(policy.name, Refusal.SWITCHED_OFF)
        self._note_step(decision, outcome, words)
        if isinstance(words, Refusal) and words is not Refusal.AUDIT:
            self._counters.refuse(policy.name, words)
        # A hold ends, a mode is left; a limit that is as high as it may be stays so.
        if isinstance(words, Refusal) or (action in PANE_STEPS and outcome in _PERHAPS_LATER):
            self._later(decision)
        level = logging.INFO if outcome is ActionOutcome.WOULD else logging.WARNING
        self._say(
            f"{action} of {describe_target(decision.candidate)}: {outcome}",
            decision,
            level=level,
            detail=words,
        )

    def _later(self, decision: Decision) -> None:
        interval, now = self._settings.config.sampling.interval, self._clock.monotonic()
        self._history = step_refused(self._history, decision, interval=interval, now=now)

    def _objection(self, decision: Decision, report: Report) -> Refusal | None:
        """What speaks against a step that changes something by now."""
        if is_off(self._switch):
            return Refusal.SWITCHED_OFF
        now = self._clock.time()
        return protection_refusal(decision.policy, decision.candidate, report, self._holds.read(), now)

    def _note_step(self, decision: Decision, outcome: ActionOutcome, words: str) -> None:
        if (outcome, words) == (ActionOutcome.REFUSED, Refusal.AUDIT):
            self._counters.refuse(decision.policy.name, Refusal.AUDIT)
            self._audit_healthy = False

    def _end(self, decision: Decision, order: Order, report: Report) -> None:
        candidate, policy = decision.candidate, order.policy.name
        shell = order.target.processes[0]
        self._counters.end(shell)
        self._tell()
        self._throttles.leases.release(order.first)
        held = memory_held(order, candidate, report)
        result = end(order, self._tools, confirmation(order.policy, self._holds.read))
        if result.ended:
            gone = sum(size for process, size in held.items() if not is_there(process))
            self._counters.reclaim(policy, Reclaimed.MEMORY, gone)
        if not result.ended or order.target.kind is not TargetKind.SCHEDULER:
            self._counters.spare(shell)
        if result.refusal is not None:
            self._counters.refuse(policy, result.refusal)
        for action, outcome in result.actions:
            self._counters.act(policy, action, outcome, decision.culprit)
        now = self._clock.monotonic()
        self._history = note(self._history, order, candidate, result.actions, report=report, now=now)
        self._audit_healthy = self._audit_healthy and result.refusal is not Refusal.AUDIT
        self._say(
            f"{'ended' if result.ended else 'did not end'} {describe_end(decision)}",
            decision,
            level=logging.WARNING,
            actions=",".join(f"{action}={outcome}" for action, outcome in result.actions),
            **({"reason": result.refusal} if result.refusal else {}),
            **({"detail": result.detail} if result.detail else {}),
        )
        self._tell()

    def _say_left_out(self, report: Report) -> None:
        """Tell once of each scheduler without a server that `--server` leaves out."""
        found = left_out_words(self._settings.policies, report)
        for process in found.keys() - self._left_out:
            _log.warning(found[process], extra=log_fields(process=process.pid))
        self._left_out = frozenset(found)

    def _say(self, message: str, decision: Decision, *, level: int = logging.INFO, **more: object) -> None:
        _log.log(level, message, extra=log_fields(**{**fields(decision, self._clock.time()), **more}))

    def _tell(self) -> None:
        try:
            status_file.write(self._runtime, self.status())
        except OSError as error:
            _log.error("status not written", extra=log_fields(folder=str(self._runtime), error=str(error)))

    def _record_policies(self, kind: str) -> bool:
        """Put on record which policies hold from now on."""
        policies = self._settings.policies
        try:
            self._audit.record(
                kind,
                version=__version__,
                pid=self._me.pid,
                enforce=self._settings.enforce,
                policies=[each.name for each in policies.policies],
                policies_sha256=policies.digest,
            )
        except AuditError as error:
            _log.error("no audit, so nothing will be ended", extra=log_fields(error=str(error)))
            return False
        return True


def run(
    remediator: Remediator, interval: float, clock: Clock, stop: Stop, reload: Callable[[], None]
) -> None:
    """One cycle each `interval` seconds until a stop is asked for; what comes too late is left out.

    `reload` is called between two cycles after a SIGHUP.
    """
    due = clock.monotonic()
    while not stop.wait(due - clock.monotonic()):
        if stop.take_reload():
            reload()
        if clock.monotonic() < due:
            continue
        remediator.cycle(lambda: stop.asked)
        due += interval * max(1, -(-(clock.monotonic() - due) // interval))
