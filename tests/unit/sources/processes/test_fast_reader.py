"""Each net of the fast reader catches what it is there for; without the net it is seen to slip through."""

import math
from collections.abc import Callable

import pytest

from tests.support.simulation.fast_reader import FastOnSimulation, SimulatedProc
from tests.support.simulation.kernel import INIT, SimulatedKernel
from tests.support.simulation.reader import read_table
from tmux_exporter.facts.process import ProcessTable, Unreadable
from tmux_exporter.sources.processes import fast_reader, new_pids
from tmux_exporter.sources.processes.fast_reader import (
    AUDIT_SECONDS,
    LIMIT_SECONDS,
    REREAD_SECONDS,
    STAT_SECONDS,
    FastReader,
)
from tmux_exporter.sources.processes.new_pids import NO_PIDS, Cursor, NewPids
from tmux_exporter.sources.processes.process_cache import MANY_FDS, ProcessCache


def machine(*, pid_max: int = 1000) -> tuple[SimulatedKernel, FastOnSimulation, int]:
    """A kernel with a shell that leads a session on terminal 1, and a fast reader that has seen it."""
    kernel = SimulatedKernel(pid_max=pid_max, call_ns=1000)
    shell = kernel.fork(INIT)
    kernel.setsid(shell)
    kernel.open_terminal(shell, 1)
    fast = FastOnSimulation(kernel)
    fast()
    return kernel, fast, shell


def assert_agrees(kernel: SimulatedKernel, table: ProcessTable, *, missed: int = 0) -> None:
    assert table.processes == read_table(kernel).processes
    assert (table.complete, table.missed) == (True, missed)


def newcomers() -> None:
    kernel, fast, shell = machine()
    for _ in range(3):
        kernel.fork(shell)
        kernel.thread(shell)
        assert_agrees(kernel, fast())


def runners() -> None:
    kernel, fast, shell = machine()
    kernel.run(shell, 50_000_000, open_fds=9)
    assert_agrees(kernel, fast())
    kernel.exec(shell, "vi")
    assert_agrees(kernel, fast())


def orphans() -> None:
    kernel, fast, shell = machine()
    middle = kernel.fork(shell)
    kernel.fork(middle)
    fast()
    kernel.exit(middle)
    assert_agrees(kernel, fast())
    kernel.wait(shell)
    assert_agrees(kernel, fast())


def orphans_of_a_chain() -> None:
    """The whole chain ends between two readings, its last child stays."""
    kernel, fast, shell = machine()
    chain = [shell]
    for _ in range(4):
        chain.append(kernel.fork(chain[-1]))
    fast()
    for pid in chain[1:-1]:
        kernel.exit(pid)
        kernel.wait(kernel.tasks[pid].ppid, pid)
    assert_agrees(kernel, fast())


def lost_terminals() -> None:
    kernel, fast, shell = machine()
    kernel.fork(shell)
    fast()
    kernel.hang_up(1)
    assert_agrees(kernel, fast())


def foregrounds() -> None:
    kernel, fast, shell = machine()
    job = kernel.fork(shell)
    kernel.leave_group(job)
    fast()
    kernel.foreground(job)
    assert_agrees(kernel, fast())


def late_ones() -> None:
    kernel, fast, shell = machine()
    late = kernel.fork(shell, visible=False)
    kernel.fork(shell)
    fast()
    kernel.show(late)
    assert_agrees(kernel, fast())


def late_at_the_first_reading() -> None:
    kernel = SimulatedKernel(call_ns=1000)
    late = kernel.fork(INIT, visible=False)
    fast = FastOnSimulation(kernel)
    fast()
    kernel.show(late)
    assert_agrees(kernel, fast())


def pids_that_come_again() -> None:
    """Another process bears the pid, and its clock stands where that of the first one stood.

    Forks that fail use up pids and are not counted, so that the turn comes round sooner than one thinks.
    """
    kernel, fast, shell = machine(pid_max=40)
    first = kernel.fork(shell)
    kernel.cursor = 20
    fast()
    kernel.exit(first)
    kernel.wait(shell)
    kernel.cursor = first - 1
    assert kernel.fork(shell) == first
    assert_agrees(kernel, fast())


