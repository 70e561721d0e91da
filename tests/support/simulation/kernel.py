"""A kernel in memory: processes fork, exec, run, exit, lose their parents, are waited for, and keep accounts.

What a reader may ask, each answer true for one instant only (nothing stands still between two calls):

    pids()          the processes that are listed, in ascending order, zombies included, threads not
    look(pid)       one process as a `model.Process`, None where it is gone; its accounts of I/O are a second
                    instant, and `between` runs before them; a thread shows its process
    clock_ns(pid)   its CPU clock; ProcessLookupError where it is gone, OSError(EINVAL) for a thread
    cursor          the pid that was given away last, to a process or to a thread
    program(pid)    counts its execs, as the address of its arguments shows them
    mark(pid)       changes with its line of stat, None where it is gone
    forks           how many processes and threads were started

What happens, in the hands of the test: `fork`, `thread`, `exec`, `run`, `alter`, `exit`, `wait`, `ignore`,
`subreap`, `setsid`, `leave_group`, `open_terminal`, `foreground`, `hang_up`, `relabel`, `show`, `advance`.

What is true, for the test alone, by label: `used`, all that its processes have used; `left`, all that ended
in the account of a process without the label; `lost`, all that ended in nobody's account because a parent
ignored SIGCHLD. `labels` holds those of every process that ever was; they are inherited by fork.

The rules are Linux's. Times are whole nanoseconds and are cut to ticks only when shown: user, system and the
two of waited-for children each on its own. wait() adds what a child used, and what it had from its own
children, to its parent; so for I/O, where one figure holds both. A child whose parent ignores SIGCHLD gives
it to nobody. An orphan goes to the nearest ancestor that is a subreaper, else to init (pid 1). A pid is not
given away while a process, a thread, a kernel session or a group bears it, and never twice in one tick.
"""

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.literals.facts import UID
from tmux_exporter.facts.process import Process, ProcessId

TICK_NS = 10_000_000
INIT = 1


@dataclass(slots=True)
class Account:
    """What was used: nanoseconds and bytes."""

    user_ns: int = 0
    system_ns: int = 0
    read: int = 0
    written: int = 0

    @property
    def cpu_ns(self) -> int:
        return self.user_ns + self.system_ns

    def add(self, other: "Account") -> None:
        self.user_ns += other.user_ns
        self.system_ns += other.system_ns
        self.read += other.read
        self.written += other.written


@dataclass(slots=True)
class Task:
    """A process of the simulation; the test reads it, and changes it only through the kernel."""

    id: ProcessId
    ppid: int
    sid: int
    pgid: int
    comm: str
    labels: frozenset[str]
    tty: int = 0
    zombie: bool = False
    visible: bool = True
    ignores_children: bool = False
    subreaper: bool = False
    execs: int = 0
    threads: set[int] = field(default_factory=set)
    own: Account = field(default_factory=Account)
    children: Account = field(default_factory=Account)
    shown: dict[str, Any] = field(default_factory=dict)


