"""Read all processes with psutil, on systems without a Linux /proc; only this file imports psutil.

The result is that of `full_reader`, as far as psutil and the system provide it; a missing figure is None, and
a process without parent or start time is left out. docs/portability.md lists what each system lacks. The
differences on Linux:

    tty, foreground_pgid       not told: psutil knows only the terminals that there were when it first looked
    anonymous, shared, swap    not told: that needs `smaps`, and reading it stalls the process
    argv                       a lone argument, or a title that a process gave itself, is cut at its blanks
    other users' processes     in no detail
    argv, environ              a carriage return has become a newline
    environ                    of a name that occurs twice the last one counts
    a main thread that left    figures of the whole process only: psutil asks no other thread
    exec between two reads     may mix two programs for one reading
    undumpable processes       (such as ssh-agent) open files and their limit are denied as well

`start_ticks` is psutil's creation time less the boot time that psutil added to it, in clock ticks. On Linux
that is field 22 of /proc/PID/stat to the tick: a float of today's seconds is exact to a quarter of a
microsecond. It is computed once for each process: on systems that report a wall time, setting the clock would
otherwise make it another process.
"""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import psutil

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable, Unreadable
from tmux_exporter.sources.processes.parse import ARGV_LIMIT, parse_argv, parse_environ, parse_exe, text
from tmux_exporter.sources.processes.process import KEPT_ENVIRON

T = TypeVar("T")

_STATES = {
    "running": "R",
    "sleeping": "S",
    "disk-sleep": "D",
    "stopped": "T",
    "tracing-stop": "t",
    "zombie": "Z",
    "dead": "X",
    "wake-kill": "K",
    "waking": "W",
    "idle": "I",
    "parked": "P",
    # FreeBSD and NetBSD.
    "locked": "D",
    "waiting": "S",
    "suspended": "T",
}
"""psutil's names of states, with the kernel's letter for each."""

_COMM_BYTES = 15
_ATTEMPTS = 3
# psutil passes errors of the system on, and raises RuntimeError for texts that it cannot parse.
_FAILURES = (psutil.Error, OSError, ValueError, RuntimeError)