def all_the_way_round() -> None:
    """As many forks as there are pids: the cursor is where it was, and somebody else bears the pid."""
    kernel, fast, shell = machine(pid_max=200)
    old = kernel.fork(shell)
    fast()
    before = kernel.cursor
    kernel.exit(old)
    kernel.wait(shell)
    while (new := kernel.fork(shell)) != old:
        kernel.exit(new)
        kernel.wait(shell)
    assert kernel.cursor == before
    assert_agrees(kernel, fast())


def a_storm() -> None:
    kernel, fast, shell = machine()
    for _ in range(300):
        kernel.exit(kernel.fork(shell))
        kernel.wait(shell)
    kernel.fork(shell)
    asked = fast.proc.clocks
    assert_agrees(kernel, fast())
    assert fast.proc.clocks - asked < 30


def limits_set_from_outside() -> None:
    """Another process sets them, and the process does not run."""
    kernel, fast, shell = machine()
    kernel.alter(shell, max_fds=1024)
    fast.clock.advance(REREAD_SECONDS)
    fast()
    kernel.alter(shell, max_fds=77)
    fast.clock.advance(STAT_SECONDS)
    assert_agrees(kernel, fast())


def limits_of_many_files_set_from_outside() -> None:
    """Who has many files open may come near one."""
    kernel, fast, shell = machine()
    kernel.run(shell, open_fds=MANY_FDS, max_fds=1024)
    fast()
    kernel.alter(shell, max_fds=77)
    fast.clock.advance(LIMIT_SECONDS)
    assert_agrees(kernel, fast())


def memory_swapped_out() -> None:
    """The kernel takes memory back, and the process does not run."""
    kernel, fast, shell = machine()
    kernel.alter(shell, swap_bytes=77)
    fast.clock.advance(REREAD_SECONDS)
    assert_agrees(kernel, fast())


def a_group_set_from_outside() -> None:
    """A parent puts its child into a group; the child does not run."""
    kernel, fast, shell = machine()
    child = kernel.fork(shell)
    fast()
    kernel.tasks[child].pgid = child
    fast.clock.advance(STAT_SECONDS)
    assert_agrees(kernel, fast())


def a_pid_out_of_turn() -> None:
    """Whoever restores a process chooses its pid, and the cursor does not move."""
    kernel, fast, shell = machine()
    fork_out_of_turn(kernel, shell, 500)
    fast.clock.advance(AUDIT_SECONDS)
    assert_agrees(kernel, fast(), missed=1)


def test_all_is_listed_ever_less_often_while_nothing_was_missed() -> None:
    kernel, fast, shell = machine()
    listed: list[float] = []

    def minutes(count: int) -> list[float]:
        listed.clear()
        for minute in range(1, count + 1):
            fast.clock.advance(AUDIT_SECONDS - 5.0)
            before = fast.proc.listings
            fast()
            listed.extend([minute] if fast.proc.listings != before else [])
        return listed

    assert minutes(18) == [1, 3, 7, 12, 17]
    fork_out_of_turn(kernel, shell, 500)
    # What was missed is found by the next listing, and the pauses begin anew.
    assert minutes(9) == [4, 5, 6, 8]


def fork_out_of_turn(kernel: SimulatedKernel, parent: int, pid: int) -> None:
    before = kernel.cursor
    kernel.cursor = pid - 1
    assert kernel.fork(parent) == pid
    kernel.cursor = before


def pids_out_of_turn() -> None:
    """After the first one was missed, the next one is found at once."""
    kernel, fast, shell = machine()
    for seconds, pid in ((AUDIT_SECONDS, 500), (0, 600)):
        fork_out_of_turn(kernel, shell, pid)
        fast.clock.advance(seconds)
        assert_agrees(kernel, fast(), missed=1)


def in_doubt_for_a_minute() -> None:
    """All is looked at again in each reading, and a minute later no longer."""
    kernel, fast, shell = machine()
    fork_out_of_turn(kernel, shell, 500)
    fast.clock.advance(AUDIT_SECONDS)
    fast()
    for seconds, all_of_them in ((30, True), (AUDIT_SECONDS, False)):
        fast.clock.advance(seconds)
        looks = fast.proc.looks
        fast()
        assert (fast.proc.looks - looks >= len(kernel.tasks)) == all_of_them


