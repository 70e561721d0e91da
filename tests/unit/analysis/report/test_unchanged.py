"""Cached conclusions equal those computed again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import answering, pane, process, silent, table, tmux_environ, tmux_view
from tests.support.literals.scripted import Processes, Servers, sampler_of
from tests.support.simulation.kernel import INIT, SimulatedKernel
from tests.support.simulation.reader import MORE_DEEDS, Mischief, read_table
from tmux_exporter.analysis.cpu.counters import Totals
from tmux_exporter.analysis.leaks.find import Leaks
from tmux_exporter.analysis.report.counter_keys import counter_key_facts
from tmux_exporter.analysis.report.unchanged import CachedConclusion, ProcessSetVersion, tmux_version
from tmux_exporter.analysis.report.usage import UsageCache, usage
from tmux_exporter.analysis.report.view import PaneMembers, Snapshot, processes_of
from tmux_exporter.facts.agents import AgentState, AgentStatus, StateSource, TrackedAgent
from tmux_exporter.facts.leaks import Leak, LeakKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import Report, Usage
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState
from tmux_exporter.facts.tmux import TmuxView

CHECK_IN = "sleep 60 && tmux send-keys -t '$0:0' hello"
PROGRAMS = (
    ("bash",),
    ("claude",),
    ("codex", "exec"),
    ("sleep", "60"),
    ("bash", "-c", "sleep 9 && tmux send-keys -t a b"),
)


def test_a_conclusion_stands_once_it_was_drawn_twice_from_the_same() -> None:
    drawn: list[int] = []

    def conclude(value: int) -> Callable[[], int]:
        def draw() -> int:
            drawn.append(value)
            return value

        return draw

    repeated: CachedConclusion[int] = CachedConclusion()
    assert [repeated.of("a", conclude(1)) for _ in range(4)] == [1, 1, 1, 1]
    assert (drawn, repeated.number) == ([1, 1], 1)
    assert [repeated.of("b", conclude(2)), repeated.of("a", conclude(1))] == [2, 1]
    assert (drawn, repeated.number) == ([1, 1, 2, 1], 3)


def test_it_stands_for_facts_that_come_back_until_it_changes() -> None:
    drawn: list[str] = []

    def conclude(facts: str, value: int) -> Callable[[], int]:
        def draw() -> int:
            drawn.append(facts)
            return value

        return draw

    repeated: CachedConclusion[int] = CachedConclusion()
    for facts in "abbabbabbabb":
        assert repeated.of(facts, conclude(facts, 1)) == 1
    assert drawn == ["a", "b", "b", "a"]
    assert [repeated.of(facts, conclude(facts, 2)) for facts in "cab"] == [2, 2, 2]
    assert drawn[4:] == ["c", "a", "b"]


def test_of_what_is_not_known_nothing_stands() -> None:
    values = iter(range(9))
    repeated: CachedConclusion[int] = CachedConclusion()
    assert [repeated.of(None, lambda: next(values)) for _ in range(4)] == [0, 1, 2, 3]


def test_what_changes_by_each_call_never_stands() -> None:
    values = iter(range(9))
    repeated: CachedConclusion[int] = CachedConclusion()
    assert [repeated.of("a", lambda: next(values)) for _ in range(4)] == [0, 1, 2, 3]


def test_figures_are_no_new_make_and_all_else_is() -> None:
    shell = process(200, 100)
    makes = ProcessSetVersion()
    first = makes.number(table(shell))
    for same in (shell, replace(shell), replace(shell, cpu_ticks=9, state="R", open_fds=7, threads=2)):
        assert makes.number(table(same)) == first
    others: list[dict[str, Any]] = [{"comm": "vi"}, {"ppid": 1}, {"tty": 5}, {"state": "Z"}]
    for number, change in enumerate(others, 1):
        assert makes.number(table(replace(shell, **change))) == first + number
    assert makes.number(table()) == first + 5


def test_the_shape_of_a_view_is_without_its_figures() -> None:
    server = process(100)
    seen = table(server)
    plain = tmux_version(seen, tmux_view(answering(server, pane("%0", 200))))
    same = replace(pane("%0", 200), history_bytes=9)
    assert tmux_version(seen, tmux_view(answering(server, same, taken_at=12.0))) == plain
    for view in (
        tmux_view(answering(server, pane("%0", 201))),
        tmux_view(answering(server, replace(pane("%0", 200), agent_option="lead"))),
        tmux_view(answering(server, pane("%0", 200), taken_at=9.0)),
        tmux_view(silent(server, pane("%0", 200))),
        tmux_view(),
    ):
        assert tmux_version(seen, view) != plain


def history(seed: int) -> Iterator[tuple[ProcessTable, TmuxView]]:
    """Samples of a machine on which less and less happens, and at times nothing."""
    random = Random(seed)
    kernel = SimulatedKernel(call_ns=1000)
    server = kernel.fork(INIT)
    kernel.exec(server, "tmux: server")
    panes = []
    for number in range(3):
        shell = kernel.fork(server)
        kernel.setsid(shell)
        kernel.exec(shell, "bash")
        panes.append(pane(f"%{number}", shell))
        kernel.run(shell, environ=tmux_environ(server, f"%{number}"), argv=PROGRAMS[number % 2])
    waiting = kernel.fork(server + 1)
    kernel.run(waiting, argv=("bash", "-c", CHECK_IN))
    sleep = kernel.fork(waiting)
    kernel.run(sleep, argv=("sleep", "60"))
    spared = frozenset({server, server + 1, waiting, sleep})
    mischief = Mischief(kernel, random.randbytes(900), deeds=MORE_DEEDS, spared=spared)
    for number in range(40):
        busy = number % 20 < 8
        for _ in range(random.choice((0, 0, 1, 2, 5)) if busy else 0):
            mischief.step()
        if busy and random.random() < 0.2:
            pid = random.choice(kernel.living())
            kernel.run(pid, argv=random.choice(PROGRAMS)) if pid not in {INIT, *spared} else None
        kernel.run(waiting, 50_000_000)
        if random.random() < 0.3:
            place = random.randrange(3)
            panes[place] = replace(panes[place], agent_option=random.choice(("", "a", "b")))
        seen = replace(read_table(kernel), complete=random.random() < 0.95)
        running = [each for each in panes if each.pid in kernel.tasks]
        view = answering(seen.processes[server], *running, taken_at=seen.taken_at - (random.random() < 0.1))
        yield seen, tmux_view(view if random.random() < 0.95 else replace(view, up=False))


def reports(seed: int) -> list[Report]:
    steps = list(history(seed))
    clock = ManualClock(time=10.0)
    sampler = sampler_of(
        Processes(steps[0][0], *(each for each, _ in steps)),
        Servers(*(each for _, each in steps)),
        clock=clock,
    )
    taken = []
    for _ in steps:
        clock.advance(5)
        taken.append(sampler.sample())
    return taken


SEEDS = range(6)


def test_samples_are_those_that_are_worked_out_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    stood = 0
    before: dict[CachedConclusion[Any], object] = {}
    real = CachedConclusion.of

    def of(self: CachedConclusion[Any], facts: object, conclude: Callable[[], Any]) -> Any:
        nonlocal stood
        stood += facts is not None and facts == before.get(self)
        before[self] = facts
        return real(self, None, conclude)

    def work_out(
        self: UsageCache, _key: object, members: Sequence[Process], totals: Totals, limit: int | None
    ) -> Usage:
        return usage(self.with_zombies(members), totals, self._start_time, limit, self._memory)

    monkeypatch.setattr(CachedConclusion, "of", of)
    monkeypatch.setattr(UsageCache, "of", work_out)
    monkeypatch.setattr(UsageCache, "cached", lambda _self, _key, _facts, make: make())
    monkeypatch.setattr(
        PaneMembers,
        "of",
        lambda _self, table, rosters: {key: processes_of(roster, table) for key, roster in rosters.items()},
    )
    for seed in SEEDS:
        assert kept[seed] == reports(seed), seed
    assert stood > 100
    assert any(report.agents for history in kept for report in history)


def test_costs_that_are_kept_too_long_show(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    real = UsageCache.of

    def stale(self: UsageCache, key: str, *facts: Any) -> Usage:
        before = self._before.get(key)
        return real(self, key, *(before[:3] if before else facts))

    monkeypatch.setattr(UsageCache, "of", stale)
    assert kept != [reports(seed) for seed in SEEDS]


@pytest.mark.parametrize(
    "facts",
    [
        "tmux_exporter.analysis.report.unchanged.ProcessSetVersion.number",
        "tmux_exporter.sampling.stages.ownership.tmux_version",
    ],
)
def test_facts_that_are_too_few_show(facts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    monkeypatch.setattr(facts, lambda *_: 1)
    with pytest.raises((AssertionError, KeyError)):
        same = kept == [reports(seed) for seed in SEEDS]
        # Not compared by assert itself, which would look for all differences of thousands of reports.
        assert same


def test_accounts_follow_from_what_is_concluded() -> None:
    check_in = Scheduler(
        process=ProcessId(5, 5), sleep=ProcessId(6, 6), state=SchedulerState.ARMED, reason="", targets=(),
        server=ProcessId(1, 1), session_id="$0", due=None,
    )  # fmt: skip
    leak = Leak(process=ProcessId(7, 7), kind=LeakKind.AGENT, reason="", server="s", session="x", pane=None)
    tracked = TrackedAgent(
        server="s",
        session="x",
        name="a",
        up=True,
        status=AgentStatus(state=AgentState.IDLE, since=1.0, source=next(iter(StateSource)), why=""),
    )
    plain = Snapshot(
        table=table(), view=tmux_view(), owners={}, agents=(), schedulers=(check_in,), session_labels={},
        tracked_agents=(tracked,), leaks=Leaks(exempt={}, found=(leak,)),
    )  # fmt: skip
    later = replace(check_in, reason="another", due=9.0)
    assert counter_key_facts(replace(plain, schedulers=(later,))) == counter_key_facts(plain)
    working = replace(
        tracked,
        status=AgentStatus(state=AgentState.WORKING, since=1.0, source=next(iter(StateSource)), why=""),
    )
    for other in (
        replace(plain, schedulers=()),
        replace(plain, schedulers=(replace(check_in, state=SchedulerState.OVERDUE),)),
        replace(plain, schedulers=(replace(check_in, session_id="$1"),)),
        replace(plain, leaks=Leaks(exempt={}, found=(replace(leak, kind=LeakKind.OTHER),))),
        replace(plain, leaks=Leaks(exempt={}, found=(leak,), unconfirmed=(("s", "y"),))),
        replace(plain, tracked_agents=(working,)),
        replace(plain, session_labels={(ProcessId(1, 1), "$0"): "x"}),
    ):
        assert counter_key_facts(other) != counter_key_facts(plain)
