"""Conclusions that stand are those that would be drawn anew."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.facts import answering, pane, process, silent, table, tmux_environ, tmux_view
from tests.support.scripted import Bounds, Processes, Servers
from tests.support.simulated_kernel import INIT, SimulatedKernel
from tests.support.simulated_reader import MORE_DEEDS, Mischief, read_table
from tmux_exporter.analysis.accounting import Totals
from tmux_exporter.analysis.costs import Costs
from tmux_exporter.analysis.repeated import Makes, Repeated, shape
from tmux_exporter.analysis.usage import usage
from tmux_exporter.config import Config
from tmux_exporter.model import Process, ProcessTable, TmuxView
from tmux_exporter.report import Report, Usage
from tmux_exporter.sampler import Sampler

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

    repeated: Repeated[int] = Repeated()
    assert [repeated.of("a", conclude(1)) for _ in range(4)] == [1, 1, 1, 1]
    assert (drawn, repeated.number) == ([1, 1], 1)
    assert [repeated.of("b", conclude(2)), repeated.of("a", conclude(1))] == [2, 1]
    assert (drawn, repeated.number) == ([1, 1, 2, 1], 3)


def test_of_what_is_not_known_nothing_stands() -> None:
    values = iter(range(9))
    repeated: Repeated[int] = Repeated()
    assert [repeated.of(None, lambda: next(values)) for _ in range(4)] == [0, 1, 2, 3]


def test_what_changes_by_each_call_never_stands() -> None:
    values = iter(range(9))
    repeated: Repeated[int] = Repeated()
    assert [repeated.of("a", lambda: next(values)) for _ in range(4)] == [0, 1, 2, 3]


def test_figures_are_no_new_make_and_all_else_is() -> None:
    shell = process(200, 100)
    makes = Makes()
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
    plain = shape(seen, tmux_view(answering(server, pane("%0", 200))))
    same = replace(pane("%0", 200), history_bytes=9)
    assert shape(seen, tmux_view(answering(server, same, taken_at=12.0))) == plain
    for view in (
        tmux_view(answering(server, pane("%0", 201))),
        tmux_view(answering(server, replace(pane("%0", 200), agent_option="lead"))),
        tmux_view(answering(server, pane("%0", 200), taken_at=9.0)),
        tmux_view(silent(server, pane("%0", 200))),
        tmux_view(),
    ):
        assert shape(seen, view) != plain


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
        panes.append(pane(f"%{number}", shell))
        kernel.run(shell, environ=tmux_environ(server, f"%{number}"), argv=PROGRAMS[number % 2])
    mischief = Mischief(kernel, random.randbytes(900), deeds=MORE_DEEDS, spared=frozenset({server}))
    for _ in range(40):
        for _ in range(random.choice((0, 0, 0, 1, 2, 5))):
            mischief.step()
        if random.random() < 0.2:
            pid = random.choice(kernel.living())
            kernel.run(pid, argv=random.choice(PROGRAMS)) if pid not in (INIT, server) else None
        if random.random() < 0.1:
            number = random.randrange(3)
            panes[number] = replace(panes[number], history_bytes=random.randrange(99), agent_option="a")
        seen = replace(read_table(kernel), complete=random.random() < 0.95)
        running = [each for each in panes if each.pid in kernel.tasks]
        view = answering(seen.processes[server], *running, taken_at=seen.taken_at - (random.random() < 0.1))
        yield seen, tmux_view(view if random.random() < 0.95 else replace(view, up=False))


def reports(seed: int) -> list[Report]:
    steps = list(history(seed))
    sampler = Sampler(
        Config(),
        ManualClock(),
        Processes(steps[0][0], *(each for each, _ in steps)),
        Servers(*(each for _, each in steps)),
        Bounds(),
        default_socket="/tmp/tmux-1000/default",
    )
    return [sampler.sample() for _ in steps]


SEEDS = range(10)


def test_samples_are_those_that_are_worked_out_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    stood = 0
    real = Repeated.of

    def of(self: Repeated[Any], facts: object, conclude: Callable[[], Any]) -> Any:
        nonlocal stood
        stood += facts is not None and facts == self._facts
        real(self, None, conclude)
        self._facts = facts
        return self._value

    def work_out(
        self: Costs, _key: object, members: Sequence[Process], totals: Totals, limit: int | None
    ) -> Usage:
        return usage(members, totals, self._start_time, limit, self._memory)

    monkeypatch.setattr(Repeated, "of", of)
    monkeypatch.setattr(Costs, "of", work_out)
    for seed in SEEDS:
        assert kept[seed] == reports(seed), seed
    assert stood > 50
    assert any(report.agents for history in kept for report in history)


def test_costs_that_are_kept_too_long_show(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    real = Costs.of

    def stale(self: Costs, key: str, *facts: Any) -> Usage:
        before = self._before.get(key)
        return real(self, key, *(before[:3] if before else facts))

    monkeypatch.setattr(Costs, "of", stale)
    assert kept != [reports(seed) for seed in SEEDS]


def test_facts_that_are_too_few_show(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    monkeypatch.setattr(Makes, "number", lambda *_: 0)
    with pytest.raises((AssertionError, KeyError)):
        assert kept == [reports(seed) for seed in SEEDS]
