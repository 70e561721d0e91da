"""Process accounting without double counting: one case after the other on the simulated kernel."""

from collections.abc import Callable, Iterable

import pytest

from tests.support.literals.facts import process, table
from tests.support.simulation.kernel import INIT, TICK_NS, SimulatedKernel
from tests.support.simulation.reader import read_table
from tmux_exporter.analysis.cpu.counters import GroupCounters

SECOND = 100 * TICK_NS
NOBODYS = "nobody's"


class Machine:
    """A tmux server with one pane: a shell and an agent below it. The counters have begun."""

    def __init__(self) -> None:
        self.kernel = kernel = SimulatedKernel()
        self.server = kernel.fork(INIT, labels={"server"})
        self.shell = kernel.fork(self.server, labels={"pane"})
        self.agent = kernel.fork(self.shell, labels={"pane", "agent"})
        self.accounts = GroupCounters[str]()
        for _ in range(3):
            self.read()

    def read(
        self,
        between: Callable[[], None] = lambda: None,
        order: Callable[[list[int]], list[int]] = sorted,
        *,
        without: Iterable[int] = (),
    ) -> None:
        kernel = self.kernel
        reading = read_table(kernel, between, order)
        groups = {
            each.id: frozenset(kernel.labels[each.id])
            for each in reading.processes.values()
            if each.alive and each.id.pid != INIT and each.id.pid not in without
        }
        catch_alls = {kernel.tasks[pid].id: frozenset({NOBODYS}) for pid in (INIT, self.server)}
        self.accounts.observe(reading, groups, catch_alls)

    def settle(self) -> None:
        """Read until nothing is in doubt."""
        for _ in range(3):
            self.read()

    def end(self, pid: int) -> None:
        """Let a process end and its parent wait for it."""
        parent = self.kernel.tasks[pid].ppid
        self.kernel.exit(pid)
        self.kernel.wait(parent, pid)

    def run_child(self, parent: int, seconds: float, *, read: int = 0) -> None:
        """Let a child live, use so much and end between two readings."""
        child = self.kernel.fork(parent)
        self.kernel.run(child, round(seconds * SECOND), read=read)
        self.end(child)

    def cpu(self, group: str) -> float:
        return self.accounts.totals(group).cpu_seconds

    def bytes_read(self, group: str) -> int:
        return self.accounts.totals(group).read_bytes


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_child_that_no_reading_saw_counts_with_its_parent(machine: Machine) -> None:
    machine.run_child(machine.agent, 2, read=4096)
    machine.read()
    assert [machine.cpu(each) for each in ("pane", "agent", "server", NOBODYS)] == [2, 2, 0, 0]
    assert [machine.bytes_read(each) for each in ("pane", "agent")] == [4096, 4096]


def test_a_child_that_was_seen_counts_once_and_its_last_use_too(machine: Machine) -> None:
    child = machine.kernel.fork(machine.shell)
    machine.kernel.run(child, 3 * SECOND, read=1000)
    machine.read()
    assert (machine.cpu("pane"), machine.bytes_read("pane")) == (3, 1000)
    machine.kernel.run(child, SECOND, read=50)
    machine.end(child)
    machine.settle()
    assert (machine.cpu("pane"), machine.bytes_read("pane")) == (4, 1050)


def test_the_bytes_that_a_parent_has_of_its_children_are_not_its_own_twice(machine: Machine) -> None:
    child = machine.kernel.fork(machine.agent)
    for _ in range(5):
        machine.kernel.run(child, SECOND, read=100)
        machine.kernel.run(machine.agent, SECOND, read=10)
        machine.read()
    machine.end(child)
    machine.settle()
    assert machine.bytes_read("pane") == machine.bytes_read("agent") == 550


def test_a_zombie_goes_on_in_its_groups_and_counts_once(machine: Machine) -> None:
    child = machine.kernel.fork(machine.agent)
    machine.read()
    machine.kernel.run(child, 2 * SECOND)
    machine.kernel.exit(child)
    machine.read()
    assert machine.cpu("agent") == 2
    machine.kernel.wait(machine.agent)
    machine.settle()
    assert machine.cpu("agent") == machine.cpu("pane") == 2


