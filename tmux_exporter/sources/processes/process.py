"""Read one process from /proc into `facts.process.Process`.

What is read
    always              its line of stat, its uid by the owner of its folder, status, limits, io and how many
                        files it has open
    once                arguments, program and kept environment, which are fixed at exec: they hold until
                        `arg_start` or the name changes (every exec moves the arguments), and end with the
                        process; where the kernel hides `arg_start` they are read each time

Of a process of another user the kernel shows stat, status, limits and arguments to everybody, and the rest
only to root.

Zombies and kernel threads have nothing more to read. A process in state Z that still has threads is alive
without its main thread; it is read through a living thread.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.facts.process import Namespaces, Process, ProcessId, Unreadable
from tmux_exporter.sources.processes.parse import Stat, parse_stat
from tmux_exporter.sources.processes.process_detail import Detail, Facts, ReadAttempts, read_detail
from tmux_exporter.sources.processes.process_folder import DEAD_STATES, Folder

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
        "TMUX_EXPORTER_KEEP",
    }
)
"""The only environment variables that are kept: they name the tmux pane or the agent, or say "keep"."""

_ATTEMPTS = 3


class Program(NamedTuple):
    """Changes with every exec. `main_left`: the main thread has ended; `arg_start` is 0 from then on."""

    start_ticks: int
    arg_start: int
    comm: str
    main_left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The facts of a process that stay the same until its next exec."""

    program: Program
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRead:
    """The result of reading one pid.

    `process` is None if it has ended or its stat cannot be read; then `unread` says why, and `complete` is
    False unless permission was denied. `unreadable` are the reasons that the table counts. `known` is what
    the next read may reuse, `mark` a number that changes with the line of stat. `settled` is False if the
    process must be read again even if it does not run.
    """

    process: Process | None = None
    known: Known | None = None
    unread: frozenset[Unreadable] = frozenset()
    unreadable: tuple[Unreadable, ...] = ()
    complete: bool = True
    mark: int = 0
    settled: bool = False

    @property
    def gone(self) -> bool:
        """Whether no process has the pid any more."""
        return self.process is None and not self.unread


GONE = ProcessRead()


class ProcessReader:
    """Reads processes; counts what it could not read of those whose effective uid is `uid`."""

    def __init__(self, *, uid: int, by_size: bool, by_pid: bool = False) -> None:
        """`by_size` and `by_pid` as of `Folder`; `by_pid` only where the pids are those of our namespace."""
        self._uid = uid
        self._by_size = by_size
        self._by_pid = by_pid

    def read(self, pid: str, root: int, known: Known | None) -> ProcessRead:
        """Read one process below the folder open as `root`; `known` is from an earlier read of this pid."""
        attempts = ReadAttempts()
        folder = attempts.attempt(Folder, pid, root)
        uid, found = None, None
        if folder is not None:
            try:
                uid = attempts.attempt(folder.uid)
                found = None if uid is None else attempts.attempt(self._process, folder, uid, known)
            finally:
                folder.close()
        if found is not None:
            return found
        if not attempts.reasons:
            return GONE
        # Under hidepid=1 processes of other users are listed but never readable: that makes no view partial.
        refused = attempts.reasons <= {Unreadable.PERMISSION}
        return ProcessRead(
            unread=frozenset(attempts.reasons),
            unreadable=tuple(sorted(attempts.reasons)) if uid in (None, self._uid) else (),
            complete=refused,
            settled=refused,
        )

    def _process(self, folder: Folder, uid: int, known: Known | None) -> ProcessRead:
        line = folder.stat_line()
        stat = parse_stat(line)
        for _ in range(_ATTEMPTS):
            alive = stat.state not in DEAD_STATES or stat.threads > 1
            if stat.kernel_thread or not alive:
                break
            program = _program(stat)
            detail = read_detail(
                folder,
                stat,
                _facts(known, program),
                by_size=self._by_size,
                by_pid=self._by_pid,
                kept=KEPT_ENVIRON,
            )
            # Something failed or is new. Did the process end meanwhile (this raises), become a zombie, lose
            # its main thread or start another program? Then its parts do not belong together.
            line_again = line if detail.settled else folder.stat_line()
            again = stat if detail.settled else parse_stat(line_again)
            if _program(again) == program:
                certain = detail.facts.certain
                kept = Known(program=program, facts=detail.facts) if certain else None
                settled = certain and detail.reasons <= {Unreadable.PERMISSION}
                return self._read(_process(stat, uid, detail), kept, line, settled=settled)
            stat, line = again, line_again
        else:
            return self._read(_process(stat, uid, Detail()), None, line, settled=False)
        return self._read(_process(stat, uid, Detail()), None, line, settled=True)

    def _read(self, process: Process, known: Known | None, line: bytes, *, settled: bool) -> ProcessRead:
        counted = process.unreadable if process.uid == self._uid else ()
        return ProcessRead(process=process, known=known, unreadable=counted, mark=hash(line), settled=settled)


def size_counts_fds(root: str) -> bool:
    """Whether the size of a folder `fd` is the number of open files: ours must not be 0."""
    try:
        return os.stat(os.path.join(root, "self", "fd")).st_size > 0
    except OSError:
        return False


def own_namespaces(root: str) -> Namespaces | None:
    """The namespaces of this process as the /proc at `root` shows them; None if it does not."""
    try:
        pid, mount = (os.readlink(os.path.join(root, "self", "ns", kind)) for kind in ("pid", "mnt"))
    except OSError:
        return None
    return Namespaces(pid, mount)


def _program(stat: Stat) -> Program:
    return Program(stat.start_ticks, stat.arg_start, stat.comm, stat.state in DEAD_STATES)


def _facts(known: Known | None, program: Program) -> Facts | None:
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
        image=stat.arg_start,
        exe=facts.exe,
        environ=facts.environ,
        namespaces=detail.namespaces,
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
