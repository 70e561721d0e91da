"""Raise the soft limit of open files of one process: time for somebody to mend its leak before it fails.

Nothing ends, and no descriptor is closed. The limit goes to four times what it was at first, and never beyond
65,536 or the hard limit. What it was is on disk before, so that it can be put back.
"""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

from tmux_exporter.base import strict_json
from tmux_exporter.base.paths import REMEDIATOR_FD_LIMITS
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.act.live_view import has_ended, is_alive, is_there
from tmux_exporter.remediator.act.on_record import StepResult, on_record
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.record import audit_fields
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.remediator.record.plan_file import write
from tmux_exporter.sources.common.untrusted_file import read_guarded

TIMES = 4
MOST = 65_536
VERSION = 1
_LARGEST_BYTES = 1 << 20


class FdLimits:
    """Takes this step where a mode is `enforce`; `state` is the private folder of the first limits.

    `objection` says what speaks against a decision by now: the switch, a hold, protection.
    """

    def __init__(
        self,
        state: Path,
        audit: Audit,
        objection: Callable[[Decision, Report], Refusal | None],
        *,
        uid: int,
        boot: str,
    ) -> None:
        self._path = state / REMEDIATOR_FD_LIMITS
        self._audit = audit
        self._objection = objection
        self._uid = uid
        self._boot = boot

    def take(self, decision: Decision, report: Report, mode: Mode) -> StepResult:
        """Raise the limit of the process that holds the figure of the policy, else of the target's first."""
        target = decision.candidate.target
        if mode is not Mode.ENFORCE:
            return ActionOutcome.WOULD, "only observed"
        if not target.processes:
            return ActionOutcome.VANISHED, "it has no process"
        process = decision.culprit.process if decision.culprit else target.processes[0]

        def step() -> StepResult:
            try:
                return self._raise(process, lambda: self._objection(decision, report))
            except (FileNotFoundError, ProcessLookupError):
                return ActionOutcome.VANISHED, "it ended"
            except (OSError, ValueError) as error:
                return ActionOutcome.FAILED, str(error)

        record = audit_fields.of_limit(decision, mode)
        return on_record(self._audit, str(Action.RAISE_FD_LIMIT), record, Action.RAISE_FD_LIMIT, step)

    def _raise(self, process: ProcessId, objection: Callable[[], Refusal | None]) -> StepResult:
        pid = process.pid
        held = os.pidfd_open(pid)
        try:
            # Alive while it is held: its pid is still its own.
            if not is_alive(process):
                return ActionOutcome.VANISHED, "it ended, or its pid is another's now"
            if (reason := objection()) is not None:
                return ActionOutcome.REFUSED, reason
            if os.stat(f"/proc/{pid}").st_uid != self._uid:
                return ActionOutcome.REFUSED, Refusal.OTHER_UID
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            firsts = first_limits(self._path, self._uid, self._boot)
            if firsts is None:
                return ActionOutcome.REFUSED, f"{self._path} is damaged: what was raised before is not known"
            first = firsts.get(process, soft)
            wanted = _wanted(first, hard)
            if soft == resource.RLIM_INFINITY or wanted <= soft:
                return ActionOutcome.REFUSED, f"its soft limit of {soft} is as high as it may be raised"
            self._keep(firsts | {process: first})
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (wanted, hard))
            if has_ended(held):
                return ActionOutcome.VANISHED, "it ended"
        finally:
            os.close(held)
        back = f"prlimit --pid {pid} --nofile={first}:"
        return ActionOutcome.DONE, f"soft limit of open files: {wanted}, was {soft}; to put it back: {back}"

    def _keep(self, firsts: dict[ProcessId, int]) -> None:
        """Write them to disk, without those of processes that have ended. Raises OSError."""
        limits = [{"process": list(each), "soft": soft} for each, soft in firsts.items() if is_there(each)]
        document = {"version": VERSION, "boot": self._boot, "limits": limits}
        write(self._path, json.dumps(document, allow_nan=False).encode("ascii") + b"\n", durable=True)


def first_limits(path: Path, uid: int, boot: str) -> dict[ProcessId, int] | None:
    """What the limits were before they were first raised in this boot; None where that is not known."""
    try:
        content = read_guarded(str(path), uid=uid, limit=_LARGEST_BYTES)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    try:
        document = strict_json.document(content, VERSION)
        if document["boot"] != boot:
            return {}
        rows = [strict_json.record(each) for each in strict_json.array(document["limits"])]
        return {strict_json.process(each["process"]): int(strict_json.number(each["soft"])) for each in rows}
    except (ValueError, KeyError, TypeError):
        return None


def _wanted(first: int, hard: int) -> int:
    bounds = (TIMES * first, MOST) if hard == resource.RLIM_INFINITY else (TIMES * first, MOST, hard)
    return min(bounds)
