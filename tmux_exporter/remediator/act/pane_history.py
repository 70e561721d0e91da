"""Save the history of a pane, clear it, limit that of panes to come; close a pane whose program has ended.

A tmux server is one thread: what it does for us delays every pane. So a history is read in small parts, with
pauses. It is cleared only if it is saved to its last line, and tmux itself compares at that moment: the
server, the pane, its mode, its clients, its protection and how many lines it has. So it does before a pane
is closed, which must be dead and not the last one of its session.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal
from tmux_exporter.facts.report import PaneReport, Report, ServerReport
from tmux_exporter.remediator.act.history_files import HistoryFiles, appended, begins_with, let_oldest_go
from tmux_exporter.remediator.act.on_record import StepResult, on_record
from tmux_exporter.remediator.act.tmux import PANE, HungError, ask
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.policy import OptIn
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.sources.tmux.source import process_cpu_seconds

MOST_BYTES = 128 * 2**20
"""The largest history that is saved where a policy says nothing else."""

MOST_LINES = 2_000
"""Lines that are read at once; fewer where that takes the server more than a third of STANDSTILL_SECONDS."""

FEWEST_LINES = 50
STANDSTILL_SECONDS = 0.02
PAUSE_SECONDS = 0.02
LONGEST_SECONDS = 60.0
"""For one history; other targets wait meanwhile."""

_TRIES = 5
_FIRST_LINES = 250
_NEARLY_FULL = 0.9
"""tmux cuts a tenth off a full history: until then line numbers only grow."""

_FIGURES = (
    "pid",
    "pane_id",
    "history_size",
    "history_bytes",
    "history_limit",
    "pane_in_mode",
    "window_activity",
    "pane_dead",
    "pane_pid",
)
_FORMAT = " ".join(f"#{{{name}}}" for name in _FIGURES)
_ROW = re.compile(rb"([0-9]+) (%[0-9]+) ([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+) ([01]?) ([0-9]+)")

_UNPROTECTED = (
    "#{||:#{||:#{==:#{@protect},},#{==:#{@protect},0}},#{||:#{==:#{@protect},no},"
    "#{||:#{==:#{@protect},off},#{==:#{@protect},false}}}}"
)
"""What no value of `@protect` makes protected, as `sources.tmux.parse_listing` reads it."""

_NOT_THE_LAST = "#{||:#{!=:#{window_panes},1},#{&&:#{==:#{window_linked},0},#{!=:#{session_windows},1}}}"
"""A pane that is not the last one of its session, nor of another session that shows its window too."""

_PLACE = "#{window_panes} #{window_linked} #{session_windows}"
"""What that rests on: nothing is saved, again and again, of a pane that stays anyway."""

_UNATTENDED = "#{==:#{m:*#{window_id} *,#{S:#{?session_attached,#{W:#{window_id} },}}},0}"
"""No client is attached to any session with the window; tmux takes the pane for one of the last used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneFigures:
    """One pane as its server describes it; `activity` is the second of its window's last output.

    `pid` is that of its program, also once that is `dead`.
    """

    lines: int
    bytes: int
    limit: int
    in_mode: bool
    activity: int
    dead: bool = False
    pid: int = 0

    @property
    def is_nearly_full(self) -> bool:
        """Whether its oldest lines may be cut off."""
        return self.lines >= self.limit * _NEARLY_FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is on disk of a history: all its lines at the moment of `figures`."""

    path: Path
    figures: PaneFigures


class _MovedError(Exception):
    """The history changed in a way that leaves unknown which of its lines are saved."""


Objection = Callable[[], Refusal | None]
"""What speaks against the step by now: to read a history may take a minute."""


class PaneHistory:
    """Takes these steps where a mode is `enforce`; `state` is the private folder for saved histories.

    `objection` says what speaks against a decision by now: the switch, a hold, protection.
    """

    def __init__(
        self,
        state: Path,
        audit: Audit,
        objection: Callable[[Decision, Report], Refusal | None],
        *,
        uid: int,
        clock: Clock,
    ) -> None:
        self._files = HistoryFiles(state, uid=uid, clock=clock)
        self._audit = audit
        self._objection = objection
        self._uid = uid
        self._clock = clock
        self._saved: dict[tuple[int, str], Saved] = {}
        self._reclaimed = 0

    def take_reclaimed(self) -> int:
        """The bytes of history that went since the last call."""
        found, self._reclaimed = self._reclaimed, 0
        return found

    def take(self, decision: Decision, report: Report, mode: Mode) -> StepResult:
        """One of PANE_STEPS, as its rung says."""
        rung, subject = decision.rung, decision.candidate.subject
        if mode is not Mode.ENFORCE:
            return ActionOutcome.WOULD, "only observed"
        if rung is None or not isinstance(subject, PaneReport):
            return ActionOutcome.VANISHED, "it is no pane"
        server = next((each for each in report.servers if each.server == subject.server), None)
        if server is None or server.pid is None or not PANE.fullmatch(subject.pane):
            return ActionOutcome.VANISHED, "its server is not known"
        if (reason := self._objection(decision, report)) is not None:
            return ActionOutcome.REFUSED, reason
        late = partial(self._objection, decision, report)
        steps: dict[Action, Callable[[ServerReport, str, Decision], StepResult]] = {
            Action.SAVE: self._save,
            Action.CLEAR_HISTORY: partial(self._clear, late),
            Action.SET_OPTION: self._set_option,
            Action.CLOSE_DEAD_PANE: partial(self._close, late),
        }

        def step() -> StepResult:
            try:
                return steps[rung.action](server, subject.pane, decision)
            except HungError as error:
                return ActionOutcome.FAILED, str(error)
            except CannotSeeError as error:
                return ActionOutcome.VANISHED, str(error)
            except _MovedError as error:
                return ActionOutcome.REFUSED, str(error)
            except OSError as error:
                return ActionOutcome.FAILED, error.strerror or str(error)

        record = audit_fields.of_pane_step(decision, mode, server, subject.pane)
        return on_record(self._audit, str(rung.action), record, rung.action, step)

    def _save(self, server: ServerReport, pane: str, decision: Decision) -> StepResult:
        most = MOST_BYTES if decision.rung is None else decision.rung.max_bytes or MOST_BYTES
        now = self._figures(server, pane)
        if now.in_mode:
            return ActionOutcome.REFUSED, "somebody reads in it: it is in a mode"
        if now.bytes > most:
            return ActionOutcome.REFUSED, f"its history has {now.bytes} bytes, more than {most}"
        with self._files.new(f"{server.pid}-{pane[1:]}", now.bytes) as (path, stream):
            figures = self._copy(server, pane, 0, now, stream.write)
        key = (server.pid or 0, pane)
        before = self._saved.get(key)
        self._saved[key] = Saved(path=path, figures=figures)
        # Somebody else may have cleared it since: then the earlier file has lines that this one lacks.
        if before is not None and begins_with(path, before.path):
            before.path.unlink(missing_ok=True)
        let_oldest_go(path)
        return ActionOutcome.DONE, str(path)

    def _clear(self, late: Objection, server: ServerReport, pane: str, decision: Decision) -> StepResult:
        now, key = self._figures(server, pane), (server.pid or 0, pane)
        saved = self._saved.get(key)
        if saved is None or not saved.path.is_file():
            return ActionOutcome.REFUSED, "its history is not saved"
        before = now.bytes
        # Somebody else may have cleared it since, and it may have grown again.
        compare = now != saved.figures
        for _ in range(_TRIES):
            saved = self._saved[key] = self._catch_up(server, pane, saved, now, compare=compare)
            compare = False
            if (reason := late()) is not None:
                return ActionOutcome.REFUSED, reason
            # It says so itself: by the next look it may be as long as before.
            command = f"clear-history -t {pane} ; display-message -p -t {pane} cleared"
            answer = self._change(server, pane, _unchanged(saved, decision), command, *_unattended(decision))
            now = self._figures(server, pane)
            if b"cleared" in answer.split() or saved.figures.lines == 0:
                del self._saved[key]
                gone = max(0, before - now.bytes)
                self._reclaimed += gone
                return ActionOutcome.DONE, f"{gone} bytes of history"
            if now.in_mode:
                return ActionOutcome.REFUSED, "somebody reads in it: it is in a mode"
        return (
            ActionOutcome.REFUSED,
            "it prints faster than it can be saved, or its session is attended or protected",
        )

    def _set_option(self, server: ServerReport, pane: str, decision: Decision) -> StepResult:
        value = None if decision.rung is None else decision.rung.value
        if value is None:
            return ActionOutcome.FAILED, "no value is given"
        limit, before = self._figures(server, pane).limit, self._option(server, pane)
        # It is only ever lowered: what nobody has set on the session is as the pane has it.
        if value >= (current := int(before) if before.isdecimal() else limit):
            return ActionOutcome.DONE, f"history-limit of its session is {current} already"
        self._change(server, pane, [("pane_id", pane)], f"set-option -t {pane} history-limit {value}")
        if self._option(server, pane) != str(value):
            return ActionOutcome.REFUSED, "it is protected"
        return ActionOutcome.DONE, audit_fields.limit_words(value, before)

    def _close(self, late: Objection, server: ServerReport, pane: str, decision: Decision) -> StepResult:
        now, key = self._figures(server, pane), (server.pid or 0, pane)
        if not now.dead:
            return ActionOutcome.REFUSED, "its program runs"
        if not now.pid:
            return ActionOutcome.REFUSED, "it never had a program: somebody else writes to it"
        answer = ask(server, ("display-message", "-p", "-t", pane, _PLACE), self._uid)
        if answer.split()[:2] == [b"1", b"1"] or answer.split()[::2] == [b"1", b"1"]:
            return ActionOutcome.REFUSED, "it is the last pane of its session"
        result = self._save(server, pane, decision)
        if result[0] is not ActionOutcome.DONE:
            return result
        if (reason := late()) is not None:
            return ActionOutcome.REFUSED, reason
        saved = self._saved[key]
        whole = saved.path.stat().st_size
        with appended(saved.path) as stream:
            stream.write(ask(server, ("capture-pane", "-p", "-t", pane), self._uid))
        conditions, texts = _closable(saved, decision), (_NOT_THE_LAST, *_unattended(decision))
        self._change(server, pane, conditions, f"kill-pane -t {pane}", *texts)
        if not self._has_gone(server, pane):
            os.truncate(saved.path, whole)
            why = "it is the last pane of its session, or somebody looks at it, protects it or uses it again"
            return ActionOutcome.REFUSED, why
        del self._saved[key]
        self._reclaimed += now.bytes
        return ActionOutcome.DONE, f"closed; history and last screen: {saved.path}"

    def _has_gone(self, server: ServerReport, pane: str) -> bool:
        """Whether the server answers and has no such pane. Raises CannotSeeError where it does not answer."""
        answer = ask(server, ("display-message", "-p", "-t", pane, "#{pid} #{pane_id}"), self._uid)
        found = answer.decode("ascii", "replace").strip().split(" ")
        if found[0] != str(server.pid):
            raise CannotSeeError("it is another server by now")
        return found[1:] != [pane]

    def _option(self, server: ServerReport, pane: str) -> str:
        """The history-limit that is set on the pane's session; empty where none is."""
        answer = ask(server, ("show-options", "-v", "-t", pane, "history-limit"), self._uid)
        return answer.decode("ascii", "replace").strip()

    def _change(
        self,
        server: ServerReport,
        pane: str,
        conditions: list[tuple[str, object]],
        command: str,
        *texts: str,
    ) -> bytes:
        """Let tmux carry out a command if all of this holds in that moment, of this server, unprotected.

        `texts` are conditions that are none of equality.
        """
        equal = [f"#{{==:#{{{name}}},{value}}}" for name, value in (("pid", server.pid), *conditions)]
        text = ""
        for each in (*texts, *equal, _UNPROTECTED):
            text = f"#{{&&:{each},{text}}}" if text else each
        return ask(server, ("if-shell", "-F", "-t", pane, text, command), self._uid)

    def _figures(self, server: ServerReport, pane: str) -> PaneFigures:
        """The pane as its server describes it now. Raises CannotSeeError where it is gone."""
        return _parse(server, pane, ask(server, ("display-message", "-p", "-t", pane, _FORMAT), self._uid))[0]

    def _catch_up(
        self, server: ServerReport, pane: str, saved: Saved, now: PaneFigures, *, compare: bool = False
    ) -> Saved:
        """Save what has been printed since; with `compare` see first that what is saved is there still."""
        if now.lines == saved.figures.lines and not now.is_nearly_full and not compare:
            return saved
        _check_same(saved.figures, now)
        with open(saved.path, "rb") as known, appended(saved.path) as stream:
            left = os.fstat(known.fileno()).st_size if compare else 0

            def write(text: bytes) -> None:
                nonlocal left
                same = known.read(min(left, len(text)))
                if not text.startswith(same):
                    raise _MovedError("it has other lines than when it was saved")
                left -= len(same)
                stream.write(text[len(same) :])

            figures = self._copy(server, pane, 0 if compare else saved.figures.lines, now, write)
            if left:
                raise _MovedError("it has other lines than when it was saved")
        return Saved(path=saved.path, figures=figures)

    def _copy(
        self, server: ServerReport, pane: str, first: int, now: PaneFigures, write: Callable[[bytes], object]
    ) -> PaneFigures:
        """Write all lines from number `first` on; the figures of the moment in which these were all."""
        began, count = self._clock.monotonic(), _FIRST_LINES
        if now.is_nearly_full and self._clock.time() - now.activity < 2:
            raise _MovedError("its history is full, and it prints: lines are lost while they are saved")
        while first < now.lines:
            if self._clock.monotonic() - began > LONGEST_SECONDS:
                raise _MovedError(f"it takes longer than {LONGEST_SECONDS:g} s")
            last = min(first + count, now.lines) - 1
            lines = ("-S", str(first - now.lines), "-E", str(last - now.lines))
            asked = _spent(server, self._clock)
            answer = ask(
                server,
                ("display-message", "-p", "-t", pane, _FORMAT, ";", "capture-pane", "-p", "-t", pane, *lines),
                self._uid,
            )
            took = _spent(server, self._clock) - asked
            # Twice as many must not take it longer than it may stand still.
            more = took < STANDSTILL_SECONDS / 3
            count = min(MOST_LINES, 2 * count) if more else max(FEWEST_LINES, count // 2)
            then, text = _parse(server, pane, answer)
            _check_same(now, then)
            if then.lines == now.lines:
                write(text)
                first = last + 1
            now = then
            # The server serves its panes meanwhile.
            time.sleep(PAUSE_SECONDS)  # noqa: TID251
        return now


def _spent(server: ServerReport, clock: Clock) -> float:
    """How long the server has worked, in seconds; where that is not known, the time."""
    spent = process_cpu_seconds(server.pid or 0)
    return clock.monotonic() if spent is None else spent


def _parse(server: ServerReport, pane: str, answer: bytes) -> tuple[PaneFigures, bytes]:
    """The figures of a pane, and what stands behind them. Raises CannotSeeError where it is another one's."""
    row, _, text = answer.partition(b"\n")
    match = _ROW.fullmatch(row)
    # For a pane that is gone tmux answers with success, of another one or of none.
    if match is None or (int(match[1]), match[2].decode("ascii")) != (server.pid, pane):
        raise CannotSeeError("the pane is gone")
    lines, size, limit, mode, activity = (int(match[number]) for number in range(3, 8))
    figures = PaneFigures(
        lines=lines,
        bytes=size,
        limit=limit,
        in_mode=mode > 0,
        activity=activity,
        dead=match[8] == b"1",
        pid=int(match[9]),
    )
    return figures, text


def _check_same(before: PaneFigures, now: PaneFigures) -> None:
    """Raise _MovedError unless the lines of then have their numbers still."""
    if now.in_mode:
        raise _MovedError("somebody reads in it: it is in a mode")
    if now.lines < before.lines:
        raise _MovedError("its history became shorter while it was saved")
    if now.is_nearly_full and now.activity != before.activity:
        raise _MovedError("its history is full, and it prints: lines are lost while they are saved")


def _unchanged(saved: Saved, decision: Decision) -> list[tuple[str, object]]:
    """What has to hold when a history is cleared."""
    figures, pane = saved.figures, decision.candidate.target.name
    found: list[tuple[str, object]] = [
        ("pane_id", pane),
        ("pane_in_mode", 0),
        ("history_size", figures.lines),
    ]
    if figures.is_nearly_full:
        found.append(("window_activity", figures.activity))
    if OptIn.ATTACHED_SESSION not in decision.policy.allow:
        found.append(("session_attached", 0))
    return found


def _unattended(decision: Decision) -> tuple[str, ...]:
    """What has to hold besides."""
    return () if OptIn.ATTACHED_SESSION in decision.policy.allow else (_UNATTENDED,)


def _closable(saved: Saved, decision: Decision) -> list[tuple[str, object]]:
    """What has to hold when a pane is closed: it is as it was saved, and the same program has ended."""
    return [*_unchanged(saved, decision), ("pane_dead", 1), ("pane_pid", saved.figures.pid)]
