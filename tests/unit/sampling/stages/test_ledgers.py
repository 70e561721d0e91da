"""Panes with cgroups of their own, by scripted cgroups: what is a pane's own, and what becomes of it."""

from collections.abc import Container, Iterable
from dataclasses import replace

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import (
    answering,
    pane,
    process,
    silent,
    table,
    tmux_environ,
    tmux_server,
    tmux_view,
)
from tests.support.literals.scripted import Harmless, Processes, Servers, sampler_of
from tmux_exporter.config import Config, MetricsSettings
from tmux_exporter.facts.ledgers import (
    Counts,
    CpuSource,
    KernelAccount,
    LedgerCount,
    LedgerFolders,
    PaneScope,
    PidCount,
)
from tmux_exporter.facts.process import MemorySource, Process, ProcessId, ProcessTable
from tmux_exporter.facts.report import PaneReport, Report
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.sampling.sampler import Sampler

SERVER = tmux_server(100)
SHELL = process(200, 100, argv=("bash",), resident_bytes=9, anonymous_bytes=1000, shared_memory_bytes=24)
TOOL = process(300, 200, session=200, argv=("make",), anonymous_bytes=500, shared_memory_bytes=0)
ORPHAN = process(400, 1, argv=("job",), exe="/bin/job", anonymous_bytes=100, shared_memory_bytes=0)
VIEW = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 250)))
ONLY_NEIGHBOUR = tmux_view(answering(SERVER, pane("%1", 250)))
AGENT = process(300, 200, argv=("claude",), exe="/usr/bin/claude", comm="claude")
NEIGHBOUR = process(250, 100, argv=("bash",))
SCOPE = "/cg/user@0.service/tmux-spawn-1.scope"
LEASE = "/cg/user@0.service/tmux-remediator-lease.scope"
SESSION = "/cg/session-1.scope"
SECOND = 1_000_000_000


class Cgroups:
    """Cgroups as a test writes them down: pids, CPU and memory by folder; `reads` counts what was asked."""

    def __init__(self) -> None:
        self.processes: dict[str, set[int]] = {SESSION: {100, 250}}
        self.cpu: dict[str, int] = {}
        self.memory: dict[str, int] = {}
        self.kills: dict[str, int] = {}
        self.kills_of_gone = 0
        self.unknown: list[PaneScope] = []
        self.detail: dict[str, Counts] = {}
        self.limits: dict[str, PidCount] = {}
        self.reads = 0

    def folders(self, pid: int) -> LedgerFolders | None:
        self.reads += 1
        found = next((folder for folder, pids in self.processes.items() if pid in pids), None)
        return None if found is None else LedgerFolders(found, found)

    def members(self, folder: str) -> frozenset[int] | None:
        self.reads += 1
        return frozenset(self.processes[folder]) if folder in self.processes else None

    def cpu_nanoseconds(self, folder: str) -> int | None:
        self.reads += 1
        return self.cpu.get(folder, 0)

    def memory_bytes(self, folder: str) -> int | None:
        self.reads += 1
        return self.memory.get(folder)

    def beside(self, folder: str, pids: frozenset[int]) -> Iterable[str]:
        assert pids == self.processes[folder]
        return ()

    def counts(self, folder: str, *, detail: bool) -> Counts:
        self.reads += 1
        kills = {LedgerCount.OOM_KILLS: self.kills[folder]} if folder in self.kills else {}
        return {**kills, **self.detail.get(folder, {})} if detail else kills

    def scopes(self, known: Container[str]) -> Iterable[PaneScope]:
        return [each for each in self.unknown if each.folder.rpartition("/")[2] not in known]

    def kills_below(self, folder: str) -> int | None:
        return self.kills_of_gone + sum(
            count for each, count in self.kills.items() if each.startswith(f"{folder}/")
        )

    def pids(self, folder: str) -> PidCount | None:
        return self.limits.get(folder)


