"""Find the conversations of programs that name no process in them: those of the folder where only one works.

A conversation counts for an agent only where neither of the two has another candidate: no other process of
the program was seen in the folder while the agent ran. Once there was one, nobody can tell their
conversations apart, and the agent has no figures until its end.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.common.process_environ import environ_of
from tmux_exporter.sources.common.untrusted_file import mark_of
from tmux_exporter.sources.spending import gemini_chats, opencode_rows, pi_sessions
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import MOST_FILES, Located, Source, Target

_FIRST_SECONDS, _PATIENCE_SECONDS = 2.0, 15.0
"""Between two looks at a place that itself has not changed: before the first conversation, and after it."""

_MOST_ANCESTORS = 64

Candidates = Callable[[str, str, float, int], Mapping[str, tuple[Source, ...]]]
"""By its identity each conversation of a folder that was changed since a wall time, with its subagents.

Called with the program's home, the folder, the time and the user. Raises OSError.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderProgram:
    """How a program keeps conversations: its home by its environment, and which are those of a folder.

    `place` is what changes where there is a new one. `untold` are counts that it does not write down.
    """

    variables: tuple[str, ...]
    home: Callable[[Mapping[str, str]], str]
    place: Callable[[str, str], str]
    candidates: Candidates
    untold: frozenset[str] = frozenset()


BY_FOLDER: Mapping[str, FolderProgram] = {
    "gemini": FolderProgram(
        variables=("HOME", "GEMINI_CLI_HOME"),
        home=gemini_chats.home,
        place=gemini_chats.place,
        candidates=gemini_chats.candidates,
        untold=frozenset({"turns", "compactions"}),
    ),
    "opencode": FolderProgram(
        variables=("HOME", "XDG_DATA_HOME", "OPENCODE_DB"),
        home=opencode_rows.home,
        place=opencode_rows.place,
        candidates=opencode_rows.candidates,
    ),
    "pi": FolderProgram(
        variables=("HOME", "PI_CODING_AGENT_DIR"),
        home=pi_sessions.home,
        place=pi_sessions.place,
        candidates=pi_sessions.candidates,
    ),
}


@dataclass(slots=True)
class _Known:
    """What is known of a target: its place, and its conversations so far."""

    home: str
    folder: str | None
    own: dict[str, tuple[Source, ...]]
    mark: tuple[float, ...] | None = None
    looked: float = -_PATIENCE_SECONDS
    several: bool = False


class AloneInFolder:
    """The conversations of all targets; call `begin` once a round, then `locate` for each of them."""

    def __init__(self, *, uid: int, own: Mapping[str, str], proc_root: str, clock: Clock) -> None:
        self._uid, self._own, self._root, self._clock = uid, own, proc_root, clock
        self._known: dict[ProcessId, _Known] = {}

    def begin(self, targets: Sequence[Target]) -> None:
        """Look at where every process works."""
        self._known = {each.process: self._known.get(each.process) or self._first(each) for each in targets}
        places: dict[tuple[str, str, str | None], list[_Known]] = {}
        for each in targets:
            known = self._known[each.process]
            places.setdefault((each.program, known.home, known.folder), []).append(known)
        for group in places.values():
            if len(group) > 1:
                for known in group:
                    known.several = True

    def locate(self, target: Target) -> Located | None:
        """Its conversations; None where nothing tells its folder. Raises NotFollowedError."""
        known, program = self._known[target.process], BY_FOLDER[target.program]
        if known.folder is None:
            return None
        if not known.several and self._is_due(known, program):
            try:
                found = program.candidates(known.home, known.folder, target.started, self._uid)
            except FileNotFoundError:
                found = {}
            except OSError:
                raise NotFollowedError(SpendingProblem.UNREADABLE) from None
            self._take(target, known, found)
        if known.several:
            raise NotFollowedError(SpendingProblem.AMBIGUOUS)
        sources = tuple(each for group in known.own.values() for each in group)
        return Located(
            exactness=Exactness.UNIQUE,
            sources=sources[-MOST_FILES:],
            home=known.home,
            untold=program.untold,
        )

    def _take(self, target: Target, known: _Known, found: Mapping[str, tuple[Source, ...]]) -> None:
        new = found.keys() - known.own.keys()
        # Several at once, and nobody has seen which was whose; and a new one with another process here.
        if len(new) > 1 or (new and self._others(target, known.folder or "")):
            known.several = True
        else:
            known.own.update(found)

    def _is_due(self, known: _Known, program: FolderProgram) -> bool:
        """A new conversation changes its place; one that is gone on with is found a little later."""
        found, now = mark_of(program.place(known.home, known.folder or "")), self._clock.monotonic()
        if found is None:
            return False
        mark: tuple[float, ...] = (found.inode, found.size, found.written)
        patience = _PATIENCE_SECONDS if known.own else _FIRST_SECONDS
        if mark == known.mark and now - known.looked < patience:
            return False
        known.mark, known.looked = mark, now
        return True

    def _first(self, target: Target) -> _Known:
        pid = target.programs[-1].pid if target.programs else target.process.pid
        program = BY_FOLDER[target.program]
        environ = environ_of(pid, program.variables, own=self._own, proc_root=self._root)
        return _Known(home=program.home(environ), folder=self._cwd(pid), own={})

    def _cwd(self, pid: int) -> str | None:
        try:
            return os.readlink(f"{self._root}/{pid}/cwd")
        except OSError:
            return None

    def _others(self, target: Target, folder: str) -> bool:
        """Whether a process of the program that is not below the target works in the folder."""
        word = re.compile(rb"(?:^|[/\0@])" + re.escape(target.program.encode()) + rb"(?![A-Za-z])")
        for name in os.listdir(self._root):
            if not name.isdigit() or self._cwd(int(name)) != folder or self._is_below(int(name), target):
                continue
            try:
                with open(f"{self._root}/{name}/cmdline", "rb") as stream:
                    words = stream.read(4096).split(b"\0")[:4]
            except OSError:
                continue
            if word.search(b"\0".join(words)):
                return True
        return False

    def _is_below(self, pid: int, target: Target) -> bool:
        for _ in range(_MOST_ANCESTORS):
            if pid == target.process.pid:
                return True
            try:
                with open(f"{self._root}/{pid}/stat", "rb") as stream:
                    pid = int(stream.read(4096).rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                return False
        return False
