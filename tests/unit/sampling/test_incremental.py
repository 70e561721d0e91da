"""Incremental samples equal those computed from nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import answering, pane, tmux_environ, tmux_view
from tests.support.literals.scripted import Processes, Servers, sampler_of
from tests.support.simulation.kernel import INIT, SimulatedKernel
from tests.support.simulation.reader import MORE_DEEDS, Mischief, read_table
from tmux_exporter.analysis.ownership.incremental import Attributor
from tmux_exporter.analysis.report.counter_keys import KeyTracker
from tmux_exporter.analysis.report.usage import ReportCache
from tmux_exporter.analysis.report.view import PaneMembers
from tmux_exporter.facts.changes import AuditTurns, Changes, ChangeTracker, ProcessChanges
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import TmuxView

CHECK_IN = "sleep 60 && tmux send-keys -t '$0:0' hello"
PROGRAMS = (
    ("bash",),
    ("claude",),
    ("codex", "exec"),
    ("sleep", "60"),
    ("bash", "-c", "sleep 9 && tmux send-keys -t a b"),
)


def history(seed: int, samples: int = 40) -> Iterator[tuple[ProcessTable, TmuxView]]:
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
    for number in range(samples):
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
        if view.listing is not None and random.random() < 0.5:
            renamed = tuple(replace(each, name="renamed") for each in view.listing.sessions)
            view = replace(view, listing=replace(view.listing, sessions=renamed))
        yield seen, tmux_view(view if random.random() < 0.95 else replace(view, up=False))


def reports(seed: int, samples: int = 40) -> list[Report]:
    steps = list(history(seed, samples))
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


SEEDS = range(2)


def everything(self: ChangeTracker, table: ProcessTable, view: TmuxView) -> Changes:
    """Changes that leave nothing out."""
    before = self.processes(table).figures
    pids = {*table.processes, *before}
    return Changes(processes=ProcessChanges(figures=pids, identities=pids), tmux=True)


def test_samples_are_those_computed_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]

    monkeypatch.setattr(ChangeTracker, "observe", everything)
    monkeypatch.setattr(Attributor, "_stale", lambda *_: None)
    monkeypatch.setattr(ReportCache, "made", lambda _self, _key, _facts, make: make())
    for seed in SEEDS:
        assert kept[seed] == reports(seed), seed
    assert any(report.agents for history in kept for report in history)


def never(self: ChangeTracker, table: ProcessTable, view: TmuxView) -> Changes:
    """Changes of tmux in the first sample only."""
    first, self._view = self._view is None, view
    return Changes(processes=self.processes(table), tmux=first)


def figures_only(self: ChangeTracker, table: ProcessTable, view: TmuxView) -> Changes:
    """Changes without those of identities, after the first sample."""
    first, self._view = self._view is None, view
    changes = self.processes(table)
    return Changes(processes=changes if first else replace(changes, identities=()), tmux=True)


@pytest.mark.parametrize("observe", [never, figures_only])
def test_changes_that_are_missed_show(observe: object, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    monkeypatch.setattr(ChangeTracker, "observe", observe)
    with pytest.raises((AssertionError, KeyError)):
        same = kept == [reports(seed) for seed in SEEDS]
        # Not compared by assert itself, which would look for all differences of thousands of reports.
        assert same


def test_parts_that_are_kept_too_long_show(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [reports(seed) for seed in SEEDS]
    real = ReportCache.made

    def stale(self: ReportCache, key: str, facts: object, make: Callable[[], Any]) -> Any:
        before = self._before.get(key)
        return real(self, key, before[0] if before else facts, make)

    monkeypatch.setattr(ReportCache, "made", stale)
    assert kept != [reports(seed) for seed in SEEDS]


def no_panes(*_: object) -> set[object]:
    return set()


def stale_part(self: ReportCache, key: str, _: object, make: Callable[[], Any]) -> Any:
    kept = self._now[key] = self._before.get(key) or (None, make())
    return kept[1]


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        ((PaneMembers, "_panes_of", no_panes), "owners corrected"),
        ((KeyTracker, "_update_groups", lambda *_: None), "counter keys corrected"),
        ((ReportCache, "made", stale_part), "report corrected"),
    ],
)
def test_an_audit_finds_corrects_and_counts_what_was_missed(
    plant: tuple[type, str, object], says: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    right = reports(0, 10)
    monkeypatch.setattr(AuditTurns, "come", lambda *_: True)
    assert reports(0, 10) == right, "an audit changes nothing where nothing was missed"
    monkeypatch.setattr(*plant)
    found = reports(0, 10)
    assert says in caplog.text
    assert found[-1].discovery_missed_total > 0
    # Keys take effect one sample late.
    if plant[0] is not KeyTracker:
        assert [replace(each, discovery_missed_total=0) for each in found] == right
