"""The sampler on scripted sources: what becomes of one view after the other."""

from dataclasses import replace
from typing import Any

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
from tmux_exporter.analysis.report import summary
from tmux_exporter.analysis.report.usage import usage
from tmux_exporter.config import Config, LimitSettings, MetricsSettings, TmuxSettings
from tmux_exporter.facts.agents import SavedAgents
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.report import Usage
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sampling.stages.protocols import HostSource, LeakDetailSource

SERVER = tmux_server(100)
SHELL = process(200, 100, resident_bytes=4096, anonymous_bytes=1000, shared_memory_bytes=24, open_fds=4)
TABLE = table(SERVER, SHELL)
VIEW = tmux_view(answering(SERVER, pane("%0", 200)))


def sampler(
    *steps: tuple[ProcessTable, TmuxView],
    clock: ManualClock | None = None,
    host: HostSource | None = None,
    leak_details: LeakDetailSource | None = None,
) -> Sampler:
    return sampler_of(
        # The first sample takes two readings.
        Processes(*(each for each, _ in steps[:1]), *(each for each, _ in steps)),
        Servers(*(each for _, each in steps)),
        clock=clock or ManualClock(),
        host=host,
        leak_details=leak_details,
    )


def burned(ticks: int) -> ProcessTable:
    return table(SERVER, replace(SHELL, cpu_ticks=ticks))


def test_a_complete_view_is_added_up() -> None:
    report = sampler((TABLE, VIEW)).sample()
    assert report.complete
    assert report.samples == {"complete": 1, "partial": 0, "failed": 0}
    (session,) = report.sessions
    assert (session.session, session.panes, session.usage.memory_bytes) == ("$0", 1, 1024)
    (shown,) = report.panes
    assert (shown.pane, shown.usage.open_fds, shown.usage.processes) == ("%0", 4, 1)
    (server,) = report.servers
    assert (server.up, server.sessions, server.pid) == (True, 1, 100)


def test_after_a_restart_a_leak_is_of_the_session_whose_pane_left_it() -> None:
    """Its pane has gone, so that nothing of tmux says where that was."""
    job = process(300, 1, argv=("job",), exe="/bin/job", environ=tmux_environ(100, "%1"))
    kept: list[SavedAgents] = []
    both = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 250, session="$7")))

    def leaks(*views: TmuxView) -> list[tuple[str, str, str]]:
        made = sampler_of(
            Processes(*[table(SERVER, SHELL, job)] * (len(views) + 1)),
            Servers(*views),
            clock=ManualClock(),
            leak_details=Harmless(),
            memory=kept[-1] if kept else None,
            keep=kept.append,
        )
        report = [made.sample() for _ in views][-1]
        return [(each.server, each.session, each.pane) for each in report.leaks]

    assert leaks(both, VIEW, VIEW) == [("default", "$7", "%1")]
    assert leaks(VIEW, VIEW) == [("default", "$7", "%1")]


AGENT = process(300, 200, start=300, argv=("claude",), environ=tmux_environ(100, "%0"))
ZOMBIES = (
    process(310, 200, state="Z", environ=None),
    process(320, 300, state="Z", environ=None),
    process(330, 300, state="Z", environ=None),
    process(340, 1, state="Z", environ=None),
)


def of_zombies() -> tuple[list[tuple[int, int]], ...]:
    """Processes and threads of the session, the panes and the agent in the second of two samples."""
    seen = table(SERVER, SHELL, AGENT, process(250, 100), *ZOMBIES)
    before = replace(seen, processes=table(SERVER, SHELL, AGENT, process(250, 100)).processes)
    view = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", 250)))
    taking = sampler((before, view), (seen, view))
    taking.sample()
    report = taking.sample()
    groups: tuple[Any, ...] = (report.sessions, report.panes, report.agents)
    return tuple([(each.usage.processes, each.usage.threads) for each in group] for group in groups)


def test_zombies_are_of_their_parents_groups_and_cost_nothing() -> None:
    assert of_zombies() == ([(3, 3)], [(2, 2), (1, 1)], [(1, 1)])


def test_a_figure_of_zombies_is_true_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = usage

    def counted(members: list[Process], *rest: Any) -> Usage:
        return replace(real(members, *rest), threads=sum(not each.alive for each in members))

    monkeypatch.setattr(summary, "usage", counted)
    assert of_zombies() == ([(3, 3)], [(2, 3), (1, 0)], [(1, 2)])


