"""Lineage: who forked whom, by the kernel's events, so that a process keeps its pane whatever it leaves.

A double fork, `env -i`, `setsid` and a daemon that overwrites its environment leave all other evidence; who
forked them stays true. A node stands for one process until it ends, and after that as an ancestor of
others. Samples say which nodes belong to which pane; a process that no sample can tie to anybody has the pane
of its nearest ancestor that one could.

After a loss of events a pid may be another process's: all is forgotten but what was tied before, which is
kept by pid and start.

An orphan that runs is asked for its CPU time again and again, for nobody of its pane will get it at its end.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeGuard

from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey

_NANOSECONDS = 1_000_000_000
_START_SLACK_SECONDS = 2.0
"""How much later than its start the event of a fork may come: its parent may be preempted in between."""

_SPARE = 1000

CALM = 8
"""An orphan whose CPU time has not moved so many times is asked only with every CALM-th round."""


class OrphanCpu(NamedTuple):
    """What an ended orphan of a pane used that no sample has seen, and how long nobody asked it, at most."""

    pane: PaneKey
    nanoseconds: int
    unasked: int


class _Node:
    """One process. `told` is the CPU time that samples have counted, `clock` what it said itself, at `asked`.

    `apart`: the last sample could tie it to nobody. `base` is what it had used when one could: nobody's
    counter has that.
    """

    __slots__ = (
        "apart", "asked", "base", "began", "children", "clock", "ended", "gone",
        "id", "owner", "parent", "pid", "seen", "still", "told",
    )  # fmt: skip

    def __init__(self, pid: int, parent: "_Node | None", began: int | None) -> None:
        self.pid = pid
        self.parent = parent
        self.began = began
        self.asked = began
        self.children: set[_Node] | None = None
        self.owner: Owner | None = None
        self.id: ProcessId | None = None
        self.gone = self.seen = self.apart = False
        self.base = self.clock = self.told = self.still = self.ended = 0

    def origin(self) -> Owner | None:
        """The owner of the nearest ancestor that has one."""
        above = self.parent
        while above is not None and above.owner is None:
            above = above.parent
        return above.owner if above is not None else None

    def forked(self, child: "_Node") -> None:
        """A child, as long as it lives."""
        if self.children is None:
            self.children = set()
        self.children.add(child)

    def leave(self) -> Iterable["_Node"]:
        """It ended; returns its living children. Keeps only the ancestor that these need to name an owner."""
        above, self.gone = self.parent, True
        if above is not None and above.children is not None:
            above.children.discard(self)
        while above is not None and above.gone and above.owner is None:
            above = above.parent
        self.parent = above if self.owner is None else None
        children, self.children = self.children, None
        return children or ()

    def count(self, process: Process, used: int, owner: Owner | None) -> None:
        """A sample has seen it: what it used counts for its owner, from the sample on that ties it to one.

        A zombie goes on to count where it did when it was alive.
        """
        if not process.alive and self.apart:
            return
        if process.alive and (owner is None or owner.pane is None):
            self.apart = True
            return
        if self.apart:
            self.apart, self.base = False, used
        self.told = max(self.told, used - self.base)

    def pane(self) -> PaneKey | None:
        """The pane that it belongs to, by itself or by an ancestor."""
        owner = self.owner or self.origin()
        return owner.pane if owner is not None else None


class Lineage:
    """The forks of one machine, as far as a pane or tmux server stands above them; not safe for threads.

    `ties` are the owners of living processes that only their lineage names.
    """

    def __init__(self, ties: Mapping[ProcessId, Owner] | None = None) -> None:
        self.ties: Mapping[ProcessId, Owner] = dict(ties or {})
        self._nodes: dict[int, _Node] = {}
        self._new: dict[int, _Node] = {}
        self._orphans: dict[int, _Node] = {}
        self._ended: list[_Node] = []
        self._exited: set[int] = set()
        self._round = 0
        self._whole = False

    def __len__(self) -> int:
        return len(self._nodes)

    def fork(self, parent: int, child: int, at: int) -> None:
        """A process forked another one at nanoseconds since boot."""
        nodes = self._nodes
        if child in nodes:
            # A pid of ours that is another process's now: its end was lost or is not there yet.
            self.exit(child, 0)
        if (above := nodes.get(parent)) is not None:
            node = _Node(child, above, at)
            above.forked(node)
            nodes[child] = self._new[child] = node

    def exit(self, pid: int, at: int) -> None:
        """A process ended."""
        node = self._nodes.pop(pid, None)
        if node is None:
            return
        self._new.pop(pid, None)
        self._exited.add(pid)
        for child in node.leave():
            self._orphans[child.pid] = child
        if self._orphans.pop(pid, None) is not None:
            node.ended = at
            self._ended.append(node)

    def pass_over(self, parent: int, child: int) -> None:
        """A process was forked and ended, and forked nobody."""
        self.exit(child, 0)
        if parent in self._nodes:
            self._exited.add(child)

    def lose(self) -> None:
        """Events were lost: forget what they may have changed."""
        for nodes in (self._nodes, self._new, self._orphans):
            nodes.clear()
        self._whole = False

    def running(self) -> Iterator[int]:
        """The orphans to ask for their CPU time in this round."""
        self._round += 1
        every = self._round % CALM == 0 or self.rounds_to_wait == CALM
        return iter([pid for pid, node in self._orphans.items() if every or node.still < CALM])

    @property
    def rounds_to_wait(self) -> int:
        """After how many rounds to ask again: CALM while no orphan runs, 0 without any."""
        if not self._orphans:
            return 0
        return 1 if any(node.still < CALM for node in self._orphans.values()) else CALM

    def adopted(self, pid: int, parent: int) -> None:
        """An orphan has this parent: one of its pane will get the orphan's CPU time."""
        node, above = self._orphans.get(pid), self._nodes.get(parent)
        if node is None:
            return
        # The main thread of a program may end before the others.
        unchanged = node.parent is not None and node.parent.pid == parent
        if unchanged or (above is not None and above.pane() == node.pane()):
            del self._orphans[pid]

    def clock(self, pid: int, nanoseconds: int, at: int) -> bool:
        """The CPU time of an orphan; returns whether it is the first answer."""
        node = self._orphans.get(pid)
        if node is None:
            return False
        first = node.still == 0
        node.still = node.still + 1 if nanoseconds == node.clock else 1
        node.clock, node.asked = nanoseconds, at
        return first

    def observe(
        self,
        table: ProcessTable,
        owners: Mapping[ProcessId, Owner],
        changed: Iterable[ProcessId],
        suspended: float,
    ) -> list[OrphanCpu]:
        """Take a sample; returns what ended orphans have used. `ties` are right for the next sample.

        `changed` are the processes whose owner has changed. `suspended` is how many seconds the machine has
        slept since boot.
        """
        if not self._whole and table.complete:
            changed, self._whole = owners.keys(), True
        if len(self._nodes) > 2 * len(owners) + _SPARE:
            self._nodes = {pid: node for pid, node in self._nodes.items() if pid in table.processes}
        self._seed(table, owners, changed)
        self._tie(table, owners, suspended)
        tick = _NANOSECONDS // table.clock_ticks_per_second
        for node in (*self._orphans.values(), *self._ended):
            process = table.processes.get(node.pid)
            if process is None or not self._is(node, process, table, suspended):
                continue
            # A zombie that no sample saw alive counts for whoever gets it.
            if process.alive or node.seen:
                node.seen = True
                node.count(process, process.cpu_ticks * tick, owners.get(process.id))
        ended, self._ended = self._ended, []
        self._exited.clear()
        return [
            OrphanCpu(pane, max(0, node.clock - node.told), max(0, node.ended - (node.asked or node.ended)))
            for node in ended
            if (pane := node.pane()) is not None
        ]

    def _seed(
        self, table: ProcessTable, owners: Mapping[ProcessId, Owner], changed: Iterable[ProcessId]
    ) -> None:
        """Note the owners that samples know by something else."""
        seeded = []
        for id_ in changed:
            owner, process = owners.get(id_), table.find(id_)
            if not _is_known(owner) or process is None or not process.alive:
                continue
            node = self._nodes.get(id_.pid)
            if node is not None and node.id not in (None, id_):
                self.exit(id_.pid, 0)
                node = None
            if node is None and id_.pid in self._exited:
                continue
            if node is None:
                node = self._nodes[id_.pid] = _Node(id_.pid, None, None)
                seeded.append((node, process))
            node.owner, node.id = owner, id_
        for node, process in seeded:
            above = self._nodes.get(process.ppid)
            if above is not None and above is not node:
                node.parent = above
                above.forked(node)

    def _tie(self, table: ProcessTable, owners: Mapping[ProcessId, Owner], suspended: float) -> None:
        processes = table.processes
        ties = {
            id_: tie
            for id_, tie in self.ties.items()
            if not table.complete or ((process := processes.get(id_.pid)) and process.id == id_)
        }
        for pid, node in list(self._new.items()):
            process = processes.get(pid)
            if process is None:
                continue
            if not self._is(node, process, table, suspended):
                # The table still has the process that had this pid before.
                continue
            del self._new[pid]
            node.id = process.id
            known = owners.get(process.id)
            if _is_known(known):
                node.owner = known
            elif (origin := node.origin()) is not None and (tie := _tie(origin, process, node)) is not None:
                ties[process.id] = tie
        if ties != self.ties:
            self.ties = ties

    @staticmethod
    def _is(node: _Node, process: Process, table: ProcessTable, suspended: float) -> bool:
        """Whether a process of the table is the one that a node stands for."""
        if node.id is not None or node.began is None:
            return node.id == process.id
        forked = node.began / _NANOSECONDS + suspended
        tick = 1 / table.clock_ticks_per_second
        return -tick <= forked - process.id.start_ticks * tick <= _START_SLACK_SECONDS


def _is_known(owner: Owner | None) -> TypeGuard[Owner]:
    """Whether samples tie a process to somebody by more than its lineage."""
    return owner is not None and owner.kind is not OwnerKind.OTHER and owner.evidence is not Evidence.LINEAGE


def _tie(origin: Owner, process: Process, node: _Node) -> Owner | None:
    """The owner of a process that only its lineage names; None where that leads to no pane."""
    if origin.pane is None or not process.alive:
        return None
    forked_by = node.parent.pid if node.parent is not None else 0
    return Owner(
        kind=OwnerKind.PANE,
        evidence=Evidence.LINEAGE,
        reason=(
            f"was forked by pid {forked_by}, which descended from pane {origin.pane.pane} of tmux server "
            f"{origin.pane.server.pid} (kernel events)"
        ),
        server=origin.pane.server,
        pane=origin.pane,
    )