class Scene:
    """A sampler that takes one sample after the other of what the test says."""

    def __init__(self, config: Config | None = None) -> None:
        self.cgroups = Cgroups()
        self.clock = ManualClock()
        self._processes, self._servers = Processes(), Servers()
        self.sampler: Sampler = sampler_of(
            self._processes,
            self._servers,
            clock=self.clock,
            config=config or Config(),
            leak_details=Harmless(),
            ledgers=self.cgroups,
        )
        self._taken = 0

    def sample(self, *processes: Process, view: TmuxView = VIEW, at: float = 10.0) -> Report:
        self.clock.advance(5.0)
        now: ProcessTable = replace(table(SERVER, NEIGHBOUR, *processes), taken_at=at)
        # The first sample takes two readings.
        self._processes.tables += [now] * (1 if self._taken else 2)
        self._servers.views.append(view)
        self._taken += 1
        return self.sampler.sample()


def of(report: Report, name: str = "%0") -> PaneReport:
    (found,) = [each for each in report.panes if each.pane == name]
    return found


def worked(process: Process, ticks: int) -> Process:
    return replace(process, cpu_ticks=ticks)


def test_what_nobody_reaped_counts_for_the_pane_whose_cgroup_it_was_used_in() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.sample(SHELL)
    scene.cgroups.cpu[SCOPE] = 3 * SECOND
    scene.cgroups.memory[SCOPE] = 5000
    report = scene.sample(worked(SHELL, 1))
    usage = of(report).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (3.0, CpuSource.CGROUP)
    assert (usage.memory_bytes, usage.memory_source) == (5000, MemorySource.CGROUP)
    (session,) = report.sessions
    assert (session.usage.cpu_seconds_total, session.usage.memory_bytes) == (3.0, 5000)
    assert (session.usage.cpu_source, of(report, "%1").usage.cpu_source) == (CpuSource.MIXED, "processes")


def test_what_a_pane_uses_while_its_server_long_does_not_answer_counts_once_it_does() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.sample(SHELL)
    scene.cgroups.cpu[SCOPE] = 3 * SECOND
    scene.sample(worked(SHELL, 100))
    for ticks in (200, 300):
        scene.cgroups.cpu[SCOPE] += SECOND
        report = scene.sample(worked(SHELL, ticks), view=tmux_view(silent(SERVER, listed=False)))
        assert not report.panes
    scene.cgroups.cpu[SCOPE] += SECOND
    report = scene.sample(worked(SHELL, 400))
    usage = of(report).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (6.0, CpuSource.CGROUP)
    assert sum(each.usage.cpu_seconds_total for each in report.sessions) == 6.0


def test_a_pane_at_rest_is_not_read() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.sample(SHELL)
    reads = scene.cgroups.reads
    first = of(scene.sample(SHELL)).usage
    again = of(scene.sample(SHELL)).usage
    assert scene.cgroups.reads == reads
    assert (first.cpu_source, again.cpu_source) == (CpuSource.PROCESSES, CpuSource.PROCESSES)


def test_what_is_new_in_a_pane_without_a_cgroup_of_its_own_is_asked_within_a_minute() -> None:
    scene = Scene()
    scene.cgroups.processes[SESSION] |= {200}
    # At rest it is asked ever less often.
    for at in (10.0, 15.0, 75.0, 200.0, 450.0, 451.0):
        scene.sample(SHELL, at=at)
    reads = scene.cgroups.reads
    scene.cgroups.processes["/cg/make.scope"] = {300}
    for at in (460.0, 500.0, 519.0):
        scene.sample(SHELL, TOOL, at=at)
    assert scene.cgroups.reads == reads, "most of what is new ends soon"
    for at in (520.0, 525.0):
        scene.sample(SHELL, TOOL, at=at)
    scene.cgroups.cpu["/cg/make.scope"] = 2 * SECOND
    report = scene.sample(SHELL, worked(TOOL, 1), at=530.0)
    assert of(report).usage.cpu_seconds_total == 2.0


def test_memory_that_was_charged_elsewhere_stays_in_the_figure() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.cgroups.memory[SCOPE] = 300
    usage = of(scene.sample(SHELL)).usage
    assert (usage.memory_bytes, usage.memory_source) == (1024, MemorySource.STATUS)


