"""Lineage over random histories of forks, ends, reused pids, samples and losses: never a wrong pane."""

import gc
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.literals.facts import process, table
from tmux_exporter.analysis.ownership.lineage import CALM, Lineage, _Node
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey

SERVER = ProcessId(5, 5)
ROOTS = {6: "%6", 7: "%7"}
STRANGER = 8
TICK_NS = 10_000_000
PIDS = range(20, 24)


@dataclass
class Kernel:
    """Processes that are forked and end; what samples know of them, and what is true."""

    lineage: Lineage = field(default_factory=Lineage)
    now: int = 10
    alive: dict[int, ProcessId] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    true: dict[ProcessId, str | None] = field(default_factory=dict)
    remembered: dict[ProcessId, str] = field(default_factory=dict)
    owners: dict[ProcessId, Owner] = field(default_factory=dict)
    lost: bool = False

    def __post_init__(self) -> None:
        for pid in (SERVER.pid, *ROOTS, STRANGER):
            self.alive[pid] = ProcessId(pid, pid)
            self.parents[pid] = SERVER.pid if pid in ROOTS else 1
            self.true[self.alive[pid]] = ROOTS.get(pid)

    def fork(self, which: int, pid: int) -> None:
        parents = sorted(self.alive)
        parent = parents[which % len(parents)]
        if pid in self.alive or parent == SERVER.pid:
            return
        self.now += 1
        self.alive[pid] = ProcessId(pid, self.now)
        self.parents[pid] = parent
        self.true[self.alive[pid]] = self.true[self.alive[parent]]
        if not self.lost:
            self.lineage.fork(parent, pid, self.now * TICK_NS)

    def exit(self, which: int) -> None:
        ending = [pid for pid in sorted(self.alive) if pid in PIDS]
        if not ending:
            return
        pid = ending[which % len(ending)]
        self.now += 1
        del self.alive[pid]
        for child, parent in self.parents.items():
            if parent == pid and child in self.alive:
                self.parents[child] = 1
        if not self.lost:
            self.lineage.exit(pid, self.now * TICK_NS)

    def known(self, pid: int) -> str | None:
        """The pane by living ancestors, else by an earlier sample."""
        above = pid
        while above in self.alive and above not in ROOTS:
            above = self.parents[above]
        return ROOTS.get(above) or self.remembered.get(self.alive[pid])

    def sample(self) -> None:
        if self.lost:
            self.lineage.lose()
            self.lost = False
        before, self.owners = self.owners, {SERVER: _owner(None, Evidence.TREE)}
        for pid, id_ in self.alive.items():
            if (pane := self.known(pid)) is not None:
                self.remembered[id_] = pane
                self.owners[id_] = _owner(pane, Evidence.TREE)
            elif (tie := self.lineage.ties.get(id_)) is not None:
                self.owners[id_] = tie
        ids = before.keys() | self.owners.keys()
        changed = [each for each in ids if before.get(each) != self.owners.get(each)]
        self.lineage.observe(self.table(), self.owners, changed, 0.0)

    def table(self) -> ProcessTable:
        return table(
            *(process(pid, self.parents[pid], start=id_.start_ticks) for pid, id_ in self.alive.items())
        )


def _owner(pane: str | None, evidence: Evidence) -> Owner:
    key = None if pane is None else PaneKey(SERVER, pane)
    kind = OwnerKind.SERVER if pane is None else OwnerKind.PANE
    return Owner(kind=kind, evidence=evidence, reason="", server=SERVER, pane=key)


FORK = st.tuples(st.just("fork"), st.integers(0, 40), st.sampled_from(PIDS))
EXIT = st.tuples(st.just("exit"), st.integers(0, 40))
SAMPLE = st.just(("sample",))
LOSE = st.just(("lose",))


def run(steps: list[tuple[object, ...]]) -> Kernel:
    kernel = Kernel()
    kernel.sample()
    for step in steps:
        match step:
            case ("fork", int(which), int(pid)):
                kernel.fork(which, pid)
            case ("exit", int(which)):
                kernel.exit(which)
            case ("lose",):
                kernel.lost = True
            case _:
                kernel.sample()
                for id_, tie in kernel.lineage.ties.items():
                    assert tie.pane is not None
                    assert kernel.true[id_] == tie.pane.pane, (
                        "no process is tied to a pane that is not its own"
                    )
    kernel.sample()
    return kernel


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(st.lists(FORK | FORK | EXIT | SAMPLE, max_size=60))
def test_every_living_process_is_tied_to_the_pane_that_it_came_from(steps: list[tuple[object, ...]]) -> None:
    kernel = run(steps)
    for id_ in kernel.alive.values():
        pane = kernel.true[id_]
        told = kernel.owners.get(id_) or kernel.lineage.ties.get(id_)
        assert (told.pane.pane if told and told.pane else None) == pane


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(st.lists(FORK | FORK | EXIT | SAMPLE | LOSE, max_size=60))
def test_after_a_loss_nothing_is_tied_to_a_wrong_pane(steps: list[tuple[object, ...]]) -> None:
    kernel = run(steps)
    assert all(
        tie.pane is not None and kernel.true[id_] == tie.pane.pane for id_, tie in kernel.lineage.ties.items()
    )


def test_a_pid_that_was_reused_during_a_loss_is_another_process() -> None:
    kernel = Kernel()
    stranger, root = 3, 1
    kernel.fork(root, 20)
    kernel.sample()
    kernel.lost = True
    kernel.exit(0)
    kernel.fork(stranger, 20)
    assert kernel.true[kernel.alive[20]] is None
    kernel.sample()
    kernel.fork(4, 21)
    assert kernel.parents[21] == 20
    kernel.sample()
    assert not kernel.lineage.ties


