"""What is known of all processes, and who has to be looked at again.

A process that has not run is as it was when it was last looked at, so its CPU clock tells whether that look
still holds. Some things change without its running, by what others do:

- Its parent ends: it gets another one. Who leads its kernel session ends or loses the terminal: it loses it.
- A job of its terminal comes to the foreground: the terminal names another group.

Strangers, processes of other users that have to do with none of ours, are looked at in turn only.

These others run, so what they did shows in the looks at them: `touched` says whom it concerns. Whatever else
changes meanwhile (limits set from outside, memory taken back by the kernel) shows when its turn has come.
"""

from collections.abc import Collection, Container, Set

from tmux_exporter.facts.process import Process, Unreadable
from tmux_exporter.sources.processes.kernel import Kernel
from tmux_exporter.sources.processes.other_users import find_other_users
from tmux_exporter.sources.processes.process import GONE, ProcessRead


class ProcessCache:
    """All processes by pid, each as its last look showed it.

    `contradictions` counts the looks at which a process had other figures under an unchanged clock. `changed`
    gathers whose entries in `processes` came, went or became others. `uid` is ours.
    """

    def __init__(self, kernel: Kernel, uid: int) -> None:
        self._kernel = kernel
        self._uid = uid
        self.processes: dict[int, Process] = {}
        self.changed: set[int] = set()
        self.contradictions = 0
        self._reads: dict[int, ProcessRead] = {}
        self._clocks: dict[int, int] = {}
        self._other_users: dict[int, int] = {}
        self._flawed: dict[int, ProcessRead] = {}
        self._unsettled: set[int] = set()
        self._foreground: dict[int, int] = {}
        self._left: set[int] = set()
        self._hung_up: set[int] = set()
        self._switched: set[int] = set()

    def __len__(self) -> int:
        return len(self._reads)

    def __contains__(self, pid: object) -> bool:
        return pid in self._reads

    @property
    def pids(self) -> Collection[int]:
        """All that are known, those that could not be read included."""
        return self._reads.keys()

    @property
    def complete(self) -> bool:
        """Whether all that are there could be read, or were refused."""
        return all(look.complete for look in self._flawed.values())

    def unreadable(self) -> dict[Unreadable, int]:
        """Processes of our uid by the reason for which a part of them could not be read."""
        counts = dict.fromkeys(Unreadable, 0)
        for look in self._flawed.values():
            for reason in look.unreadable:
                counts[reason] += 1
        return counts

    @property
    def other_users(self) -> Set[int]:
        """Those whose clocks are not asked."""
        return self._other_users.keys()

    def mark_other_users(self, candidates: Container[int]) -> None:
        """From now on ask the clocks of all but the strangers among the `candidates`."""
        clocks = {**self._clocks, **self._other_users}
        apart = {pid for pid in find_other_users(self.processes, self._uid) if pid in candidates}
        self._other_users = {pid: clock for pid, clock in clocks.items() if pid in apart}
        self._clocks = {pid: clock for pid, clock in clocks.items() if pid not in apart}

    def outdated(self) -> set[int]:
        """Those that have run since they were looked at, or of which a look failed. Drops who has ended.

        Of strangers it tells nothing.
        """
        moved, ended = self._kernel.compare(self._clocks)
        for pid in ended:
            self._drop(pid)
        return self._unsettled.union(moved)

    def changed_meanwhile(self, pid: int) -> bool:
        """Whether its line of stat is another one than when it was last looked at."""
        return self._kernel.mark(pid) != self._reads[pid].mark

    def read(self, pid: int) -> bool:
        """Look at whoever bears the pid; False where nobody does."""
        # The clock first: who runs between the two is looked at again. A thread has a folder too, and it
        # shows its process; but it has no clock.
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
        if look.unreadable or not look.complete:
            self._flawed[pid] = look
        else:
            self._flawed.pop(pid, None)
        (self._unsettled.discard if look.settled else self._unsettled.add)(pid)
        return True

    def affected(self) -> set[int]:
        """Those whose parent, session or terminal has changed since this was asked last."""
        left, hung_up, switched = self._left, self._hung_up, self._switched
        if not (left or hung_up or switched):
            return set()
        self._left, self._hung_up, self._switched = set(), set(), set()
        return {
            pid
            for pid, each in self.processes.items()
            if each.ppid in left or each.session_id in hung_up or each.tty in switched
        }

    def _note(self, before: ProcessRead | None, look: ProcessRead) -> None:
        """Note what the look tells of others."""
        old, new = before.process if before else None, look.process
        if old is not None and (new is None or new.id != old.id or (old.alive and not new.alive)):
            self._note_end(old)
        if new is None:
            return
        pid = new.id.pid
        if old is not None and pid == new.session_id and new.tty != old.tty:
            self._hung_up.add(pid)
        if new.tty and self._foreground.setdefault(new.tty, new.foreground_pgid) != new.foreground_pgid:
            self._foreground[new.tty] = new.foreground_pgid
            self._switched.add(new.tty)

    def _compare(self, before: ProcessRead, look: ProcessRead, clock: int) -> None:
        """Count where figures have changed that the clock speaks for."""
        old, new = before.process, look.process
        if old is None or new is None or old.id != new.id or not before.settled:
            return
        # The clock of who runs just now may be behind.
        if (
            new.state != "R"
            and (old.cpu_ticks, old.children_cpu_ticks, old.threads, old.comm)
            != (new.cpu_ticks, new.children_cpu_ticks, new.threads, new.comm)
            and self._kernel.clock_ns(new.id.pid) == clock
        ):
            self.contradictions += 1

    def _clear_other_user(self, process: Process) -> None:
        """Whoever has become ours, or the parent of one that is asked, is no stranger any more."""
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