def test_a_cgroup_with_a_tmux_server_that_was_started_in_the_pane_is_not_the_panes() -> None:
    scene = Scene()
    inner = tmux_server(500, ppid=1)
    scene.cgroups.processes[SCOPE] = {200, 500}
    scene.sample(SHELL, inner)
    scene.cgroups.cpu[SCOPE] = 3 * SECOND
    usage = of(scene.sample(worked(SHELL, 7), inner)).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (0.07, CpuSource.PROCESSES)


def test_a_cgroup_that_is_shared_with_another_pane_is_nobodys() -> None:
    scene = Scene()
    scene.cgroups.processes = {SESSION: {200, 250}}
    scene.sample(SHELL)
    scene.cgroups.cpu[SESSION] = 3 * SECOND
    assert of(scene.sample(worked(SHELL, 7))).usage.cpu_seconds_total == 0.07


def test_a_process_of_nobody_makes_a_cgroup_that_tmux_has_not_made_a_shared_one() -> None:
    scene = Scene()
    scene.cgroups.processes["/cg/run-1.scope"] = {200}
    scene.sample(SHELL)
    scene.cgroups.processes["/cg/run-1.scope"].add(400)
    # Too young to be judged at first: its environment may not be there yet.
    scene.cgroups.cpu["/cg/run-1.scope"] = SECOND
    assert of(scene.sample(worked(SHELL, 1), ORPHAN)).usage.cpu_seconds_total == 1.0
    scene.cgroups.cpu["/cg/run-1.scope"] = 9 * SECOND
    usage = of(scene.sample(worked(SHELL, 2), ORPHAN)).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (1.0, CpuSource.PROCESSES)
    assert of(scene.sample(worked(SHELL, 5), ORPHAN)).usage.cpu_seconds_total == 1.03


def test_the_scope_of_a_lease_counts_with_the_pane_while_it_lasts() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200, 300}
    scene.cgroups.memory |= {SCOPE: 2000, LEASE: 700}
    scene.sample(SHELL, TOOL)
    scene.cgroups.cpu[SCOPE] = SECOND
    assert of(scene.sample(worked(SHELL, 1), worked(TOOL, 99))).usage.cpu_seconds_total == 1.0
    # The culprit is moved: in this sample its own time is that of a process outside.
    scene.cgroups.processes |= {SCOPE: {200}, LEASE: {300}}
    scene.cgroups.cpu |= {SCOPE: 2 * SECOND, LEASE: SECOND}
    usage = of(scene.sample(worked(SHELL, 2), worked(TOOL, 149))).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (2.5, CpuSource.MIXED)
    assert (usage.memory_bytes, usage.memory_source) == (2700, MemorySource.CGROUP)
    scene.cgroups.cpu |= {SCOPE: 3 * SECOND, LEASE: 3 * SECOND}
    usage = of(scene.sample(worked(SHELL, 3), worked(TOOL, 349))).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (5.5, CpuSource.CGROUP)
    # And back.
    scene.cgroups.processes = {SCOPE: {200, 300}}
    scene.cgroups.cpu[SCOPE] = 4 * SECOND
    usage = of(scene.sample(worked(SHELL, 4), worked(TOOL, 350))).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (6.5, CpuSource.CGROUP)


@pytest.mark.parametrize("gone", [True, False], ids=["the cgroup goes", "a stranger comes"])
def test_a_counter_goes_on_when_its_source_goes(gone: bool) -> None:
    scene = Scene()
    scene.cgroups.processes["/cg/run-1.scope"] = {200}
    scene.sample(SHELL)
    scene.cgroups.cpu["/cg/run-1.scope"] = 5 * SECOND
    assert of(scene.sample(worked(SHELL, 10))).usage.cpu_seconds_total == 5.0
    if gone:
        del scene.cgroups.processes["/cg/run-1.scope"]
    else:
        scene.cgroups.processes["/cg/run-1.scope"].add(250)
    scene.sample(worked(SHELL, 10))
    usage = of(scene.sample(worked(SHELL, 30))).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (5.2, CpuSource.PROCESSES)


