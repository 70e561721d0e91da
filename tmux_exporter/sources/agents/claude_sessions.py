"""Read the state of Claude Code from its own file: `sessions/PID.json` in its folder.

The file is not documented. It is trusted only in the form of version 2.1: pid and start time must be those
of the running process, and each word must be a known one.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.common.process_environ import environ_of
from tmux_exporter.sources.common.untrusted_file import Mark, UntrustedFileError, mark_of, read_guarded

LARGEST_BYTES = 64 * 1024
"""About 350 bytes are usual."""

_SETTLED_SECONDS = 1.0
_MOST_PROCESSES = 4
_VERSION = re.compile(r"2\.[0-9]{1,5}\.[0-9]{1,5}[0-9A-Za-z.+-]{0,32}")
_STATES: Mapping[str, tuple[AgentState, str]] = {
    "busy": (AgentState.WORKING, "busy"),
    "idle": (AgentState.IDLE, "idle"),
    "shell": (AgentState.IDLE, "idle, with a command in the background"),
    "waiting": (AgentState.WAITING, "waiting"),
}
_PRINTS = "sdk-cli"
_REASONS: Mapping[str, WaitingReason] = {
    "permission prompt": WaitingReason.PERMISSION,
    "worker request": WaitingReason.PERMISSION,
    "sandbox request": WaitingReason.PERMISSION,
    "input needed": WaitingReason.QUESTION,
    "dialog open": WaitingReason.DIALOG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeSessionReport:
    """The content of a session file: a clue, and the version if it names one."""

    clue: Clue
    version: str = ""


class ClaudeSessions:
    """Reads the files of `uid`, as root those of each agent's user; an unchanged file is not read again.

    `environ` is our own environment, used if that of an agent cannot be read.
    """

    def __init__(
        self, *, uid: int, clock: Clock, environ: Mapping[str, str], proc_root: str = "/proc"
    ) -> None:
        self._uid = uid
        self._clock = clock
        self._own = environ
        self._root = proc_root
        self._paths: dict[ProcessId, str] = {}
        self._reports: dict[ProcessId, tuple[Mark, ClaudeSessionReport]] = {}

    def read(self, processes: Sequence[ProcessId]) -> ClaudeSessionReport:
        """The report of the first of the agent's processes with a file. Raises nothing for what it finds."""
        for process in processes[:_MOST_PROCESSES]:
            path = self._path(process)
            mark = mark_of(path)
            if mark is None:
                continue
            known = self._reports.get(process)
            if known is not None and known[0] == mark:
                return known[1]
            word = self._read_file(path, process)
            # Two changes within one tick of the kernel's clock have one time: a young file is read again.
            if self._clock.time() - mark.changed > _SETTLED_SECONDS:
                self._reports[process] = (mark, word)
            return word
        return _silent("it has no session file")

    def retain(self, processes: Collection[ProcessId]) -> None:
        """Forget all but these processes."""
        self._paths = {each: path for each, path in self._paths.items() if each in processes}
        self._reports = {each: word for each, word in self._reports.items() if each in processes}

    def _path(self, process: ProcessId) -> str:
        if process not in self._paths:
            folder = config_folder(process.pid, own=self._own, proc_root=self._root)
            self._paths[process] = os.path.join(folder, "sessions", f"{process.pid}.json")
        return self._paths[process]

    def _owner(self, pid: int) -> int:
        """Whose file it must be: ours; where we are root, the agent's user's."""
        mark = None if self._uid else mark_of(f"{self._root}/{pid}")
        return self._uid if mark is None else mark.owner

    def _read_file(self, path: str, process: ProcessId) -> ClaudeSessionReport:
        try:
            return parse(read_guarded(path, uid=self._owner(process.pid), limit=LARGEST_BYTES), process)
        except FileNotFoundError:
            return _silent("it has no session file")
        except UntrustedFileError as error:
            return _silent(f"its session file {error}")


def config_folder(pid: int, *, own: Mapping[str, str], proc_root: str) -> str:
    """Where a process of the program has its files."""
    environ = environ_of(pid, ("HOME", "CLAUDE_CONFIG_DIR"), own=own, proc_root=proc_root)
    return environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME", "/"), ".claude")


def parse(content: bytes, process: ProcessId) -> ClaudeSessionReport:
    """Parse the session file of a process; a clue without a state if it is not trusted."""
    try:
        document = strict_json.record(strict_json.parse(content))
    except ValueError:
        return _silent("its session file is no JSON")
    except TypeError:
        return _silent("its session file is malformed")
    if document.get("pid") != process.pid or document.get("procStart") != str(process.start_ticks):
        return _silent("its session file is that of another process")
    version = document.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return _silent("its session file is of a version that is not known")
    return ClaudeSessionReport(clue=_clue(document), version=version)


def _clue(document: Mapping[str, Any]) -> Clue:
    status, waiting_for = document.get("status"), document.get("waitingFor")
    if status is None and document.get("entrypoint") == _PRINTS:
        # `claude -p` has no prompt and ends when it is done; only a program that feeds it more input could
        # leave it idle.
        return Clue(
            source=StateSource.AGENT_FILE,
            state=AgentState.WORKING,
            since=_seconds(document.get("startedAt")),
            why="its session file says that it has one task and no prompt (claude -p)",
            certain=False,
        )
    if not isinstance(status, str) or status not in _STATES:
        return _silent("its session file has no status that is known").clue
    state, words = _STATES[status]
    reason = None
    if state is AgentState.WAITING:
        known = isinstance(waiting_for, str) and waiting_for in _REASONS
        reason = _REASONS[str(waiting_for)] if known else WaitingReason.OTHER
        words = f"{words}: {waiting_for if known else 'for something that is not known'}"
    return Clue(
        source=StateSource.AGENT_FILE,
        state=state,
        reason=reason,
        since=_seconds(document.get("statusUpdatedAt")),
        why=f"its session file says {words}",
    )


def _seconds(milliseconds: object) -> float | None:
    try:
        found = strict_json.number(milliseconds)
    except TypeError:
        return None
    return found / 1000 if found > 0 else None


def _silent(why: str) -> ClaudeSessionReport:
    return ClaudeSessionReport(clue=Clue(source=StateSource.AGENT_FILE, why=why))
