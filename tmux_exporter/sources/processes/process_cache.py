"""Cache of all processes, which knows which of them must be read again.

A process that has not run since its last read is unchanged, so its CPU clock tells whether it must be read
again. Other processes can change it while it does not run:

- Its parent ends: it is reparented. Its session leader ends or loses the terminal: it loses the terminal too.
- A job of its terminal comes to the foreground: the terminal has another foreground group.

Those processes run, so reading them shows it: `affected` returns the pids that they have changed. Any other
change (limits set by another process, memory reclaimed by the kernel) shows when the process is read in turn.
Clocks of unrelated processes of other users are not read.
"""

from collections.abc import Collection, Container, Mapping, Set

from tmux_exporter.facts.process import Process, Unreadable
from tmux_exporter.sources.processes.kernel import Kernel
from tmux_exporter.sources.processes.process import GONE, ProcessRead

MANY_FDS = 64
"""Open files from which on a process may come near a limit that another one sets."""

_INIT = 1


def find_other_users(processes: Mapping[int, Process], uid: int) -> set[int]:
    """The pids of processes that are not of `uid`, nor ancestor, descendant or session mate of one that is.

    So a process of another user in a pane or a leak (sudo, a setuid program) is not among them, nor is one
    that adopts or waits for ours. To be a child of init makes no process related.
    """
    own = {pid: each for pid, each in processes.items() if each.uid in (uid, None)}
    sessions = {each.session_id for each in own.values()}
    above = {_INIT}
    for each in own.values():
        pid = each.ppid
        while pid in processes and pid not in above:
            above.add(pid)
            pid = processes[pid].ppid
    parents = {
        pid: each.ppid
        for pid, each in processes.items()
        if pid not in own and pid != _INIT and each.session_id not in sessions
    }
    # Related is who has a related parent.
    related = processes.keys() - parents.keys() - {_INIT}
    while related:
        related = {pid for pid, parent in parents.items() if parent in related}
        for pid in related:
            del parents[pid]
    return parents.keys() - above