def test_a_process_that_only_the_scope_of_its_pane_ties_to_it_is_the_panes_and_then_its_leak() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200, 400}
    scene.sample(SHELL, ORPHAN)
    report = scene.sample(worked(SHELL, 1), ORPHAN)
    assert of(report).usage.processes == 2
    # The pane goes, its scope stays as long as the process.
    scene.sample(ORPHAN, view=ONLY_NEIGHBOUR)
    report = scene.sample(ORPHAN, view=ONLY_NEIGHBOUR)
    (leak,) = report.leaks
    assert (leak.process, leak.pane) == (ORPHAN.id, "%0")
    assert "the cgroup that tmux made for pane %0" in leak.reason
    # It was never seen in the pane, so nothing may end it for that alone.
    assert leak.by_environment


def test_a_scope_whose_pane_is_gone_ties_what_nobody_has_seen_before() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.sample(SHELL)
    scene.cgroups.processes[SCOPE] = {400}
    assert not scene.sample(ORPHAN, view=ONLY_NEIGHBOUR).leaks
    scene.sample(ORPHAN, view=ONLY_NEIGHBOUR)
    (leak,) = scene.sample(ORPHAN, view=ONLY_NEIGHBOUR).leaks
    assert leak.process == ORPHAN.id


def test_a_new_pane_counts_what_its_scope_has_used_before_it_was_seen() -> None:
    scene = Scene()
    scene.sample()
    scene.cgroups.processes[SCOPE] = {200}
    scene.cgroups.cpu[SCOPE] = 2 * SECOND
    usage = of(scene.sample(worked(SHELL, 1))).usage
    assert (usage.cpu_seconds_total, usage.cpu_source) == (2.0, CpuSource.CGROUP)


def test_an_older_cgroup_of_a_new_pane_counts_from_now_on() -> None:
    scene = Scene()
    scene.sample()
    scene.cgroups.processes["/cg/run-1.scope"] = {200}
    scene.cgroups.cpu["/cg/run-1.scope"] = 2 * SECOND
    shell = replace(SHELL, id=ProcessId(200, 999), cpu_ticks=1)
    assert of(scene.sample(shell)).usage.cpu_seconds_total == 0.01


def test_the_environment_of_another_pane_is_stronger_than_nothing_but_not_than_the_scope() -> None:
    scene = Scene()
    stray = replace(ORPHAN, environ=tmux_environ(100, "%1"))
    scene.cgroups.processes[SCOPE] = {200, 400}
    scene.sample(SHELL, stray)
    # It belongs to the other pane: the cgroup is shared.
    report = scene.sample(worked(SHELL, 1), stray)
    assert of(report, "%1").usage.processes == 2
    assert of(report).usage.cpu_source is CpuSource.PROCESSES


def kills_of(report: Report) -> tuple[int | None, ...]:
    """Of the session, of the pane, of its neighbour, and of each agent."""
    (session,) = report.sessions
    usages = (
        session.usage,
        of(report).usage,
        of(report, "%1").usage,
        *(each.usage for each in report.agents),
    )
    return tuple(each.oom_kills_total for each in usages)


def test_oom_kills_count_from_0_for_the_pane_its_session_and_its_agent() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200, 300}
    scene.cgroups.kills[SCOPE] = 7
    assert kills_of(scene.sample(SHELL, AGENT)) == (0, 0, None, 0)
    scene.cgroups.kills[SCOPE] = 9
    # The agent is what was killed.
    scene.cgroups.processes[SCOPE] = {200}
    shell = worked(SHELL, 1)
    assert kills_of(scene.sample(shell)) == (2, 2, None, 2)
    assert kills_of(scene.sample(shell)) == (2, 2, None, 2), "it rests"
    scene.cgroups.kills[SCOPE] = 10
    assert kills_of(scene.sample(worked(SHELL, 2))) == (3, 3, None, 3)


def test_a_new_pane_shows_in_its_second_sample_what_was_killed_in_its_scope() -> None:
    scene = Scene()
    scene.sample()
    scene.cgroups.processes[SCOPE] = {200}
    scene.cgroups.kills[SCOPE] = 1
    assert kills_of(scene.sample(worked(SHELL, 1))) == (0, 0, None)
    assert kills_of(scene.sample(worked(SHELL, 2))) == (1, 1, None)


