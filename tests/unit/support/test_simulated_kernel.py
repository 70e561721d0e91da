"""The simulated kernel keeps Linux's rules; what it is used to prove is worth as much as these."""

import errno
from random import Random

import pytest

from tests.support.simulation.kernel import INIT, TICK_NS, SimulatedKernel
from tests.support.simulation.reader import Mischief, read_table
from tmux_exporter.facts.process import Process


def look(kernel: SimulatedKernel, pid: int) -> Process:
    found = kernel.read(pid)
    assert found is not None
    return found


def test_time_is_cut_to_ticks_only_when_shown_and_each_part_on_its_own() -> None:
    kernel = SimulatedKernel()
    pid = kernel.fork(INIT, labels={"a"})
    kernel.run(pid, user_ns=TICK_NS - 1, system_ns=TICK_NS - 1)
    assert (look(kernel, pid).cpu_ticks, kernel.clock_ns(pid)) == (0, 2 * TICK_NS - 2)
    kernel.run(pid, user_ns=1)
    assert look(kernel, pid).cpu_ticks == 1
    assert kernel.used["a"].cpu_ns == 2 * TICK_NS - 1


def test_a_parent_that_waits_gets_all_that_its_child_had() -> None:
    kernel = SimulatedKernel()
    shell = kernel.fork(INIT)
    child = kernel.fork(shell)
    grandchild = kernel.fork(child)
    kernel.run(grandchild, TICK_NS, read=7, written=1)
    kernel.exit(grandchild)
    assert kernel.wait(child) == grandchild
    assert (look(kernel, child).cpu_ticks, look(kernel, child).children_cpu_ticks) == (0, 1)
    assert (look(kernel, child).read_bytes, look(kernel, child).written_bytes) == (7, 1)
    kernel.run(child, TICK_NS // 2)
    kernel.exit(child)
    assert look(kernel, child).state == "Z"
    assert look(kernel, child).read_bytes is None
    assert look(kernel, shell).children_cpu_ticks == 0
    assert kernel.wait(shell) == child
    assert kernel.read(child) is None
    kernel.run(shell, read=3)
    assert (look(kernel, shell).children_cpu_ticks, look(kernel, shell).read_bytes) == (1, 10)
    assert kernel.wait(shell) is None


def test_children_of_a_parent_that_ignores_them_are_lost() -> None:
    kernel = SimulatedKernel()
    shell = kernel.fork(INIT)
    kernel.ignore(shell)
    child = kernel.fork(shell, labels={"a"})
    kernel.run(child, TICK_NS, read=5)
    kernel.exit(child)
    assert kernel.read(child) is None
    assert look(kernel, shell).children_cpu_ticks == 0
    assert (kernel.lost["a"].cpu_ns, kernel.lost["a"].read) == (TICK_NS, 5)


def test_orphans_go_to_the_nearest_subreaper_else_to_init() -> None:
    kernel = SimulatedKernel()
    outer = kernel.fork(INIT)
    inner = kernel.fork(outer)
    middle = kernel.fork(inner)
    orphan = kernel.fork(middle)
    kernel.subreap(outer)
    kernel.exit(middle)
    assert look(kernel, orphan).ppid == outer
    kernel.exit(outer)
    assert {look(kernel, pid).ppid for pid in (inner, orphan)} == {INIT}
    assert look(kernel, middle).ppid == inner


def test_a_pid_in_use_by_anybody_is_not_given_away_and_comes_back_later() -> None:
    kernel = SimulatedKernel(pid_max=5)
    leader = kernel.fork(INIT)
    kernel.setsid(leader)
    member = kernel.fork(leader)
    tid = kernel.thread(member)
    assert (leader, member, tid, kernel.cursor) == (2, 3, 4, 4)
    first = look(kernel, leader).id
    kernel.exit(leader)
    kernel.wait(INIT)
    assert kernel.fork(member) == 5
    with pytest.raises(OSError, match="no pid"):
        kernel.fork(member)
    kernel.exec(member, "alone")
    again = kernel.fork(member)
    assert again == tid
    kernel.exit(member)
    kernel.exit(5)
    kernel.exit(again)
    assert [kernel.wait(INIT) for _ in range(3)] == [member, 5, again]
    reused = kernel.fork(INIT)
    assert reused == 5
    kernel.exit(reused)
    kernel.wait(INIT)
    last = kernel.fork(INIT)
    assert last == first.pid
    assert look(kernel, last).id.start_ticks > first.start_ticks


def test_what_a_thread_and_an_unseen_process_answer() -> None:
    kernel = SimulatedKernel()
    pid = kernel.fork(INIT, visible=False)
    assert (kernel.read(pid), kernel.program(pid), kernel.pids()) == (None, None, [INIT])
    with pytest.raises(ProcessLookupError):
        kernel.clock_ns(pid)
    kernel.show(pid)
    tid = kernel.thread(pid)
    assert (look(kernel, pid).threads, kernel.pids()) == (2, [INIT, pid])
    assert look(kernel, tid).threads == 2
    with pytest.raises(OSError, match="CPU clock") as refused:
        kernel.clock_ns(tid)
    assert refused.value.errno == errno.EINVAL


def test_exec_and_the_rest_that_is_shown() -> None:
    kernel = SimulatedKernel()
    pid = kernel.fork(INIT, labels={"a"})
    before = kernel.program(pid)
    kernel.exec(pid, "python3")
    kernel.alter(pid, open_fds=4)
    kernel.run(pid, TICK_NS, open_fds=5, resident_bytes=4096)
    seen = look(kernel, pid)
    assert (seen.comm, seen.argv, seen.open_fds, seen.resident_bytes) == ("python3", ("python3",), 5, 4096)
    assert kernel.program(pid) != before
    kernel.relabel(pid, {"b"})
    kernel.run(pid, 3)
    assert (kernel.used["a"].cpu_ns, kernel.used["b"].cpu_ns) == (TICK_NS, 3)


def test_a_reading_is_no_instant() -> None:
    kernel = SimulatedKernel()
    parent = kernel.fork(INIT)
    child = kernel.fork(parent)
    kernel.run(child, 100 * TICK_NS, read=9)

    def reap() -> None:
        if kernel.tasks.get(child) is not None:
            kernel.exit(child)
            kernel.wait(parent)

    def read_then_reap(order: list[int]) -> list[tuple[int, int]]:
        steps = iter([None, None, None, None, reap, None, None])

        def between() -> None:
            if (step := next(steps)) is not None:
                step()

        table = read_table(kernel, between, lambda _: order)
        return [(pid, each.children_cpu_ticks) for pid, each in table.processes.items()]

    # The child is seen alive and its life again in its parent's account.
    assert read_then_reap([INIT, child, parent]) == [(INIT, 0), (child, 0), (parent, 100)]


def test_the_accounts_of_io_are_a_second_instant() -> None:
    kernel = SimulatedKernel()
    parent = kernel.fork(INIT)
    child = kernel.fork(parent)
    kernel.run(child, 100 * TICK_NS, read=9)
    kernel.exit(child)
    seen = kernel.read(parent, lambda: assert_waited(kernel, parent, child))
    assert seen and (seen.children_cpu_ticks, seen.read_bytes) == (0, 9)
    assert kernel.read(parent, lambda: kernel.exit(parent)) == look(kernel, parent)
    assert kernel.read(parent, lambda: assert_waited(kernel, INIT, parent)) is None


def assert_waited(kernel: SimulatedKernel, parent: int, child: int) -> None:
    assert kernel.wait(parent) == child


@pytest.mark.parametrize("seed", range(20))
def test_mischief_loses_no_time(seed: int) -> None:
    tape = Random(seed).randbytes(900)
    kernel = SimulatedKernel(pid_max=40)
    server = kernel.fork(INIT, labels={"all"})
    for pane in ("%0", "%1"):
        kernel.fork(server, labels={pane, "all"})
    mischief = Mischief(kernel, tape, spared=frozenset({server}))
    while mischief.step():
        held = sum(task.own.cpu_ns + task.children.cpu_ns for task in kernel.tasks.values())
        assert held - kernel.tasks[INIT].own.cpu_ns + kernel.lost["all"].cpu_ns == kernel.used["all"].cpu_ns
    assert kernel.used["all"].cpu_ns > 0