class SimulatedKernel:
    """Starts with init alone. A small `pid_max` makes pids come back soon.

    Each call of a process takes `call_ns` of system time: nobody does anything without running.
    """

    def __init__(self, *, pid_max: int = 32768, ticks: int = 1000, call_ns: int = 0) -> None:
        self.now_ns = ticks * TICK_NS
        self.cursor = INIT
        self.forks = 0
        self.pid_max = pid_max
        self._call_ns = call_ns
        self.tasks: dict[int, Task] = {}
        self.used: defaultdict[str, Account] = defaultdict(Account)
        self.left: defaultdict[str, Account] = defaultdict(Account)
        self.lost: defaultdict[str, Account] = defaultdict(Account)
        self.labels: dict[ProcessId, frozenset[str]] = {}
        self._foreground: dict[int, int] = {}
        self._tids: dict[int, int] = {}
        self._given: set[int] = set()
        init = Task(id=ProcessId(INIT, 0), ppid=0, sid=INIT, pgid=INIT, comm="init", labels=frozenset())
        self.tasks[INIT] = init
        self._given.add(INIT)

    # What happens.

    def fork(self, parent: int, *, labels: Iterable[str] | None = None, visible: bool = True) -> int:
        """Start a child, by default of its parent's labels; one not `visible` is listed after `show`."""
        mother = self._calling(parent)
        pid = self._new_pid()
        self.tasks[pid] = Task(
            id=ProcessId(pid, self.now_ns // TICK_NS), ppid=parent, sid=mother.sid, pgid=mother.pgid,
            comm=mother.comm, tty=mother.tty, labels=mother.labels if labels is None else frozenset(labels),
            visible=visible, ignores_children=mother.ignores_children, execs=mother.execs,
            shown=dict(mother.shown),
        )  # fmt: skip
        self.labels[self.tasks[pid].id] = self.tasks[pid].labels
        return pid

    def show(self, pid: int) -> None:
        """Let a process that was forked unseen be listed."""
        self.tasks[pid].visible = True

    def thread(self, pid: int) -> int:
        """Start a thread: it takes a number of its own and is never listed."""
        task = self._calling(pid)
        tid = self._new_pid()
        task.threads.add(tid)
        self._tids[tid] = pid
        return tid

    def exec(self, pid: int, comm: str) -> None:
        """Run another program: other threads end, the process and its accounts go on."""
        task = self._calling(pid)
        self._end_threads(task)
        task.comm = comm
        task.execs += 1

    def run(
        self, pid: int, user_ns: int = 0, system_ns: int = 0, *, read: int = 0, written: int = 0, **shown: Any
    ) -> None:
        """Let a process use CPU, which takes as long, and I/O; by that it changes the fields in `shown`."""
        task = self._calling(pid)
        self._use(task, Account(user_ns=user_ns, system_ns=system_ns, read=read, written=written))
        task.shown.update(shown)

    def alter(self, pid: int, **shown: Any) -> None:
        """Change what is shown of a process without its running: limits, shared memory, …"""
        self.tasks[pid].shown.update(shown)

    def exit(self, pid: int) -> None:
        """End a process: a zombie until it is waited for, or nothing at all. Its children become orphans."""
        task = self._calling(pid)
        if pid == INIT:
            raise ValueError("init does not exit")
        self._end_threads(task)
        if task.sid == pid and task.tty:
            self._take_terminal(lambda each: each.sid == pid)
        task.zombie = True
        task.visible = True
        heir = self._reaper(task)
        for child in [each for each in self.tasks.values() if each.ppid == pid]:
            child.ppid = heir
            if child.zombie:
                self._notify(child)
        self._notify(task)

    def wait(self, parent: int, child: int | None = None) -> int | None:
        """Wait for a child that ended, the oldest by default; None where there is none."""
        mother = self._calling(parent)
        ended = [each for each in self.tasks.values() if each.zombie and each.ppid == parent]
        chosen = next((each for each in ended if child is None or each.id.pid == child), None)
        if chosen is None:
            return None
        for account in (chosen.own, chosen.children):
            mother.children.add(account)
            for label in chosen.labels - mother.labels:
                self.left[label].add(account)
        del self.tasks[chosen.id.pid]
        return chosen.id.pid

    def ignore(self, pid: int, *, ignores: bool = True) -> None:
        """Ignore SIGCHLD, or no longer."""
        self._calling(pid).ignores_children = ignores

    def subreap(self, pid: int) -> None:
        """Adopt the orphans among one's descendants from now on."""
        self._calling(pid).subreaper = True

    def setsid(self, pid: int) -> None:
        """Begin a kernel session; nothing for the leader of a group."""
        task = self._calling(pid)
        if task.pgid != pid:
            task.sid = task.pgid = pid
            task.tty = 0

    def leave_group(self, pid: int) -> None:
        """Begin a process group."""
        task = self._calling(pid)
        if task.sid != pid:
            task.pgid = pid

    def open_terminal(self, pid: int, tty: int) -> None:
        """Get a terminal that nobody has, for the leader of a session that has none."""
        task = self._calling(pid)
        if task.sid == pid and not task.tty and all(each.tty != tty for each in self.tasks.values()):
            task.tty = tty
            self._foreground[tty] = task.pgid

    def foreground(self, pid: int) -> None:
        """Bring one's own group to the foreground of one's terminal."""
        task = self._calling(pid)
        if task.tty:
            self._foreground[task.tty] = task.pgid

    def hang_up(self, tty: int) -> None:
        """Take a terminal from its whole session; its leader hears of it."""
        for each in self.tasks.values():
            if each.tty == tty and each.sid == each.id.pid and not each.zombie:
                self._calling(each.id.pid)
        self._take_terminal(lambda each: each.tty == tty)

    def relabel(self, pid: int, labels: Iterable[str]) -> None:
        """Count a process elsewhere from now on (its children keep their labels)."""
        task = self.tasks[pid]
        task.labels = self.labels[task.id] = frozenset(labels)

    def advance(self, ticks: int = 1) -> None:
        """Let time pass."""
        self.now_ns += ticks * TICK_NS

    # What a reader sees.

    def pids(self) -> list[int]:
        return sorted(pid for pid, task in self.tasks.items() if task.visible)

    def read(self, pid: int, between: Callable[[], None] | None = None) -> Process | None:
        """One process now; its read and written bytes after `between`, unless it ended in that moment."""
        if (leader := self._tids.get(pid)) is not None:
            # The folder of a thread is not listed, but opens, and shows its whole process.
            whole = self.read(leader, between)
            return whole and replace(whole, id=ProcessId(pid, whole.id.start_ticks))
        task = self._seen(pid)
        if task is None:
            return None
        stat = self._stat(task)
        if between is not None:
            between()
            if self._seen(pid) is not task:
                return None
            if task.zombie != (stat["state"] == "Z"):
                stat = self._stat(task)
        if task.zombie:
            return Process(**stat)
        shown: dict[str, Any] = {"argv": (task.comm,), "environ": {}} | task.shown
        return Process(
            **stat | shown,
            read_bytes=task.own.read + task.children.read,
            written_bytes=task.own.written + task.children.written,
        )

    def clock_ns(self, pid: int) -> int:
        """The CPU clock of a process, its threads included and its children not."""
        if pid in self._tids:
            raise OSError(errno.EINVAL, "a thread has no CPU clock of a process")
        task = self._seen(pid)
        if task is None:
            raise ProcessLookupError(pid)
        return task.own.cpu_ns

    def program(self, pid: int) -> int | None:
        """Changes with every exec; None where the process is gone."""
        task = self._seen(pid)
        return None if task is None else task.execs

    def mark(self, pid: int) -> int | None:
        """Changes with what the line of stat shows, the address of the arguments included."""
        task = self._seen(self._tids.get(pid, pid))
        return None if task is None else hash((*self._stat(task).values(), task.execs))

    def living(self) -> list[int]:
        """The pids that may act, in ascending order."""
        return sorted(pid for pid, task in self.tasks.items() if not task.zombie)

    def _seen(self, pid: int) -> Task | None:
        task = self.tasks.get(pid)
        return task if task is not None and task.visible else None

    def _stat(self, task: Task) -> dict[str, Any]:
        own, children = task.own, task.children
        return {
            "id": task.id, "ppid": task.ppid, "pgid": task.pgid, "session_id": task.sid, "tty": task.tty,
            "foreground_pgid": self._foreground[task.tty] if task.tty else -1,
            "state": "Z" if task.zombie else "S", "comm": task.comm, "threads": 1 + len(task.threads),
            "uid": task.shown.get("uid", UID), "cpu_ticks": own.user_ns // TICK_NS + own.system_ns // TICK_NS,
            "children_cpu_ticks": children.user_ns // TICK_NS + children.system_ns // TICK_NS,
        }  # fmt: skip

    # How it goes about it.

    def _use(self, task: Task, use: Account) -> None:
        self.now_ns += use.cpu_ns
        task.own.add(use)
        for label in task.labels:
            self.used[label].add(use)

    def _calling(self, pid: int) -> Task:
        task = self._living(pid)
        self._use(task, Account(system_ns=self._call_ns))
        return task

    def _living(self, pid: int) -> Task:
        task = self.tasks[pid]
        if task.zombie:
            raise ValueError(f"{pid} has ended")
        return task

    def _notify(self, ended: Task) -> None:
        if self.tasks[ended.ppid].ignores_children:
            for label in ended.labels:
                self.lost[label].add(ended.own)
                self.lost[label].add(ended.children)
            del self.tasks[ended.id.pid]

    def _take_terminal(self, whose: Callable[[Task], bool]) -> None:
        for each in self.tasks.values():
            if whose(each):
                each.tty = 0

    def _reaper(self, task: Task) -> int:
        ancestor = self.tasks[task.ppid]
        while ancestor.id.pid != INIT:
            if ancestor.subreaper and not ancestor.zombie:
                return ancestor.id.pid
            ancestor = self.tasks[ancestor.ppid]
        return INIT

    def _end_threads(self, task: Task) -> None:
        for tid in task.threads:
            del self._tids[tid]
        task.threads.clear()

    def _new_pid(self) -> int:
        taken = {*self.tasks, *self._tids}
        for task in self.tasks.values():
            taken |= {task.sid, task.pgid}
        pid = self.cursor
        for _ in range(self.pid_max):
            pid = pid + 1 if pid < self.pid_max else INIT + 1
            if pid not in taken:
                break
        else:
            raise OSError(errno.EAGAIN, "no pid is left")
        if pid in self._given:
            self.advance()
        self._given.add(pid)
        self.cursor = pid
        self.forks += 1
        return pid
