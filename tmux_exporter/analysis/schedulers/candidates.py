"""Finds candidates for schedulers: shells with a scheduler script in their command line, and their sleep."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tmux_exporter.analysis.schedulers.shell_grammar import OpaqueScript, PureScript, is_sleep, read_command
from tmux_exporter.facts.changes import PerProcess
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.shells import POSIX_SHELLS

Script = PureScript | OpaqueScript

_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerCandidate:
    """A shell with a scheduler script, its living children, and the sleep that it waits for.

    `program` is the shell's name; `program_known`: its program file could be read. The sleep of a pure script
    is its only child; an opaque script may run it in a forked copy of the shell.
    """

    shell: Process
    script: Script
    program: str
    program_known: bool
    children: tuple[Process, ...]
    sleep: Process | None

    @property
    def since(self) -> ProcessId:
        """The process that started it: a shell may be older than the exec that made it a scheduler."""
        return self.sleep.id if self.sleep is not None else self.shell.id


class _Reading(NamedTuple):
    argv: tuple[str, ...]
    script: Script | None
    alive: bool


class ScriptReader:
    """Reads scheduler scripts from command lines, each once while its program runs."""

    def __init__(self) -> None:
        self._readings = PerProcess(self._read)
        self._scripts: Mapping[int, Script] = {}

    def candidates(self, table: ProcessTable) -> list[SchedulerCandidate]:
        """The shells of a table that may be schedulers."""
        if self._readings.update(table):
            self._scripts = {
                pid: reading.script
                for pid, reading in self._readings.found.items()
                if reading.script is not None and reading.alive
            }
        scripts = self._scripts
        if not scripts:
            return []
        children: dict[int, list[Process]] = {pid: [] for pid in scripts}
        for process in table.processes.values():
            if process.ppid in children and process.alive:
                children[process.ppid].append(process)
        found = []
        for pid, script in scripts.items():
            shell = table.processes[pid]
            parent = table.processes.get(shell.ppid)
            # A forked copy before its exec: a future sleep or tmux, or a part of an opaque script.
            if parent is not None and parent.id.pid in scripts and parent.argv == shell.argv:
                continue
            candidate = _candidate(shell, script, children)
            if isinstance(script, PureScript) or candidate.sleep is not None:
                found.append(candidate)
        return found

    def _read(self, process: Process) -> _Reading | None:
        argv = process.argv
        if argv is None or len(argv) < 3 or not (shell := _shell_of(process, argv)):
            return None
        # A reader keeps the same tuple while the program is the same.
        known = self._readings.found.get(process.id.pid)
        script = known.script if known is not None and known.argv is argv else read_command(argv, shell)
        return _Reading(argv=argv, script=script, alive=process.alive)


def _candidate(shell: Process, script: Script, children: Mapping[int, list[Process]]) -> SchedulerCandidate:
    own = tuple(children[shell.id.pid])
    if isinstance(script, PureScript):
        sleep = own[0] if len(own) == 1 and is_sleep(own[0].argv) else None
    else:
        sleep = _sleep_below(shell, children)
    return SchedulerCandidate(
        shell=shell,
        script=script,
        program=_shell_of(shell, shell.argv or ("",)),
        program_known=shell.exe is not None,
        children=own,
        sleep=sleep,
    )


def _sleep_below(shell: Process, children: Mapping[int, list[Process]]) -> Process | None:
    """The first sleep of a shell, or of a copy of it forked for a pipe, a subshell or a `&`."""
    looked_at: set[int] = set()
    waiting = [shell]
    while waiting:
        each = waiting.pop()
        looked_at.add(each.id.pid)
        for child in children.get(each.id.pid, ()):
            if is_sleep(child.argv):
                return child
            if child.argv == shell.argv and child.id.pid not in looked_at:
                waiting.append(child)
    return None


def _shell_of(process: Process, argv: tuple[str, ...]) -> str:
    # argv[0] counts only where the program file is not readable; that of a login shell begins with a dash.
    return _shell(process.exe if process.exe is not None else argv[0].lstrip("-"))


@lru_cache(maxsize=4096)
def _shell(program: str) -> str:
    """The shell that a program file is, else nothing."""
    name = posixpath.basename(program.removesuffix(_DELETED))
    return name if name in POSIX_SHELLS else ""