def test_a_kill_counts_for_the_session_though_systemd_ended_the_whole_pane_for_it() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {200}
    scene.cgroups.kills[SCOPE] = 0
    scene.sample(SHELL)
    del scene.cgroups.processes[SCOPE], scene.cgroups.kills[SCOPE]
    scene.cgroups.kills_of_gone = 1
    (session,) = scene.sample(view=ONLY_NEIGHBOUR).sessions
    assert session.usage.oom_kills_total == 1


def scene_of_two_scopes() -> Scene:
    """After one sample of two panes with a scope each, in which nothing was killed yet."""
    scene = Scene()
    other = "/cg/user@0.service/tmux-spawn-2.scope"
    scene.cgroups.processes |= {SCOPE: {200}, other: {300}}
    scene.cgroups.kills |= {SCOPE: 0, other: 0}
    second = replace(TOOL, ppid=100)
    three = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 250), pane("%2", 300)))
    scene.sample(SHELL, second, view=three)
    return scene


def test_of_two_panes_that_ended_at_once_nobody_can_say_which_was_killed() -> None:
    scene = scene_of_two_scopes()
    scene.cgroups.kills.clear()
    scene.cgroups.kills_of_gone = 1
    (session,) = scene.sample(view=ONLY_NEIGHBOUR).sessions
    assert session.usage.oom_kills_total == 0


def test_a_kill_that_a_living_pane_has_told_is_not_told_again_of_one_that_ended() -> None:
    scene = scene_of_two_scopes()
    scene.cgroups.kills = {SCOPE: 1}
    report = scene.sample(worked(SHELL, 1))
    assert kills_of(report) == (1, 1, None)


def test_the_rest_of_the_account_is_read_where_panes_are_shown_in_detail() -> None:
    counts: Counts = {LedgerCount.CPU_SOME: 2.0, LedgerCount.READS: 8}
    for detail in (True, False):
        scene = Scene(Config(metrics=MetricsSettings(pane_detail=detail)))
        scene.cgroups.processes[SCOPE] = {200}
        scene.cgroups.detail[SCOPE] = counts
        scene.cgroups.limits[SCOPE] = PidCount(3, 100)
        scene.sample(SHELL)
        scene.cgroups.detail[SCOPE] = {LedgerCount.CPU_SOME: 2.5, LedgerCount.READS: 9}
        found = of(scene.sample(worked(SHELL, 1))).account
        expected = KernelAccount(
            pids=3, pids_limit=100, disk_reads_total=1, pressure_seconds_total={("cpu", "some"): 0.5}
        )
        assert found == (expected if detail else KernelAccount())


LEFT = PaneScope(folder=SCOPE, pane_pid=77, server_pid=100, made_at=1_000_000.0)


def test_what_is_left_in_the_scope_of_a_pane_that_went_before_we_began_is_leaked() -> None:
    scene = Scene()
    scene.cgroups.processes[SCOPE] = {400}
    scene.cgroups.unknown = [LEFT]
    for _ in range(3):
        # The first listing may be older than the scope.
        assert not scene.sample(ORPHAN, view=ONLY_NEIGHBOUR).leaks
        assert scene.sampler.unsettled
    (leak,) = scene.sample(ORPHAN, view=ONLY_NEIGHBOUR).leaks
    assert not scene.sampler.unsettled
    assert (leak.process, leak.server, leak.session, leak.pane) == (ORPHAN.id, "default", "", "")
    assert "whose panes have no process 77 any more" in leak.reason
    # No sample saw it in a pane: nothing may end it.
    assert leak.by_environment
    # Its scope ends with it.
    scene.cgroups.processes.pop(SCOPE)
    assert not scene.sample(view=ONLY_NEIGHBOUR).leaks


@pytest.mark.parametrize("pid", [250, 77], ids=["of a pane", "of a stranger"])
def test_the_scope_of_a_pane_that_is_there_leaves_nothing(pid: int) -> None:
    scene = Scene()
    # Shared with another pane: so it was not found to be the pane's own.
    scene.cgroups.processes[SCOPE] = {250, 100, 400}
    scene.cgroups.unknown = [LEFT._replace(pane_pid=pid)]
    found = [scene.sample(ORPHAN, view=ONLY_NEIGHBOUR).leaks for _ in range(4)][-1]
    assert [each.process for each in found] == ([] if pid == 250 else [ORPHAN.id])