def test_counters_start_at_0_and_grow_by_what_was_used() -> None:
    taken = sampler((burned(500), VIEW), (burned(650), VIEW), (burned(640), VIEW))
    assert [taken.sample().sessions[0].usage.cpu_seconds_total for _ in range(3)] == [0.0, 1.5, 1.5]


def test_process_figures_stay_fresh_while_a_server_is_held() -> None:
    held = tmux_view(silent(SERVER, pane("%0", 200)))
    taken = sampler((burned(0), VIEW), (burned(100), held))
    taken.sample()
    report = taken.sample()
    assert not report.complete
    assert report.samples["partial"] == 1
    assert (report.servers[0].up, report.servers[0].held, report.servers[0].sessions) == (False, True, 1)
    assert report.sessions[0].usage.cpu_seconds_total == 1.0


def test_after_the_hold_nothing_of_its_sessions_is_told() -> None:
    report = sampler((TABLE, tmux_view(silent(SERVER, listed=False)))).sample()
    assert report.sessions == ()
    assert report.servers[0].sessions is None
    assert report.servers[0].start_time_seconds is not None
    assert not report.complete


def test_counters_of_a_server_that_answers_again_after_the_hold_go_on() -> None:
    lost = tmux_view(silent(SERVER, listed=False))
    taken = sampler((burned(0), VIEW), (burned(100), VIEW), (burned(100), lost), (burned(100), VIEW))
    totals = [taken.sample().sessions for _ in range(4)]
    assert [each[0].usage.cpu_seconds_total for each in totals if each] == [0.0, 1.0, 1.0]
    assert [each[0].usage.cpu_seconds_total for each in totals[3:]] == [1.0]


def test_a_server_that_is_started_again_under_its_label_goes_on_with_its_accounts() -> None:
    ended = tmux_view(silent(SERVER, listed=False, ended=True))
    taken = sampler((burned(0), VIEW), (burned(100), VIEW), (table(), ended), (burned(100), VIEW))
    assert [each[0].usage.cpu_seconds_total for _ in range(4) if (each := taken.sample().sessions)] == [
        0.0,
        1.0,
        1.0,
    ]


def test_an_ended_server_is_known_and_leaves_the_view_complete() -> None:
    report = sampler((table(SHELL), tmux_view(silent(SERVER, listed=False, ended=True)))).sample()
    assert report.complete
    assert (report.servers[0].ended, report.servers[0].pid) == (True, None)


def test_an_ended_server_that_nobody_waits_for_is_told_as_one_that_is_gone() -> None:
    zombie = table(replace(SERVER, state="Z"))
    (server,) = sampler((zombie, tmux_view(silent(SERVER, listed=False, ended=True)))).sample().servers
    assert server.ended
    assert (server.start_time_seconds, server.resident_memory_bytes, server.open_fds) == (None, None, None)
    assert server.cpu_seconds_total is None


def test_a_listing_of_processes_that_failed_is_a_partial_sample() -> None:
    report = sampler((table(complete=False), VIEW)).sample()
    assert not report.complete
    assert report.collector_success["processes"] is False


def test_a_failed_sample_holds_the_last_one_and_then_tells_nothing_of_tmux() -> None:
    clock = ManualClock()
    taken = sampler((TABLE, VIEW), clock=clock)
    assert taken.failed().sessions == ()
    good = taken.sample()
    held = taken.failed()
    assert (held.sessions, held.complete, held.samples["failed"]) == (good.sessions, False, 2)
    clock.advance(Config().tmux.hold + 1)
    assert taken.failed().sessions == ()
    assert taken.failed().timestamp == good.timestamp


def test_settings_of_tmux_reach_its_source_when_they_change() -> None:
    servers = Servers()
    taken = sampler_of(Processes(), servers, clock=ManualClock())
    taken.configure(Config())
    taken.configure(Config(limits=LimitSettings(series=1000)))
    assert servers.settings == []
    settings = TmuxSettings(hold=3.0)
    taken.configure(Config(tmux=settings))
    assert servers.settings == [(settings, 5.0)]


class Machine:
    """Counts how often it is looked at; the third look finds something that it cannot read."""

    def __init__(self) -> None:
        self.looks = 0

    def read(self, table: ProcessTable) -> HostFacts:
        self.looks += 1
        return HostFacts(load1=1.0, processes=len(table.processes), complete=self.looks < 3)


