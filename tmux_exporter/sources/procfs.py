"""All processes of a Linux machine from /proc: the plain full reader, exact first.

What is read
    of every process    its line of stat, and its uid by the owner of its folder
    of our own uid's    also status, io, limits and the number of open files
    of those, once      arguments, program and kept environment, which are fixed at exec: they hold until
                        `arg_start` or the name changes (every exec moves the arguments), and end with the
                        process; where the kernel hides `arg_start` they are read each time

Nothing more is read of a zombie and of a kernel thread: they have nothing more. A process in state Z that
has threads lives on without its main thread and is read through a living one.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.clock import Clock
from tmux_exporter.model import Namespaces, Process, ProcessId, ProcessTable, Unreadable
from tmux_exporter.sources.procfs_detail import Detail, Facts, Looks, read_detail
from tmux_exporter.sources.procfs_folder import DEAD_STATES, Folder, read_file
from tmux_exporter.sources.procfs_parse import Stat, parse_boot_time

KEPT_ENVIRON = frozenset(
    {
        "TMUX",
        "TMUX_PANE",
        "TMUX_TMPDIR",
        "AI_AGENT",
        "CLAUDECODE",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SESSION_ID",
        "CODEX_SESSION_ID",
        "CODEX_THREAD_ID",
        "GEMINI_CLI",
        "OPENCODE",
        "OPENCODE_PID",
    }
)
"""The only environment variables that are ever kept: they name the tmux pane and the agent."""

_ATTEMPTS = 3


class ProcReader:
    """Reads all processes under `root`, those whose effective uid is `uid` in detail."""

    def __init__(self, root: str = "/proc", *, uid: int, clock: Clock) -> None:
        self._root = root
        self._uid = uid
        self._clock = clock
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._by_size = _size_counts_fds(root)
        self._namespaces = _own_namespaces(root)
        self._known: dict[int, _Known] = {}

    def read(self) -> ProcessTable:
        """Take one reading. Raises nothing for what it finds.

        A process that ends while it is looked at is left out, as if it had ended before. What this kernel
        does not have is None without a reason. `complete` is False where the listing or the boot time could
        not be read (then no process is in the table and `boot_time` is NaN), and where a process is there
        whose stat could not be read, unless that was refused.
        """
        taken_at = self._clock.monotonic()
        reading = _Reading(self._uid, self._known, by_size=self._by_size)
        boot_time = math.nan
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                names = os.listdir(root)
                boot_time = parse_boot_time(read_file("stat", root))
                for name in names:
                    if name.isdecimal():
                        reading.take(name, root)
            finally:
                os.close(root)
            self._known = reading.known
        except (OSError, ValueError):
            reading.complete = False
        return ProcessTable(
            processes=reading.processes,
            boot_time=boot_time,
            clock_ticks_per_second=self._ticks_per_second,
            taken_at=taken_at,
            complete=reading.complete,
            unreadable=reading.unreadable,
            namespaces=self._namespaces,
        )


def _size_counts_fds(root: str) -> bool:
    """Whether the size of a folder `fd` is the number of open files; our own has some, so it must say so."""
    try:
        return os.stat(os.path.join(root, "self", "fd")).st_size > 0
    except OSError:
        return False


def _own_namespaces(root: str) -> Namespaces | None:
    try:
        pid, mount = (os.readlink(os.path.join(root, "self", "ns", kind)) for kind in ("pid", "mnt"))
    except OSError:
        return None
    return Namespaces(pid, mount)


class _Program(NamedTuple):
    """The marks by which an exec shows. `main_left` goes with them: `arg_start` reads 0 from then on."""

    start_ticks: int
    arg_start: int
    comm: str
    main_left: bool


def _program(stat: Stat) -> _Program:
    return _Program(stat.start_ticks, stat.arg_start, stat.comm, stat.state in DEAD_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The facts of a process as long as it runs one program."""

    program: _Program
    facts: Facts


class _Reading:
    """One reading as it grows: the table, and the facts that the next reading may rely on."""

    def __init__(self, uid: int, known_before: dict[int, _Known], *, by_size: bool) -> None:
        self._uid = uid
        self._known_before = known_before
        self._by_size = by_size
        self.known: dict[int, _Known] = {}
        self.processes: dict[int, Process] = {}
        self.unreadable = dict.fromkeys(Unreadable, 0)
        self.complete = True

    def take(self, pid: str, root: int) -> None:
        """Add one process, unless it is gone or its stat cannot be read."""
        looks = Looks()
        folder = looks.at(Folder, pid, root)
        uid, process = None, None
        if folder is not None:
            try:
                uid = looks.at(folder.uid)
                process = None if uid is None else looks.at(self._process, folder, uid)
            finally:
                folder.close()
        if process is not None:
            self.processes[process.id.pid] = process
            self._count(process.unreadable)
            return
        if uid in (None, self._uid):
            self._count(looks.reasons)
        # Under hidepid=1 strangers are listed and refused for ever: that must not make every view partial.
        self.complete &= looks.reasons <= {Unreadable.PERMISSION}

    def _count(self, reasons: Iterable[Unreadable]) -> None:
        for reason in reasons:
            self.unreadable[reason] += 1

    def _process(self, folder: Folder, uid: int) -> Process:
        stat = folder.stat()
        for _ in range(_ATTEMPTS):
            alive = stat.state not in DEAD_STATES or stat.threads > 1
            if uid != self._uid or stat.kernel_thread or not alive:
                break
            program = _program(stat)
            detail = read_detail(
                folder, stat, self._facts(stat.pid, program), by_size=self._by_size, kept=KEPT_ENVIRON
            )
            # Something failed or is new. Did the process end meanwhile (this raises), become a zombie, lose
            # its main thread or start another program? Then the looks do not belong together.
            again = stat if detail.settled else folder.stat()
            if _program(again) == program:
                if detail.facts.certain:
                    self.known[stat.pid] = _Known(program=program, facts=detail.facts)
                return _process(stat, uid, detail)
            stat = again
        return _process(stat, uid, Detail())

    def _facts(self, pid: int, program: _Program) -> Facts | None:
        known = self._known_before.get(pid)
        if known is None or known.program != program or not program.arg_start:
            return None
        return known.facts


def _process(stat: Stat, uid: int, detail: Detail) -> Process:
    facts, status = detail.facts, detail.status
    return Process(
        id=ProcessId(stat.pid, stat.start_ticks),
        ppid=stat.ppid,
        pgid=stat.pgid,
        session_id=stat.session_id,
        tty=stat.tty,
        foreground_pgid=stat.foreground_pgid,
        state=stat.state,
        comm=stat.comm,
        threads=stat.threads,
        uid=uid,
        cpu_ticks=stat.cpu_ticks,
        children_cpu_ticks=stat.children_cpu_ticks,
        argv=facts.argv,
        argv_complete=facts.argv_complete,
        exe=facts.exe,
        environ=facts.environ,
        namespaces=facts.namespaces,
        resident_bytes=status.resident_bytes,
        anonymous_bytes=status.anonymous_bytes,
        shared_memory_bytes=status.shared_memory_bytes,
        swap_bytes=status.swap_bytes,
        open_fds=detail.open_fds,
        max_fds=detail.max_fds,
        read_bytes=detail.read_bytes,
        written_bytes=detail.written_bytes,
        unreadable=tuple(sorted(detail.reasons)),
    )