class ProcessCache:
    """All processes by pid, as of their last read.

    `contradictions` counts reads that showed other figures under an unchanged clock. `changed` collects the
    pids whose entries in `processes` were added, removed or replaced. `uid` is ours.
    """

    def __init__(self, kernel: Kernel, uid: int) -> None:
        self._kernel = kernel
        self._uid = uid
        self.processes: dict[int, Process] = {}
        self.changed: set[int] = set()
        self.with_many_fds: set[int] = set()
        self.contradictions = 0
        self._reads: dict[int, ProcessRead] = {}
        self._clocks: dict[int, int] = {}
        self._other_users: dict[int, int] = {}
        self._flawed: dict[int, ProcessRead] = {}
        self._unsettled: set[int] = set()
        self._foreground: dict[int, int] = {}
        # Those that were a parent or a leader of another one: the end of any other changes nobody.
        self._above: set[int] = set()
        self._left: set[int] = set()
        self._hung_up: set[int] = set()
        self._switched: set[int] = set()

    def __len__(self) -> int:
        return len(self._reads)

    def __contains__(self, pid: object) -> bool:
        return pid in self._reads

    @property
    def pids(self) -> Collection[int]:
        """All known pids, unreadable ones included."""
        return self._reads.keys()

    @property
    def complete(self) -> bool:
        """Whether every process was read or denied by permission."""
        return all(look.complete for look in self._flawed.values())

    def unreadable(self) -> dict[Unreadable, int]:
        """How many processes of our uid could not be read in part, by reason."""
        counts = dict.fromkeys(Unreadable, 0)
        for look in self._flawed.values():
            for reason in look.unreadable:
                counts[reason] += 1
        return counts

    @property
    def other_users(self) -> Set[int]:
        """The pids whose clocks are not read."""
        return self._other_users.keys()

    def mark_other_users(self, young: Container[int]) -> None:
        """Stop reading the clocks of unrelated processes of other users, but for the `young`."""
        clocks = {**self._clocks, **self._other_users}
        apart = {pid for pid in find_other_users(self.processes, self._uid) if pid not in young}
        self._other_users = {pid: clock for pid, clock in clocks.items() if pid in apart}
        self._clocks = {pid: clock for pid, clock in clocks.items() if pid not in apart}

    def outdated(self) -> set[int]:
        """The pids that have run since their last read, or whose read failed. Drops ended processes.

        Does not cover `find_other_users`.
        """
        moved, ended = self._kernel.compare(self._clocks)
        for pid in ended:
            self._drop(pid)
        return self._unsettled.union(moved)

    def changed_meanwhile(self, pid: int) -> bool:
        """Whether its line of stat differs from the last read."""
        return self._kernel.mark(pid) != self._reads[pid].mark

    def limit_changed(self, pid: int) -> bool:
        """Whether its limit of open files differs from the last read; False where it is not shown."""
        process = self.processes.get(pid)
        if process is None or process.max_fds is None:
            return False
        try:
            return self._kernel.max_fds(pid) != process.max_fds
        except OSError:
            return False

    def read(self, pid: int) -> bool:
        """Read the process with this pid; False if there is none."""
        # The clock first: a process that runs in between is read again. A thread has a folder too, which
        # shows its process, but no clock.
        clock = self._kernel.clock_ns(pid)
        before = self._reads.get(pid)
        look = GONE if clock is None else self._kernel.read(pid, before.known if before else None)
        if clock is None or look.gone:
            self._drop(pid)
            return False
        clocks = self._other_users if pid in self._other_users else self._clocks
        if before is not None and clock == clocks[pid]:
            self._compare(before, look, clock)
        self._note(before, look)
        self._reads[pid] = look
        clocks[pid] = clock
        if look.process is not None:
            self._clear_other_user(look.process)
        if look.process is None:
            self._forget(pid)
        elif look.process != self.processes.get(pid):
            self.processes[pid] = look.process
            self.changed.add(pid)
            if (look.process.open_fds or 0) >= MANY_FDS:
                self.with_many_fds.add(pid)
        if look.unreadable or not look.complete:
            self._flawed[pid] = look
        else:
            self._flawed.pop(pid, None)
        (self._unsettled.discard if look.settled else self._unsettled.add)(pid)
        return True

    def affected(self) -> set[int]:
        """The pids whose parent, session or terminal may have changed since the last call."""
        left, hung_up = self._left & self._above, self._hung_up & self._above
        switched = self._switched
        self._left, self._hung_up, self._switched = set(), set(), set()
        self._above -= left
        if not (left or hung_up or switched):
            return set()
        return {
            pid
            for pid, each in self.processes.items()
            if each.ppid in left or each.session_id in hung_up or each.tty in switched
        }

    def _note(self, before: ProcessRead | None, look: ProcessRead) -> None:
        """Note what this read means for other processes."""
        old, new = before.process if before else None, look.process
        if old is not None and (new is None or new.id != old.id or (old.alive and not new.alive)):
            self._note_end(old)
        if new is None:
            return
        pid = new.id.pid
        self._above.add(new.ppid)
        if new.session_id != pid:
            self._above.add(new.session_id)
        if old is not None and pid == new.session_id and new.tty != old.tty:
            self._hung_up.add(pid)
        if new.tty and self._foreground.setdefault(new.tty, new.foreground_pgid) != new.foreground_pgid:
            self._foreground[new.tty] = new.foreground_pgid
            self._switched.add(new.tty)

    def _compare(self, before: ProcessRead, look: ProcessRead, clock: int) -> None:
        """Count a contradiction if figures changed that the clock covers."""
        old, new = before.process, look.process
        if old is None or new is None or old.id != new.id or not before.settled:
            return
        # The clock of a running process may lag.
        if (
            new.state != "R"
            and (old.cpu_ticks, old.children_cpu_ticks, old.threads, old.comm)
            != (new.cpu_ticks, new.children_cpu_ticks, new.threads, new.comm)
            and self._kernel.clock_ns(new.id.pid) == clock
        ):
            self.contradictions += 1

    def _clear_other_user(self, process: Process) -> None:
        """Read the clock of a process again once it is ours, or the parent of one whose clock is read."""
        pid = process.id.pid
        if pid not in self._other_users:
            pid = process.ppid
        elif process.uid != self._uid:
            return
        if pid in self._other_users:
            self._clocks[pid] = self._other_users.pop(pid)

    def _note_end(self, process: Process) -> None:
        self._left.add(process.id.pid)
        self._hung_up.add(process.id.pid)

    def _drop(self, pid: int) -> None:
        if self._reads.pop(pid, None) is None:
            return
        self.with_many_fds.discard(pid)
        self._clocks.pop(pid, None)
        self._other_users.pop(pid, None)
        self._flawed.pop(pid, None)
        self._unsettled.discard(pid)
        process = self._forget(pid)
        if process is not None:
            self._note_end(process)

    def _forget(self, pid: int) -> Process | None:
        process = self.processes.pop(pid, None)
        if process is not None:
            self.changed.add(pid)
        return process