def test_a_zombie_that_nobody_saw_alive_counts_with_the_parent_that_will_get_it(machine: Machine) -> None:
    child = machine.kernel.fork(machine.agent)
    machine.kernel.run(child, 2 * SECOND)
    machine.kernel.exit(child)
    machine.read()
    assert machine.cpu("agent") == 2
    machine.kernel.wait(machine.agent)
    machine.settle()
    assert machine.cpu("agent") == 2


def test_a_chain_that_ends_between_two_readings_counts_once(machine: Machine) -> None:
    kernel = machine.kernel
    chain = [machine.agent]
    for _ in range(4):
        chain.append(kernel.fork(chain[-1]))
        kernel.run(chain[-1], SECOND)
    machine.read()
    for pid in chain[:0:-1]:
        kernel.run(pid, SECOND)
        machine.end(pid)
    machine.settle()
    assert machine.cpu("pane") == machine.cpu("agent") == 8


def test_an_agent_that_exits_keeps_what_it_gave_and_the_pane_counts_it_once(machine: Machine) -> None:
    machine.run_child(machine.agent, 5)
    machine.kernel.run(machine.agent, 2 * SECOND)
    machine.read()
    machine.kernel.run(machine.agent, SECOND)
    machine.end(machine.agent)
    machine.settle()
    # What it used last shows in its shell only: it is the pane's and nobody can say that it was the agent's.
    assert (machine.cpu("agent"), machine.cpu("pane")) == (7, 8)


def test_a_pane_that_ends_is_not_its_servers_and_its_last_use_is_published(machine: Machine) -> None:
    machine.kernel.run(machine.shell, 10 * SECOND, read=512)
    machine.read()
    machine.kernel.run(machine.shell, SECOND)
    machine.end(machine.agent)
    machine.end(machine.shell)
    machine.settle()
    assert [machine.cpu(each) for each in ("pane", "server", NOBODYS)] == [10, 0, 1]


def test_a_pane_that_is_respawned_goes_on(machine: Machine) -> None:
    machine.kernel.run(machine.shell, 10 * SECOND)
    machine.read()
    machine.end(machine.agent)
    machine.end(machine.shell)
    machine.kernel.run(machine.kernel.fork(machine.server, labels={"pane"}), 4 * SECOND)
    machine.settle()
    assert (machine.cpu("pane"), machine.cpu(NOBODYS)) == (14, 0)


def test_a_pane_that_moves_takes_nothing_along(machine: Machine) -> None:
    kernel = machine.kernel
    machine.run_child(machine.shell, 3)
    machine.read()
    for pid in (machine.shell, machine.agent):
        kernel.relabel(pid, kernel.tasks[pid].labels | {"other session"})
    machine.read()
    assert machine.cpu("other session") == 0
    machine.run_child(machine.shell, 2)
    machine.run_child(machine.agent, 1)
    machine.settle()
    assert (machine.cpu("other session"), machine.cpu("pane")) == (3, 6)


def test_children_of_a_parent_that_ignores_them_count_as_far_as_they_were_seen(machine: Machine) -> None:
    kernel = machine.kernel
    kernel.ignore(machine.agent)
    child = kernel.fork(machine.agent)
    kernel.run(child, 2 * SECOND, read=100)
    machine.read()
    kernel.run(machine.agent, SECOND, read=1000)
    kernel.exit(child)
    machine.settle()
    # Its debt is nobody's: the growth of its parent's bytes is the parent's own.
    assert (machine.cpu("agent"), machine.bytes_read("agent")) == (3, 1100)


