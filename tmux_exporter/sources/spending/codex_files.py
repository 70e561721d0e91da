"""Find the rollouts of Codex: those that a process holds open, else its daemon's only one in its folder.

Since 0.171 a daemon (`codex app-server`) holds the rollouts of all its windows, and nothing tells which
window shows which. So a rollout counts for a window only where neither of the two has another candidate.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.base import strict_json
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.common.process_environ import environ_of
from tmux_exporter.sources.common.untrusted_file import UntrustedFileError, read_guarded
from tmux_exporter.sources.spending.codex_rollout import RolloutParser, Thread, parse_head, wanted
from tmux_exporter.sources.spending.follow import LinesSource, NotFollowedError
from tmux_exporter.sources.spending.heads import first_line
from tmux_exporter.sources.spending.located import MOST_FILES, Located, Source, Target

_STARTING_SECONDS = 10.0
"""The first conversation of a process begins within that."""

_BURST_SECONDS = 1.0
"""A conversation that was copied by an early version is written within that."""

_MOST_DESCRIPTORS = 4096
_SERVER = b"app-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rollout:
    path: str
    thread: Thread


class CodexFiles:
    """The rollouts of all targets; call `begin` once a round, then `locate` for each of them."""

    def __init__(self, *, uid: int, own: Mapping[str, str], proc_root: str) -> None:
        self._uid, self._own, self._root = uid, own, proc_root
        self._heads: dict[str, Thread | None] = {}
        self._kept: dict[ProcessId, dict[str, Source]] = {}
        self._homes: dict[ProcessId, str] = {}
        self._held: dict[ProcessId, tuple[_Rollout, ...]] = {}
        self._folders: dict[ProcessId, str | None] = {}
        self._daemons: dict[str, tuple[_Rollout, ...]] = {}

    def begin(self, targets: Sequence[Target]) -> None:
        """Look at what every process holds now."""
        every = {each.process: each for each in targets}
        self._kept = {each: self._kept.get(each, {}) for each in every}
        self._homes = {each: self._homes.get(each) or self._home(target) for each, target in every.items()}
        self._held = {each: self._held_by(target) for each, target in every.items()}
        alone = [each for each in every if not self._held[each] and not self._kept[each]]
        self._folders = {each: self._cwd(each) for each in alone}
        self._daemons = {home: self._of_daemon(home) for home in {self._homes[each] for each in alone}}
        paths = {each.path for group in (*self._held.values(), *self._daemons.values()) for each in group}
        self._heads = {path: head for path, head in self._heads.items() if path in paths}

    def locate(self, target: Target) -> Located | None:
        """Its files; None where none is known. Raises NotFollowedError where there are several candidates."""
        process = target.process
        kept, home = self._kept[process], self._homes[process]
        if self._held[process] or kept:
            for each in self._held[process]:
                kept.setdefault(each.path, _source(each))
            return Located(
                exactness=Exactness.EXACT,
                sources=tuple(kept.values())[-MOST_FILES:],
                home=home,
                whole=len(kept) == 1 and _is_first(next(iter(kept.values())), target.started),
            )
        folder = self._folders[process]
        rollouts = self._daemons[home]
        candidates = [each for each in rollouts if not each.thread.parent and each.thread.cwd == folder]
        if not candidates or folder is None:
            return None
        windows = [
            each for each, place in self._folders.items() if (place, self._homes[each]) == (folder, home)
        ]
        if len(candidates) > 1 or len(windows) > 1:
            raise NotFollowedError(SpendingProblem.AMBIGUOUS)
        root = candidates[0].thread.id
        family = (each for each in rollouts if root in (each.thread.id, each.thread.parent))
        return Located(exactness=Exactness.UNIQUE, sources=tuple(map(_source, family)), home=home)

    def _home(self, target: Target) -> str:
        pid = target.programs[-1].pid if target.programs else target.process.pid
        environ = environ_of(pid, ("HOME", "CODEX_HOME"), own=self._own, proc_root=self._root)
        return environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", "/"), ".codex")

    def _cwd(self, process: ProcessId) -> str | None:
        try:
            return os.readlink(f"{self._root}/{process.pid}/cwd")
        except OSError:
            return None

    def _held_by(self, target: Target) -> tuple[_Rollout, ...]:
        """What the processes of the program hold, but for the daemon, which the first window has started."""
        own = (each.pid for each in target.programs if not self._is_server(each.pid))
        return tuple(each for pid in own for each in self._rollouts_of(pid))

    def _is_server(self, pid: int) -> bool:
        try:
            with open(f"{self._root}/{pid}/cmdline", "rb") as stream:
                return _SERVER in stream.read(4096).split(b"\0")
        except OSError:
            return True

    def _of_daemon(self, home: str) -> tuple[_Rollout, ...]:
        """What the daemon of a configuration folder holds, where it runs."""
        path = os.path.join(home, "app-server-daemon", "daemon.pid")
        try:
            document = strict_json.record(strict_json.parse(read_guarded(path, uid=self._uid, limit=65536)))
            pid = strict_json.count(document.get("pid"))
            identity = strict_json.record(document.get("processIdentity"))
            ticks = strict_json.count(identity.get("startTicks"))
            with open(f"{self._root}/{pid}/stat", "rb") as stream:
                running = int(stream.read(4096).rpartition(b")")[2].split()[19])
        except (OSError, UntrustedFileError, ValueError, TypeError, IndexError):
            return ()
        return tuple(self._rollouts_of(pid)) if running == ticks else ()

    def _rollouts_of(self, pid: int) -> list[_Rollout]:
        """The rollouts that a process has open for writing."""
        folder = f"{self._root}/{pid}/fd"
        found: dict[str, _Rollout] = {}
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        for name in names[:_MOST_DESCRIPTORS]:
            try:
                path = os.readlink(f"{folder}/{name}")
                if not path.endswith(".jsonl") or "/rollout-" not in path:
                    continue
                writes = os.lstat(f"{folder}/{name}").st_mode & stat.S_IWUSR
            except OSError:
                continue
            if writes and (thread := self._head(path)) is not None:
                found[path] = _Rollout(path=path, thread=thread)
        return list(found.values())

    def _head(self, path: str) -> Thread | None:
        """What the first line of a rollout says; None where there is no whole line yet, or another one."""
        if self._heads.get(path) is None:
            self._heads[path] = _read_head(path, self._uid)
        return self._heads[path]


def _read_head(path: str, uid: int) -> Thread | None:
    line = first_line(path, uid)
    try:
        return parse_head(line) if line is not None else None
    except ValueError:
        return None


def rollout_source(path: str, uid: int) -> Source | None:
    """A rollout by its path; None where it is none."""
    thread = _read_head(path, uid)
    return _source(_Rollout(path=path, thread=thread)) if thread is not None else None


def _is_first(source: Source, since: float) -> bool:
    """Whether the process began this conversation as it started: a later one may have followed another."""
    return source.begins is not None and abs(source.begins - since) <= _STARTING_SECONDS


def _source(rollout: _Rollout) -> Source:
    thread = rollout.thread
    began = thread.started
    begins = None if began is None else began + _BURST_SECONDS if thread.copied else began
    return LinesSource(path=rollout.path, wanted=wanted, parse=RolloutParser(thread).parse, begins=begins)
