"""Steps that do not terminate anything: warnings in tmux and snapshots, each recorded in the audit."""

from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode
from tmux_exporter.facts.report import Report, ServerReport
from tmux_exporter.remediator.act import evidence, pane_message
from tmux_exporter.remediator.act.on_record import StepResult, on_record
from tmux_exporter.remediator.act.tmux import HungError, last_lines
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.protection import pane_of
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.remediator.record.log_fields import pane_line, target_labels

MOST_MESSAGES = 10
"""Per cycle: each delays the loop and covers a user's status line."""

_NOT_ASKED: StepResult = (ActionOutcome.WOULD, "only observed")


class WarnAndSnapshot:
    """Takes these steps where a mode is more than `observe`; `state` is the private folder for evidence.

    `screen` says whether a snapshot may hold what stands on a screen.
    """

    def __init__(self, state: Path, audit: Audit, *, uid: int, clock: Clock, screen: bool = False) -> None:
        self._screen = screen
        self._state = state
        self._audit = audit
        self._uid = uid
        self._clock = clock
        self._left = MOST_MESSAGES
        self._hung: set[str] = set()

    def begin(self) -> None:
        """A new cycle."""
        self._left = MOST_MESSAGES
        self._hung.clear()

    def message(self, decision: Decision, report: Report, mode: Mode) -> StepResult:
        """Show a warning to the clients attached to the target's session."""
        if mode is Mode.OBSERVE:
            return _NOT_ASKED
        place = _place(decision.candidate, report)
        if place is None:
            return ActionOutcome.VANISHED, "no pane of its session is there"
        server, pane = place
        if server.server in self._hung:
            return ActionOutcome.FAILED, "the server does not answer"
        if self._left <= 0:
            return ActionOutcome.REFUSED, f"more than {MOST_MESSAGES} in one cycle"
        self._left -= 1

        def tell() -> StepResult:
            try:
                line = pane_line(decision, mode, pane_message.LONGEST)
                shown = pane_message.show(server, pane, line, self._uid)
            except HungError as error:
                self._hung.add(server.server)
                return ActionOutcome.FAILED, str(error)
            except CannotSeeError as error:
                return ActionOutcome.VANISHED, str(error)
            return (
                ActionOutcome.DONE,
                f"shown to {shown}" if shown else "no client is attached to its session",
            )

        record = audit_fields.of_message(decision, mode, server, pane)
        return on_record(self._audit, "message", record, Action.WARN, tell)

    def snapshot(self, decision: Decision, report: Report, mode: Mode) -> StepResult:
        """Write a snapshot of a target; the text is its path."""
        target, rung = decision.candidate.target, decision.rung
        if mode is Mode.OBSERVE:
            return _NOT_ASKED
        if rung is None or not target.processes:
            return ActionOutcome.VANISHED, "it has no process"
        process = decision.culprit.process if decision.culprit else target.processes[0]
        parts = rung.parts
        labels = {"policy": decision.policy.name, **target_labels(target)}

        def on_screen() -> object:
            return self._on_screen(decision.candidate, report)

        def take() -> StepResult:
            try:
                path = evidence.take(self._state, process, parts, labels, clock=self._clock, screen=on_screen)
            except CannotSeeError as error:
                return ActionOutcome.VANISHED, str(error)
            except OSError as error:
                return ActionOutcome.FAILED, error.strerror or str(error)
            return ActionOutcome.DONE, str(path)

        return on_record(
            self._audit, "snapshot", audit_fields.of_snapshot(decision, mode), Action.SNAPSHOT, take
        )

    def _on_screen(self, candidate: TargetCandidate, report: Report) -> object:
        """The last lines of its own pane's screen; if unavailable, the reason."""
        if not self._screen:
            return "not asked for: start tmux-remediator run with --snapshot-screen"
        place = _place(candidate, report)
        if place is None or place[1] != pane_of(candidate):
            return "its pane is gone"
        try:
            return last_lines(*place, self._uid)
        except CannotSeeError as error:
            return str(error)


def _place(candidate: TargetCandidate, report: Report) -> tuple[ServerReport, str] | None:
    """The server of a target, and its own pane or, where that is gone, one of its session."""
    target = candidate.target
    server = next((each for each in report.servers if each.server == target.server), None)
    if server is None or not target.session:
        return None
    panes = [
        each.pane for each in report.panes if (each.server, each.session) == (target.server, target.session)
    ]
    own = pane_of(candidate)
    return (server, own if own in panes else panes[0]) if panes else None
