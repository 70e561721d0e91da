"""Read the states that hooks of agents report (`tmux-exporter hook`): one small file a caller."""

import os
from dataclasses import dataclass

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.common.untrusted_file import Mark, UntrustedFileError, mark_of, read_guarded
from tmux_exporter.wire.hook_line import FOLDER, LARGEST_BYTES, HookLineError, parse

_MOST_FILES = 1000
_SETTLED_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReport:
    """The last report of one caller: its wall time, and since when it holds.

    `callers` are the processes above the hook, the nearest first. `state` is None if the file is not
    trusted: `problem` then says why.
    """

    callers: tuple[ProcessId, ...]
    at: float
    since: float
    state: AgentState | None = None
    reason: WaitingReason | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReports:
    """All reports, or why the folder is not trusted."""

    reports: tuple[HookReport, ...] = ()
    problem: str = ""


class HookFiles:
    """Reads the folder of `uid` below the runtime folder `base`; unchanged files are not read again."""

    def __init__(self, base: str, *, uid: int, clock: Clock) -> None:
        self._base = base
        self._folder = os.path.join(base, FOLDER)
        self._uid = uid
        self._clock = clock
        self._known: dict[str, tuple[Mark, HookReport]] = {}

    def read(self) -> HookReports:
        """The present reports; none without the folder. Raises nothing for what it finds."""
        for folder in (self._base, self._folder):
            mark = mark_of(folder)
            if mark is None:
                return HookReports()
            if mark.owner != self._uid or not mark.is_folder or mark.mode & 0o022:
                return HookReports(problem="the folder of its hooks is not ours alone")
        try:
            names = os.listdir(self._folder)
        except OSError as error:
            return HookReports(problem=f"the folder of its hooks cannot be read ({error.strerror})")
        before, self._known = self._known, {}
        drafts = tuple(name for name in names if name.startswith("."))
        read = (self._report(name, before.get(name)) for name in names[:_MOST_FILES] if name not in drafts)
        return HookReports(reports=tuple(word for word in read if word is not None))

    def _report(self, name: str, known: tuple[Mark, HookReport] | None) -> HookReport | None:
        path = os.path.join(self._folder, name)
        mark = mark_of(path)
        if mark is None:
            return None
        if known is None or known[0] != mark:
            known = (mark, _read_report(path, name, mark, self._uid))
        # Two reports within one tick of the kernel's clock have the same time: a young file is read again.
        if self._clock.time() - mark.changed > _SETTLED_SECONDS:
            self._known[name] = known
        return known[1]


def _read_report(path: str, name: str, mark: Mark, uid: int) -> HookReport:
    try:
        state, reason, since, callers = parse(read_guarded(path, uid=uid, limit=LARGEST_BYTES))
    except FileNotFoundError:
        return _not_believed(name, mark, "is gone")
    except (UntrustedFileError, HookLineError) as error:
        return _not_believed(name, mark, str(error))
    return HookReport(
        callers=tuple(ProcessId(*each) for each in callers),
        at=mark.written,
        # Not later than the file was written: the clock may have been set.
        since=mark.written if since is None else min(since / 1e9, mark.written),
        state=AgentState(state),
        reason=WaitingReason(reason) if reason else None,
    )


def _not_believed(name: str, mark: Mark, why: str) -> HookReport:
    """The report of an untrusted file: only its name identifies a process."""
    pid, _, start = name.partition("-")
    named = pid.isdecimal() and start.isdecimal() and len(name) <= 40
    return HookReport(
        callers=(ProcessId(int(pid), int(start)),) if named else (),
        at=mark.written,
        since=mark.written,
        problem=f"the file of its hooks {why}",
    )