def a_clock_that_stands_still() -> None:
    kernel, fast, shell = machine()
    kernel.tasks[shell].children.user_ns += 10**9
    fast.clock.advance(STAT_SECONDS)
    assert_agrees(kernel, fast(), missed=1)


def clocks_that_stand_still() -> None:
    """After the first one nobody's clock is believed."""
    kernel, fast, shell = machine()
    other = kernel.fork(shell)
    fast()
    for pid, seconds in ((shell, STAT_SECONDS), (other, 0)):
        kernel.tasks[pid].children.user_ns += 10**9
        fast.clock.advance(seconds)
        assert_agrees(kernel, fast(), missed=1)


def a_look_that_failed() -> None:
    """It is repeated although the process does not run."""
    kernel, fast, shell = machine()
    fast.proc.unreadable = shell
    kernel.run(shell)
    table = fast()
    assert (table.complete, shell in table.processes, table.unreadable[Unreadable.OTHER]) == (False, False, 1)
    fast.proc.unreadable = 0
    assert_agrees(kernel, fast())


Mutate = Callable[[pytest.MonkeyPatch], None]


def with_(where: object, name: str, value: object) -> Mutate:
    """This instead of what is there."""
    return lambda patch: patch.setattr(where, name, value)


def never(where: type, name: str, nothing: Callable[[], object]) -> Mutate:
    """An attribute that always holds nothing, whatever is written to it."""
    return lambda patch: patch.setattr(
        where, name, property(lambda _: nothing(), lambda *_: None), raising=False
    )


NETS: dict[str, tuple[Callable[[], None], Mutate]] = {
    "cursor": (newcomers, with_(Cursor, "_between", lambda *_: NO_PIDS)),
    "threads": (newcomers, with_(SimulatedProc, "clock_ns", lambda *_: 0)),
    "gate": (runners, with_(ProcessCache, "outdated", lambda _: set())),
    "children of leavers": (orphans, never(ProcessCache, "_left", set)),
    "children of a chain": (orphans_of_a_chain, never(ProcessCache, "_left", set)),
    "sessions": (lost_terminals, never(ProcessCache, "_hung_up", set)),
    "terminals": (foregrounds, never(ProcessCache, "_switched", set)),
    "late ones": (late_ones, never(FastReader, "_previous_pids", lambda: NO_PIDS)),
    "late at first": (late_at_the_first_reading, with_(Cursor, "recent", lambda _: NO_PIDS)),
    "pids again": (pids_that_come_again, with_(NewPids, "__contains__", lambda *_: False)),
    "all the way round": (all_the_way_round, with_(new_pids, "FORKS_PER_SECOND", 0)),
    "storm": (a_storm, with_(fast_reader, "FEW", 10_000)),
    "turn of limits": (limits_set_from_outside, with_(fast_reader, "STAT_SECONDS", 1e9)),
    "turn of many files": (limits_of_many_files_set_from_outside, with_(fast_reader, "LIMIT_SECONDS", 1e9)),
    "full turn": (memory_swapped_out, with_(fast_reader, "REREAD_SECONDS", 1e9)),
    "turn of lines": (a_group_set_from_outside, with_(fast_reader, "STAT_SECONDS", 1e9)),
    "audit": (a_pid_out_of_turn, with_(fast_reader, "AUDIT_SECONDS", 1e9)),
    "switch-off": (pids_out_of_turn, never(FastReader, "_suspect_until", lambda: -math.inf)),
    "switch-on": (in_doubt_for_a_minute, never(FastReader, "_suspect_until", lambda: math.inf)),
    "clocks": (a_clock_that_stands_still, with_(ProcessCache, "_compare", lambda *_: None)),
    "clocks in doubt": (clocks_that_stand_still, never(FastReader, "_suspect_until", lambda: -math.inf)),
    "what failed": (a_look_that_failed, never(ProcessCache, "_unsettled", set)),
}


@pytest.mark.parametrize("net", NETS)
def test_a_net_holds(net: str) -> None:
    NETS[net][0]()


@pytest.mark.parametrize("net", NETS)
def test_without_the_net_it_shows(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, mutate = NETS[net]
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        scenario()