def test_the_host_is_looked_at_unless_it_is_off() -> None:
    machine, off = Machine(), Config(metrics=MetricsSettings(host=False))
    taken = sampler(*[(TABLE, VIEW)] * 4, host=machine)
    assert taken.sample().host == HostFacts(load1=1.0, processes=2)
    taken.configure(off)
    report = taken.sample()
    assert (report.host, machine.looks) == (None, 1)
    assert "host" not in report.collector_success
    taken.configure(Config())
    assert taken.sample().collector_success["host"] is True
    report = taken.sample()
    assert report.collector_success["host"] is False
    assert report.complete, "the fleet is seen all the same"


def test_a_leak_costs_from_0_from_when_it_is_one_and_is_over_with_its_session_name_kept() -> None:
    def left(ticks: int) -> ProcessTable:
        job = process(
            300, session=300, argv=("make",), exe="/usr/bin/make", environ=tmux_environ(100, "%1"),
            cpu_ticks=ticks, anonymous_bytes=4096, shared_memory_bytes=0, open_fds=3,
        )  # fmt: skip
        return table(SERVER, SHELL, job)

    there = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", None, session="$1")))
    steps = ((left(0), there), (left(100), VIEW), (left(250), VIEW), (left(300), VIEW), (TABLE, VIEW))
    taken = sampler(*steps, leak_details=Harmless())
    reports, doubts = zip(*((taken.sample(), taken.in_doubt) for _ in steps), strict=True)
    assert doubts == (False, True, False, False, False), "the next sample tells, and is taken soon"
    key = "default", "$1", LeakKind.OTHER
    assert [report.leaked_cpu_seconds_total.get(key) for report in reports] == [None, None, 0.0, 0.5, None]
    assert [len(report.leaks) for report in reports] == [0, 0, 1, 1, 0]
    (leak,) = reports[3].leaks
    assert (leak.pane, leak.memory_bytes, leak.open_fds, leak.cpu_seconds_total) == ("%1", 4096, 3, 3.0)
    # Nobody asks for circumstances that nobody reads, and without them nothing is called leaked.
    blind = sampler(*steps)
    assert [blind.sample().leaks for _ in steps] == [()] * 5


def test_cpu_of_schedulers_appears_with_0_with_each_state_and_stays_with_its_session() -> None:
    clock = ManualClock()
    now = int((clock.time() - TABLE.boot_time) * 100)

    def armed(ticks: int) -> ProcessTable:
        waits = process(
            300, 200, argv=("bash", "-c", "sleep 600; tmux send-keys -t %1 x"), exe="/bin/bash",
            environ=tmux_environ(100, "%0"), cpu_ticks=ticks, start=now,
        )  # fmt: skip
        return table(
            SERVER, SHELL, waits, process(301, 300, argv=("sleep", "600"), exe="/bin/sleep", start=now)
        )

    both = tmux_view(answering(SERVER, pane("%0", 200), pane("%1", None)))
    steps = (
        (TABLE, both), (armed(3), both), (armed(5), both), (armed(9), VIEW), (armed(10), VIEW), (TABLE, VIEW),
        (TABLE, tmux_view(answering(SERVER, pane("%2", None, session="$2")))),
    )  # fmt: skip
    taken = sampler(*steps, clock=clock)
    reports = [taken.sample() for _ in steps]
    assert [
        {str(state): value for (*_, state), value in report.scheduler_cpu_seconds_total.items()}
        for report in reports
    ] == [
        {},
        {"armed": 0.0},
        {"armed": 0.05},
        {"armed": 0.05, "dangling": 0.0},
        {"armed": 0.05, "dangling": 0.05},
        {"armed": 0.05, "dangling": 0.05},
        {},
    ]


def test_a_counter_of_bytes_that_is_still_0_does_not_end_at_exec_sudo() -> None:
    readable = replace(SHELL, read_bytes=0, written_bytes=0)
    hidden = replace(SHELL, uid=0, argv=("sudo", "sleep"), read_bytes=None, written_bytes=None)
    there, gone = (table(SERVER, each) for each in (readable, hidden))
    taken = sampler((there, VIEW), (gone, VIEW), (gone, VIEW))
    for report in (taken.sample(), taken.sample(), taken.sample()):
        for each in (report.sessions[0].usage, report.panes[0].usage):
            assert (each.read_bytes_total, each.written_bytes_total) == (0, 0)
    never = sampler((gone, VIEW), (gone, VIEW))
    for report in (never.sample(), never.sample()):
        assert report.panes[0].usage.read_bytes_total is None, "nothing has ever been known"