@pytest.mark.parametrize("chain", [False, True], ids=["one forks all", "each forks the next and ends"])
def test_of_what_has_ended_nothing_is_kept(chain: bool) -> None:
    kernel = Kernel()
    kernel.sample()
    before, parent = nodes(), 6
    for pid in range(100, 300):
        kernel.lineage.fork(parent, pid, pid * TICK_NS)
        if not chain:
            kernel.lineage.exit(pid, pid * TICK_NS)
        elif parent != 6:
            kernel.lineage.exit(parent, pid * TICK_NS)
        parent = pid if chain else 6
    kernel.lineage.observe(kernel.table(), kernel.owners, (), 0.0)
    assert nodes() - before <= 3, "at most the living one, and the last that have ended above it"


def nodes() -> int:
    return sum(isinstance(each, _Node) for each in gc.get_objects())


def with_orphan() -> Kernel:
    """Process 21 of pane %6, whose parent has ended."""
    kernel = Kernel()
    kernel.sample()
    kernel.lineage.fork(6, 20, 20 * TICK_NS)
    kernel.lineage.fork(20, 21, 21 * TICK_NS)
    kernel.lineage.exit(20, 22 * TICK_NS)
    return kernel


def test_what_orphans_used_counts_until_their_end() -> None:
    kernel = Kernel()
    kernel.sample()
    lineage, second = kernel.lineage, 1_000_000_000
    lineage.fork(6, 20, 20 * TICK_NS)
    lineage.fork(20, 21, 21 * TICK_NS)
    assert not lineage.rounds_to_wait
    lineage.exit(20, 22 * TICK_NS)
    assert list(lineage.running()) == [21]
    assert lineage.clock(21, second, 50 * TICK_NS), "its parent is asked once"
    lineage.adopted(21, 1)
    assert not lineage.clock(21, 3 * second, 400 * TICK_NS)
    lineage.exit(21, 410 * TICK_NS)
    (ended,) = lineage.observe(kernel.table(), kernel.owners, (), 0.0)
    assert (ended.pane.pane, ended.nanoseconds, ended.unasked) == ("%6", 3 * second, 10 * TICK_NS)
    assert not lineage.observe(kernel.table(), kernel.owners, (), 0.0)


def test_an_orphan_at_rest_wakes_nobody_each_round() -> None:
    lineage = with_orphan().lineage
    for _ in range(CALM):
        assert lineage.rounds_to_wait == 1
        assert list(lineage.running()) == [21]
        lineage.clock(21, 1, 50 * TICK_NS)
    assert (lineage.rounds_to_wait, list(lineage.running())) == (CALM, [21])
    lineage.clock(21, 2, 60 * TICK_NS)
    assert lineage.rounds_to_wait == 1


def test_what_a_sample_has_seen_of_an_orphan_is_not_told_again() -> None:
    kernel = with_orphan()
    lineage, second = kernel.lineage, 1_000_000_000
    orphan = process(21, 1, start=21, cpu_ticks=120)
    lineage.observe(table(orphan), {orphan.id: _owner("%6", Evidence.LINEAGE)}, (), 0.0)
    lineage.clock(21, 3 * second, 400 * TICK_NS)
    lineage.exit(21, 410 * TICK_NS)
    (ended,) = lineage.observe(kernel.table(), {}, (), 0.0)
    assert ended.nanoseconds == 3 * second - 120 * TICK_NS


def test_what_an_orphan_used_before_a_sample_tied_it_counts_at_its_end() -> None:
    """Counters count a process from the sample that ties it; the one before has seen it as nobody's."""
    kernel = with_orphan()
    lineage, tied = kernel.lineage, _owner("%6", Evidence.LINEAGE)
    for ticks, owner in ((100, None), (250, tied), (280, tied)):
        seen = process(21, 1, start=21, cpu_ticks=ticks)
        lineage.observe(table(seen), {seen.id: owner} if owner else {}, (), 0.0)
    lineage.clock(21, 300 * TICK_NS, 400 * TICK_NS)
    lineage.exit(21, 410 * TICK_NS)
    (ended,) = lineage.observe(kernel.table(), {}, (), 0.0)
    assert ended.nanoseconds == (300 - 30) * TICK_NS


def test_a_zombie_that_no_sample_saw_alive_has_not_been_told() -> None:
    lineage = with_orphan().lineage
    lineage.clock(21, 90 * TICK_NS, 100 * TICK_NS)
    lineage.exit(21, 110 * TICK_NS)
    zombie = process(21, 1, start=21, cpu_ticks=99, state="Z")
    (ended,) = lineage.observe(table(zombie), {}, (), 0.0)
    assert ended.nanoseconds == 90 * TICK_NS


def test_a_zombie_goes_on_to_count_where_it_did() -> None:
    """Counters keep it in its groups until it is reaped, though nobody owns it any more."""
    lineage = with_orphan().lineage
    alive, zombie = process(21, 1, start=21, cpu_ticks=30), process(21, 1, start=21, cpu_ticks=70, state="Z")
    lineage.observe(table(alive), {alive.id: _owner("%6", Evidence.LINEAGE)}, (), 0.0)
    lineage.clock(21, 71 * TICK_NS, 100 * TICK_NS)
    lineage.exit(21, 110 * TICK_NS)
    (ended,) = lineage.observe(table(zombie), {}, (), 0.0)
    assert ended.nanoseconds == TICK_NS


def test_an_orphan_that_its_own_pane_adopts_is_left_to_it() -> None:
    lineage = with_orphan().lineage
    assert lineage.clock(21, 5, 50 * TICK_NS)
    lineage.adopted(21, 6)
    assert not lineage.rounds_to_wait
