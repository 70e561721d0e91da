"""Find the transcripts of a process of Claude Code: it names its session itself, in `sessions/PID.json`."""

import os
import re
from collections.abc import Callable, Mapping, Sequence

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.agents.claude_sessions import LARGEST_BYTES, config_folder
from tmux_exporter.sources.common.untrusted_file import Mark, UntrustedFileError, mark_of, read_guarded
from tmux_exporter.sources.spending import claude_transcript
from tmux_exporter.sources.spending.claude_status import status_source
from tmux_exporter.sources.spending.follow import LinesSource, NotFollowedError
from tmux_exporter.sources.spending.heads import head_of
from tmux_exporter.sources.spending.located import MOST_FILES, Located, Target
from tmux_exporter.sources.spending.values import parsed, time_of
from tmux_exporter.wire.runtime_folder import runtime_folder

_SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CLEARED = b"<command-name>/clear"
_HEAD_BYTES = 64 * 1024
_MOST_SESSIONS = 8
_MOST_PROCESSES = 4
_SETTLED_SECONDS = 1.0
_PATIENCE_SECONDS = 15.0
"""Between two searches of all folders of projects for a transcript that is not there yet."""


class ClaudeFiles:
    """The transcripts of one process: of its session, of those before it, and of their subagents."""

    def __init__(
        self, target: Target, *, uid: int, clock: Clock, own: Mapping[str, str], proc_root: str
    ) -> None:
        self._since = target.started
        self._uid = uid
        self._clock = clock
        self._own, self._root = own, proc_root
        self._mark: Mark | None = None
        self._holder: ProcessId | None = None
        self._folder = ""
        self._session = ""
        self._paths: dict[str, str] = {}
        self._first: bool | None = None
        self._next_search = 0.0
        self._status = [
            status_source(runtime_folder(own, uid), each) for each in target.programs[:_MOST_PROCESSES]
        ]
        self._subagents: dict[str, tuple[Mark, tuple[str, ...]]] = {}

    def locate(self, programs: Sequence[ProcessId]) -> Located | None:
        """Its files; None where none of the processes of the program names a session.

        Raises NotFollowedError where they cannot be told.
        """
        if not self._read_session(programs):
            return None
        if self._session not in self._paths and (path := self._transcript()):
            self._paths[self._session] = path
            if self._first is None:
                self._first = _is_first(path, self._uid, self._since)
            while len(self._paths) > _MOST_SESSIONS:
                del self._paths[next(iter(self._paths))]
        own = tuple(self._paths.values())
        paths = [*(each for path in own for each in self._of_subagents(path)), *own]
        return Located(
            exactness=Exactness.EXACT,
            # What it says of money is known before what it spends is read.
            sources=(
                *(each for each in self._status if os.path.lexists(each.path)),
                *(
                    LinesSource(path=each, wanted=claude_transcript.wanted, parse=claude_transcript.parse)
                    for each in paths[-MOST_FILES:]
                ),
            ),
            home=self._folder,
            whole=bool(self._first),
        )

    def _read_session(self, programs: Sequence[ProcessId]) -> bool:
        """Whether it names its session now, or has named one before."""
        for process in programs[:_MOST_PROCESSES]:
            if self._holder not in (None, process):
                continue
            folder = self._folder or config_folder(process.pid, own=self._own, proc_root=self._root)
            path = os.path.join(folder, "sessions", f"{process.pid}.json")
            mark = mark_of(path)
            if mark is None:
                continue
            if mark != self._mark:
                try:
                    session = _session(read_guarded(path, uid=self._uid, limit=LARGEST_BYTES), process)
                except FileNotFoundError:
                    continue
                except UntrustedFileError:
                    raise NotFollowedError(SpendingProblem.UNTRUSTED) from None
                if session is None:
                    # It is written in place: half of it may be there.
                    continue
                if session != self._session:
                    self._next_search = 0.0
                self._holder, self._folder, self._session = process, folder, session
                # Two changes within one tick of the kernel's clock have one time.
                young = self._clock.time() - mark.changed <= _SETTLED_SECONDS
                self._mark = None if young else mark
        return bool(self._session)

    def _transcript(self) -> str | None:
        """The file of the session in whichever folder of a project it is; None where there is none yet."""
        now = self._clock.monotonic()
        if now < self._next_search:
            return None
        self._next_search = now + _PATIENCE_SECONDS
        projects = os.path.join(self._folder, "projects")
        try:
            with os.scandir(projects) as entries:
                places = [os.path.join(each.path, f"{self._session}.jsonl") for each in entries]
        except FileNotFoundError:
            self._next_search = now
            return None
        except OSError:
            raise NotFollowedError(SpendingProblem.UNREADABLE) from None
        found = [each for each in places if os.path.lexists(each)]
        if len(found) > 1:
            raise NotFollowedError(SpendingProblem.AMBIGUOUS)
        if not found and len(places) <= MOST_FILES:
            self._next_search = now
        return found[0] if found else None

    def _of_subagents(self, path: str) -> tuple[str, ...]:
        """The transcripts of the subagents of a session that were changed since the process started."""
        folder = os.path.join(path.removesuffix(".jsonl"), "subagents")
        workflows = self._listed(os.path.join(folder, "workflows"), lambda name: not name.endswith(".jsonl"))
        return tuple(
            each
            for place in (folder, *workflows)
            for each in self._listed(place, lambda name: name.endswith(".jsonl"))
        )

    def _listed(self, folder: str, fits: Callable[[str], bool]) -> tuple[str, ...]:
        mark = mark_of(folder)
        if mark is None or not mark.is_folder:
            return ()
        known = self._subagents.get(folder)
        if known is None or known[0] != mark:
            try:
                with os.scandir(folder) as entries:
                    young = [
                        (each.stat(follow_symlinks=False).st_mtime, each.path)
                        for each in entries
                        if fits(each.name)
                    ]
            except OSError:
                return known[1] if known else ()
            young = sorted(each for each in young if each[0] >= self._since)
            known = mark, tuple(path for _, path in young[-MOST_FILES:])
            if self._clock.time() - mark.changed > _SETTLED_SECONDS:
                self._subagents[folder] = known
        return known[1]


def _is_first(path: str, uid: int, since: float) -> bool:
    """Whether the process that started `since` began this transcript, and left no other one for it.

    One that it has resumed begins before it, one after `/clear` says so in its first lines.
    """
    lines = head_of(path, uid=uid, most=_HEAD_BYTES).split(b"\n")[:-1]
    if any(_CLEARED in each for each in lines):
        return False
    for each in lines:
        try:
            at = time_of(parsed(each))
        except ValueError:
            continue
        if at is not None:
            return at >= since
    return False


def _session(content: bytes, process: ProcessId) -> str | None:
    """The session that a file names; None where it is not that of this process or not whole."""
    try:
        document = strict_json.record(strict_json.parse(content))
    except (ValueError, TypeError):
        return None
    if document.get("pid") != process.pid or document.get("procStart") != str(process.start_ticks):
        return None
    session = document.get("sessionId")
    return session if isinstance(session, str) and _SESSION.fullmatch(session) else None
