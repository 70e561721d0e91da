"""Who may sit at a terminal: nobody, where its other end is held only by processes left behind.

`script`, expect, unbuffer and programs with node-pty make a pseudoterminal (pty), keep its master and run
something on it. Once they have outlived their own pane, nobody can see that terminal or type into it, unless

- a process that is not left behind holds the master too, or may hold it and cannot be read;
- a holder has a socket or another terminal: a terminal emulator shows its windows through one;
- a holder is meant to keep running, or is in another mount namespace, where terminals have other numbers.
"""

from collections.abc import Callable, Mapping

from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Descriptors, LeakDetails, Process, ProcessId, ProcessTable

_PTS_MAJOR = 136
_DELETED = " (deleted)"


def pts_number(tty: int) -> int | None:
    """The number of a pseudoterminal below /dev/pts by the device number in stat; None for others."""
    major, minor = (tty >> 8) & 0xFFF, (tty & 0xFF) | ((tty >> 12) & 0xFFF00)
    return minor if major == _PTS_MAJOR else None


class Terminals:
    """The terminals of the processes that are left behind, and who holds their masters."""

    def __init__(
        self,
        orphans: Mapping[int, Process],
        details: Mapping[ProcessId, LeakDetails],
        table: ProcessTable,
        owners: Mapping[ProcessId, Owner],
    ) -> None:
        self._orphans = orphans
        self._details = details
        self._table = table
        self._holders = self._found()
        self._related = self._find_related(owners) if self._holders else set[int]()

    def possible_holders(self) -> tuple[ProcessId, ...]:
        """The other processes that could hold a master that an orphan holds; none where none does."""
        if not self._holders:
            return ()
        table = self._table
        return tuple(
            process.id
            for pid, process in table.processes.items()
            if pid not in self._orphans
            and process.alive
            and (process.uid == table.uid or pid in self._related)
        )

    def unattended(
        self, others: Mapping[ProcessId, Descriptors | None], is_meant: Callable[[Process], bool]
    ) -> frozenset[int]:
        """The device numbers of the terminals that nobody sits at.

        `others` is what was read of `possible_holders`, None for an unreadable one. `is_meant`: whether an
        orphan is meant to keep running.
        """
        if any(self._is_hidden(pid, others) for pid in self._related):
            return frozenset()
        held = {number for each in others.values() if each is not None for number in each.masters}
        left = self._holders.keys() - held
        ttys = {
            each.tty: number
            for each in self._orphans.values()
            if each.tty and (number := pts_number(each.tty)) in left
        }
        while True:
            # A holder on a terminal that somebody sits at shows its own terminal there.
            shown = {
                tty
                for tty, number in ttys.items()
                if any(is_meant(each) or self._is_seen(each, ttys) for each in self._holders[number])
            }
            if not shown:
                return frozenset(ttys)
            ttys = {tty: number for tty, number in ttys.items() if tty not in shown}

    def _found(self) -> dict[int, list[Process]]:
        """By the number of each terminal of the orphans: those of them that hold its master."""
        numbers = {pts_number(each.tty) for each in self._orphans.values() if each.tty}
        found: dict[int, list[Process]] = {}
        for process in self._orphans.values() if numbers else ():
            held = self._descriptors(process)
            for number in held.masters & numbers if held is not None else ():
                found.setdefault(number, []).append(process)
        return found

    def _descriptors(self, orphan: Process) -> Descriptors | None:
        facts = self._details.get(orphan.id)
        return facts.descriptors if facts is not None else None

    def _find_related(self, owners: Mapping[ProcessId, Owner]) -> set[int]:
        """Pids of those that may have an open file of a holder: of its pane, above it and below it.

        Whoever adopts orphans, such as init, got them after they had opened it.
        """
        processes = self._table.processes
        below = {each.id.pid for members in self._holders.values() for each in members}
        panes = {owner.pane for pid in below if (owner := owners.get(processes[pid].id))} - {None}
        found = {each.pid for each, owner in owners.items() if owner.pane in panes}
        for pid in below:
            above = processes.get(processes[pid].ppid)
            while above is not None and above.id.pid not in found and not _adopts(above):
                found.add(above.id.pid)
                above = processes.get(above.ppid)
        children: dict[int, list[int]] = {}
        for pid, process in processes.items():
            children.setdefault(process.ppid, []).append(pid)
        queue = list(below)
        for pid in queue:
            new = [child for child in children.get(pid, ()) if child not in below]
            below.update(new)
            queue += new
        return found | below

    def _is_hidden(self, pid: int, others: Mapping[ProcessId, Descriptors | None]) -> bool:
        """Whether a process may hold a master and does not show it."""
        process = self._table.processes.get(pid)
        if process is None or not process.alive:
            return False
        return (self._descriptors(process) if pid in self._orphans else others.get(process.id)) is None

    def _is_seen(self, holder: Process, left: Mapping[int, int]) -> bool:
        """Whether a person may see what a holder shows; at the terminals `left` nobody sits."""
        held, home = self._descriptors(holder), self._table.namespaces
        if held is None or held.sockets or (holder.tty and holder.tty not in left):
            return True
        if home is not None and holder.namespaces != home:
            return True
        mine = {f"/dev/pts/{number}" for number in left.values()}
        return any(not name.endswith(_DELETED) and name not in mine for name in held.terminals)


def _adopts(process: Process) -> bool:
    return process.id.pid == 1 or (process.comm == "systemd" and process.ppid == 1)