class PsutilReader:
    """Reads all processes, those whose effective uid is `uid` in detail."""

    def __init__(self, *, uid: int, clock: Clock) -> None:
        self._uid = uid
        self._clock = clock
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._known: dict[int, _Known] = {}

    def read(self) -> ProcessTable:
        """Take one reading, as `ProcReader.read` does. Raises nothing for what it finds.

        A process of another user whose CPU time is denied is left out and makes no view partial: 0 would be
        false.
        """
        taken_at = self._clock.monotonic()
        boot_time = math.nan
        reading = _Reading(self._uid, self._known, boot_time, self._ticks_per_second)
        try:
            for _ in range(_ATTEMPTS):
                boot_time = psutil.boot_time()
                reading = _Reading(self._uid, self._known, boot_time, self._ticks_per_second)
                for pid in psutil.pids():
                    reading.take(pid)
                # psutil adds the boot time, which changes when the clock is set.
                if psutil.boot_time() == boot_time:
                    break
            self._known = reading.known
        except _FAILURES:
            reading = _Reading(self._uid, self._known, math.nan, self._ticks_per_second)
            reading.complete = False
        return ProcessTable(
            processes=reading.processes,
            boot_time=boot_time,
            clock_ticks_per_second=self._ticks_per_second,
            taken_at=taken_at,
            complete=reading.complete,
            unreadable=reading.unreadable,
            uid=self._uid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A process as of its last read, and psutil's handle, which identifies it."""

    handle: psutil.Process
    process: Process


class _Reading:
    """The table under construction."""

    def __init__(
        self, uid: int, known_before: dict[int, _Known], boot_time: float, ticks_per_second: int
    ) -> None:
        self._uid = uid
        self._known_before = known_before
        self._boot_time = boot_time
        self._ticks_per_second = ticks_per_second
        self.known: dict[int, _Known] = {}
        self.processes: dict[int, Process] = {}
        self.unreadable = dict.fromkeys(Unreadable, 0)
        self.complete = True

    def take(self, pid: int) -> None:
        """Add a process, unless it has ended or has no parent or start time."""
        uid = None
        try:
            handle = psutil.Process(pid)
            uid = handle.uids().effective
            process = self._process(handle, uid)
            # A read by pid alone may have met another process.
            if not handle.is_running():
                return
        except (psutil.NoSuchProcess, ProcessLookupError):
            return
        except _FAILURES as error:
            reason = _reason(error)
            if uid in (None, self._uid):
                self._count((reason,))
            self.complete &= reason is Unreadable.PERMISSION
            return
        self.processes[pid] = process
        self._count(process.unreadable)

    def _count(self, reasons: Iterable[Unreadable]) -> None:
        for reason in reasons:
            self.unreadable[reason] += 1

    def _process(self, handle: psutil.Process, uid: int) -> Process:
        known = self._known_before.get(handle.pid)
        if known is not None and known.handle != handle:
            known = None
        process = self._basics(handle, uid, known)
        if uid == self._uid and process.alive:
            try:
                process = _detailed(process, handle)
            except psutil.ZombieProcess:
                # It ended during the read, or only its main thread did.
                process = self._basics(handle, uid, known)
                process = replace(process, unreadable=(Unreadable.OTHER,) if process.alive else ())
        self.known[handle.pid] = _Known(handle=handle, process=process)
        return process

    def _basics(self, handle: psutil.Process, uid: int, known: _Known | None) -> Process:
        with handle.oneshot():
            state = _STATES.get(handle.status(), "?")
            try:
                times, threads = handle.cpu_times(), handle.num_threads()
                cpu_ticks = self._ticks(times.user) + self._ticks(times.system)
                children_cpu_ticks = self._ticks(times.children_user) + self._ticks(times.children_system)
            except psutil.ZombieProcess:
                # macOS has no figures of a zombie: keep the last ones.
                state, threads = "Z", 1
                cpu_ticks = known.process.cpu_ticks if known else 0
                children_cpu_ticks = known.process.children_cpu_ticks if known else 0
            return Process(
                id=known.process.id if known else ProcessId(handle.pid, self._start_ticks(handle)),
                ppid=handle.ppid(),
                pgid=os.getpgid(handle.pid),
                session_id=os.getsid(handle.pid),
                tty=0,
                foreground_pgid=-1,
                state=state,
                comm=_comm(handle),
                threads=threads,
                uid=uid,
                cpu_ticks=cpu_ticks,
                children_cpu_ticks=children_cpu_ticks,
            )

    def _start_ticks(self, handle: psutil.Process) -> int:
        return self._ticks(handle.create_time() - self._boot_time)

    def _ticks(self, seconds: float) -> int:
        return round(seconds * self._ticks_per_second)


def _comm(handle: psutil.Process) -> str:
    """The name as the kernel stores it.

    psutil replaces a name of 15 bytes, the maximum of a program, by a longer one from the arguments. Kernel
    threads have no arguments, and longer names.
    """
    name = os.fsencode(handle.name())
    return text(name[:_COMM_BYTES] if len(name) > _COMM_BYTES and handle.cmdline() else name)


class _ReadAttempts:
    """Several reads of one process, and why some of them failed."""

    def __init__(self) -> None:
        self.reasons: set[Unreadable] = set()

    def attempt(self, read: Callable[[], T]) -> T | None:
        """The result of the read, None if it failed; raises for a process that has ended."""
        try:
            return read()
        except psutil.NoSuchProcess:
            raise
        except _FAILURES as error:
            self.reasons.add(_reason(error))
        return None


def _reason(error: Exception) -> Unreadable:
    if isinstance(error, psutil.AccessDenied | PermissionError):
        return Unreadable.PERMISSION
    return Unreadable.OTHER if isinstance(error, psutil.Error | OSError) else Unreadable.MALFORMED


def _detailed(process: Process, handle: psutil.Process) -> Process:
    """Add what only processes of our uid show. Raises psutil.NoSuchProcess for an ended process or zombie."""
    attempts = _ReadAttempts()
    words = attempts.attempt(handle.cmdline)
    memory = attempts.attempt(handle.memory_info)
    if not words and memory is not None and not memory.rss:
        # Kernel threads have nothing more; psutil would report 0 for everything.
        return process
    raw = os.fsencode("\0".join(words)) + b"\0" if words else b""
    io_counters = attempts.attempt(handle.io_counters) if hasattr(handle, "io_counters") else None
    environ = attempts.attempt(handle.environ)
    # psutil guesses the program if it is denied. Linux denies it together with the environment.
    exe = None if psutil.LINUX and environ is None else attempts.attempt(handle.exe)
    return replace(
        process,
        argv=parse_argv(raw) if raw else None,
        argv_complete=len(raw) <= ARGV_LIMIT,
        exe=parse_exe(os.fsencode(exe)) if exe else None,
        environ=_kept(environ) if environ is not None and words else None,
        resident_bytes=memory.rss if memory is not None else None,
        open_fds=attempts.attempt(handle.num_fds),
        max_fds=attempts.attempt(lambda: _max_fds(handle)),
        # BSD reports -1: it counts operations only.
        read_bytes=io_counters.read_bytes if io_counters and io_counters.read_bytes >= 0 else None,
        written_bytes=io_counters.write_bytes if io_counters and io_counters.write_bytes >= 0 else None,
        unreadable=tuple(sorted(attempts.reasons)),
    )


def _kept(environ: dict[str, str]) -> dict[str, str]:
    variables = (os.fsencode(f"{name}={environ[name]}\0") for name in KEPT_ENVIRON & environ.keys())
    return parse_environ(variables, KEPT_ENVIRON)


def _max_fds(handle: psutil.Process) -> int | None:
    # Only Linux and FreeBSD report it for another process.
    if not hasattr(handle, "rlimit"):
        return None
    soft, _ = handle.rlimit(psutil.RLIMIT_NOFILE)
    return None if soft == psutil.RLIM_INFINITY else soft