def test_orphans_that_init_waits_for_keep_what_was_seen_and_the_rest_is_published(machine: Machine) -> None:
    kernel = machine.kernel
    between = kernel.fork(machine.agent)
    seen = kernel.fork(between)
    unseen = kernel.fork(between)
    machine.end(between)
    kernel.run(seen, 3 * SECOND)
    kernel.run(unseen, 7 * SECOND)
    machine.end(unseen)
    machine.read()
    kernel.run(seen, SECOND)
    machine.end(seen)
    machine.settle()
    assert (machine.cpu("agent"), machine.cpu(NOBODYS)) == (3, 8)


def test_an_orphan_that_a_member_adopts_counts_with_it(machine: Machine) -> None:
    kernel = machine.kernel
    kernel.subreap(machine.agent)
    between = kernel.fork(machine.agent)
    orphan = kernel.fork(between)
    kernel.run(orphan, SECOND)
    machine.read()
    machine.end(between)
    machine.read()
    kernel.run(orphan, SECOND)
    machine.end(orphan)
    machine.settle()
    assert (machine.cpu("agent"), machine.cpu(NOBODYS)) == (2, 0)


def test_children_below_a_tick_add_up(machine: Machine) -> None:
    for _ in range(10):
        for _ in range(10):
            machine.run_child(machine.shell, 0.003)
        machine.read()
    assert machine.cpu("pane") == pytest.approx(0.3)


def test_who_was_there_before_brings_nothing_from_then() -> None:
    kernel = SimulatedKernel()
    machine = Machine.__new__(Machine)
    machine.kernel, machine.accounts = kernel, GroupCounters[str]()
    machine.server = kernel.fork(INIT, labels={"server"})
    machine.shell = kernel.fork(machine.server, labels={"pane"})
    child = kernel.fork(machine.shell)
    kernel.run(child, 1000 * SECOND, read=10**9)
    moments = iter(range(100))

    def end_before_the_child_is_looked_at() -> None:
        if next(moments) == 6:
            machine.end(child)

    # Init, server and shell have been looked at: the child is in no reading, its life in its parent's next.
    machine.read(end_before_the_child_is_looked_at)
    machine.kernel.run(machine.shell, SECOND)
    machine.settle()
    assert (machine.cpu("pane"), machine.bytes_read("pane")) == (1, 0)


def test_growth_that_may_be_of_a_living_child_waits_for_the_next_reading(machine: Machine) -> None:
    kernel = machine.kernel
    kernel.run(kernel.fork(machine.shell), SECOND)
    machine.read()
    machine.run_child(machine.shell, 3)
    machine.read()
    # The child may have been waited for after it was looked at: its second of the three is in doubt.
    assert machine.cpu("pane") == 3
    machine.read()
    assert machine.cpu("pane") == 4
    # Where it has used more than its parent got, it cannot be in that.
    machine.run_child(machine.shell, 0.5)
    machine.read()
    assert machine.cpu("pane") == 4.5


def test_who_leaves_its_groups_and_comes_back_counts_from_then(machine: Machine) -> None:
    machine.run_child(machine.shell, 1)
    machine.read()
    machine.run_child(machine.shell, 2)
    machine.read(without=[machine.shell])
    machine.run_child(machine.shell, 4)
    machine.read()
    machine.run_child(machine.shell, 8)
    machine.read()
    assert machine.cpu("pane") == 9


def test_parents_in_a_circle_end_no_reading_and_count_what_they_use() -> None:
    accounts = GroupCounters[str]()
    accounts.observe(table(), {})
    below, own = process(12, 11, start=6, cpu_ticks=50), frozenset({"pane"})
    for ticks in (0, 100, 200, 300):
        first = process(10, 11, start=5, cpu_ticks=ticks, children_cpu_ticks=ticks)
        second = process(11, 10, start=5, cpu_ticks=ticks, children_cpu_ticks=ticks)
        accounts.observe(table(first, second, below), {each.id: own for each in (first, second, below)})
    accounts.observe(table(below), {below.id: own})
    # The last second of what each inherited may be the other's.
    assert 10.5 <= accounts.totals("pane").cpu_seconds <= 12.5
