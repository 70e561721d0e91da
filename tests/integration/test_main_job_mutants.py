"""Every guard of the remediator with a real decoy that turns red without it, and every decoy with its guards.

A guard is a row of VETOES or of LAST_CHECKS, one of the two questions of `confirmation`, or `is_shown`: that
a sample shows a scheduler at all. The guards of a decoy stand in a table, and the table is exact:

    all guards in force                               the decoy lives
    one of its guards in force, and no other at all   it lives: each would do alone
    all guards in force but its own                   it is ended: no other saves it

So without one guard just those decoys are ended that have no other one. The decoys of the main job are here
beside some with a trouble of their own. The acts are real. `end` is told which two processes it is about
and looks for no others, so that no mutant can reach a process that the test did not start.
"""

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest

from tests.support.processes.started import listens
from tests.support.remediator.decoys import DECOYS, Decoy, Guard, decoy, is_shown, make_files
from tests.support.remediator.ending import carried_out
from tests.support.remediator.orders import pair_order
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, alive, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Method, Mode
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator import loop
from tmux_exporter.remediator.act import terminate
from tmux_exporter.remediator.act.attempt import Tools
from tmux_exporter.remediator.decide import candidates, last_checks, objections, vetoes
from tmux_exporter.remediator.decide.last_checks import ProcessContext
from tmux_exporter.remediator.decide.vetoes import Moment, pair_of
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Protection

MATCH: dict[Guard, Guard] = {
    candidates.fits_match: lambda *_: True,
    candidates.targets_in_scope: lambda policy, report: candidates.targets_in_scope(
        replace(policy, servers=()), report
    ),
}
"""The two questions of what a policy is for, each with an answer that lets everything through."""

OF_OTHERS = (vetoes.is_not_attended, vetoes.is_proven, vetoes.is_unused, vetoes.has_quota)
"""Vetoes of agents and of leaked processes only."""

ALL: frozenset[Guard] = frozenset(
    {
        is_shown,
        *MATCH,
        *(veto.allows for veto in vetoes.VETOES if veto.allows not in OF_OTHERS),
        *(proof.holds for proof in last_checks.LAST_CHECKS if Method.SCHEDULER_PAIR in proof.methods),
    }
)

POLICY = replace(ORPHANED_SCHEDULERS, warmup=0.0)
"""The servers of a test are new."""

Pids = tuple[int, int]
"""A shell and its sleep; of what has no sleep, that process twice."""


class Trouble(NamedTuple):
    """What is wrong when an orphan is to be ended; `servers` are those of the policy, () means all."""

    tools: Callable[[Fleet, Tools, Pids], Tools] = lambda _, tools, __: tools
    servers: tuple[str, ...] = ()
    warmup: float = 0.0
    protected: Protection = Protection()


def seen_late(_: Fleet, tools: Tools, __: Pids) -> Tools:
    """The listings of the last look are of another time than the look."""

    def look() -> tuple[Report, Moment]:
        report, moment = tools.look()
        return report, Moment(moment.wall, moment.monotonic - 3600)

    return replace(tools, look=look)


def seen_in_part(_: Fleet, tools: Tools, __: Pids) -> Tools:
    """Not all processes could be read in the last look."""

    def look() -> tuple[Report, Moment]:
        report, moment = tools.look()
        return replace(report, collector_success={"processes": False}), moment

    return replace(tools, look=look)


def proven_in_part(_: Fleet, tools: Tools, __: Pids) -> Tools:
    """Not all processes can be read while the two are held."""
    return replace(tools, processes=lambda targets: replace(tools.processes(targets), complete=False))


def run_by_another(_: Fleet, tools: Tools, __: Pids) -> Tools:
    """The remediator runs as another user than the two."""
    return replace(tools, uid=tools.uid + 1)


def run_below(_: Fleet, tools: Tools, pids: Pids) -> Tools:
    """The remediator runs below the shell that it is to end."""
    return replace(tools, own=lambda: frozenset({*tools.own(), pids[0]}))


def in_unit(name: str, *, shared: bool = False) -> Callable[[Fleet, Tools, Pids], Tools]:
    """systemd says that all that is asked about is in this unit, servers too where it is `shared`.

    No machine of a test has one.
    """

    def change(fleet: Fleet, tools: Tools, _: Pids) -> Tools:
        # A server that is younger than the pair, whatever tests came before.
        fleet.tmux("new-session", "-d", "cat", server=f"younger{os.urandom(4).hex()}")

        def around(
            targets: Iterable[ProcessId], servers: Iterable[ProcessId]
        ) -> dict[ProcessId, ProcessContext]:
            beside = set(servers)
            return {
                process: each._replace(unit=name if shared or process not in beside else "")
                for process, each in tools.around(targets, beside).items()
            }

        return replace(tools, around=around)

    return change


def hung(fleet: Fleet, tools: Tools, _: Pids) -> Tools:
    """The server answers nobody."""
    os.kill(fleet.server.pid, signal.SIGSTOP)
    return tools


ORPHAN = "nohup bash -c 'sleep 20000 && tmux send-keys -t frontend:0 hi Enter'"
TWO_CHILDREN = f"bash -c 'sleep 20000 & exec {ORPHAN.replace(chr(39), chr(34))}'"

LISTENING = (
    f'{sys.executable} -c \'import os, socket; s = socket.create_server(("127.0.0.1", 0)); '
    "s.set_inheritable(True); "
    'os.execlp("bash", "bash", "-c", "sleep 20000 && tmux send-keys -t frontend:0 x")'
    "'"
)

IN_TROUBLE: dict[str, tuple[Decoy, Trouble]] = {
    "of_another_server": (decoy(ORPHAN, candidates.targets_in_scope), Trouble(servers=(OTHER,))),
    "seen_late": (decoy(ORPHAN, vetoes.is_recent), Trouble(seen_late)),
    "seen_in_part": (decoy(ORPHAN, vetoes.sees_all_processes), Trouble(seen_in_part)),
    "proven_in_part": (decoy(ORPHAN, last_checks.lists_every_child), Trouble(proven_in_part)),
    "run_by_another": (decoy(ORPHAN, last_checks.are_of_this_user), Trouble(run_by_another)),
    "run_below": (decoy(ORPHAN, vetoes.is_not_above_us, last_checks.are_not_above_us), Trouble(run_below)),
    "hung":
        (decoy(ORPHAN, candidates.fits_match, vetoes.is_endable, vetoes.sees_its_servers, vetoes.is_recent),
        Trouble(hung)),
    "of_a_new_server": (decoy(ORPHAN, vetoes.is_settled), Trouble(warmup=3600.0)),
    "protected_by_name": (decoy(ORPHAN, last_checks.are_not_protected),
        Trouble(protected=Protection(comm=("sleep",)))),
    "in_a_service": (decoy(ORPHAN, last_checks.are_no_service), Trouble(in_unit("web.service"))),
    "above_a_server": (decoy(ORPHAN, last_checks.hold_no_server),
        Trouble(in_unit("tmux.service", shared=True))),
}  # fmt: skip
"""True orphans, but for this."""

SPECIAL = {
    "due_soon": decoy("nohup bash -c 'sleep 29 && tmux send-keys -t frontend:0 hi Enter'", vetoes.has_time),
    # It has sent its text and waits before it sends Enter.
    "firing":
        decoy("nohup bash -c 'sleep 0; tmux send-keys -t a:0 hi; sleep 20000; tmux send-keys -t a:0 Enter'",
        candidates.fits_match, vetoes.is_endable, last_checks.sleeps_its_first_sleep),
    "in_a_pane": decoy(ORPHAN.removeprefix("nohup "), vetoes.is_no_pane),
    # It was given a socket that listens, as a server's own restarts are.
    "listening": decoy(LISTENING, last_checks.are_out_of_reach),
    # Its socket may be another file than ours.
    "with_own_mounts": decoy(f"unshare {'-m' if os.geteuid() == 0 else '-Urm'} {ORPHAN}",
        candidates.fits_match, vetoes.is_endable, last_checks.are_at_home),
    "with_another_child": decoy(TWO_CHILDREN, is_shown, last_checks.has_only_its_sleep),
    # As the eye shows it: that one has no sleep.
    "without_its_sleep": decoy(TWO_CHILDREN, candidates.fits_match, vetoes.is_endable, vetoes.has_its_sleep,
        vetoes.has_time, last_checks.has_only_its_sleep, last_checks.sleeps_its_first_sleep, has_sleep=False),
    "tmux_server": decoy("", is_shown, vetoes.is_no_known_server, vetoes.carries_nobody,
        last_checks.are_no_tmux, last_checks.are_out_of_reach, last_checks.is_a_shell,
        last_checks.is_a_pure_scheduler, last_checks.has_only_its_sleep, last_checks.sleeps_its_first_sleep,
        has_sleep=False),
}  # fmt: skip
"""Decoys that the main job has no place for."""

TABLE: dict[str, tuple[Decoy, Trouble]] = {
    **{name: (decoy, Trouble()) for name, decoy in (*DECOYS.items(), *SPECIAL.items())},
    **IN_TROUBLE,
}


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with running_fleet() as made, pytest.MonkeyPatch.context() as patch:
        # How old the last look may be at the signal is no row of a table and has its own test.
        patch.setattr(terminate, "LOOK_AGE", 1e9)
        make_files(made.scene.base)
        made.tmux("new-session", "-d", "-s", "frontend", "cat", server=OTHER)
        yield made


@pytest.fixture
def fleet(running: Fleet) -> Iterator[Fleet]:
    yield running
    os.kill(running.server.pid, signal.SIGCONT)
    running.reset()


def start(fleet: Fleet, name: str) -> Pids:
    """The processes of a decoy."""
    decoy, _ = TABLE[name]
    if name == "in_a_pane":
        shell = fleet.in_pane(decoy.command)
        return shell, fleet.sleep_of(shell)
    if name == "tmux_server":
        server = fleet.scene.start("victim").pid
        return server, server
    shell = fleet.schedule(decoy.command, name, server=decoy.server)
    if name == "dev_server":
        wait_for(partial(listens, shell), "the dev server listens")
    if name == "firing":
        wait_for(fleet.fired, "its first keys are sent")
    return shell, fleet.sleep_of(shell) if decoy.has_sleep else shell


def as_orphan(tools: Tools, pids: Pids) -> SchedulerReport:
    """What an eye might say that takes anything for an orphaned scheduler."""
    processes = tools.processes(()).processes
    shell, sleep = (processes[pid].id for pid in pids)
    return SchedulerReport(
        server=FLEET, session="", state=SchedulerState.DANGLING, reason="no target exists",
        targets=("frontend:0",), process=shell, sleep=sleep,
        due_timestamp_seconds=tools.clock.time() + 20_000, memory_bytes=None, cpu_seconds_total=0.0,
        open_fds=None, aimed=(FLEET,), judged_at=tools.clock.monotonic(),
    )  # fmt: skip


def dated(tools: Tools) -> Tools:
    """The same tools, with an eye that calls every look one of this moment."""

    def look() -> tuple[Report, Moment]:
        report, moment = tools.look()
        schedulers = tuple(replace(each, judged_at=moment.monotonic) for each in report.schedulers)
        return replace(report, schedulers=schedulers), moment

    return replace(tools, look=look)


def deceived(tools: Tools, scheduler: SchedulerReport) -> Tools:
    """The same tools, with an eye that shows this one too."""

    def look() -> tuple[Report, Moment]:
        report, moment = tools.look()
        if any(pair_of(each) == pair_of(scheduler) for each in report.schedulers):
            return report, moment
        return replace(report, schedulers=(*report.schedulers, scheduler)), moment

    return replace(tools, look=look)


def is_ended(fleet: Fleet, name: str, pids: Pids, guards: Collection[Guard]) -> bool:
    """Whether one act with these guards alone ends it."""
    _, (change, servers, warmup, protected) = TABLE[name]
    tools = change(fleet, fleet.tools(), pids)
    scheduler = as_orphan(tools, pids)
    tools = tools if is_shown in guards else deceived(tools, scheduler)
    tools = tools if vetoes.is_recent in guards else dated(tools)
    policy = replace(POLICY, servers=servers, warmup=warmup, protected=protected)
    with pytest.MonkeyPatch.context() as patch:
        for each, careless in MATCH.items():
            if each not in guards:
                patch.setattr(objections, each.__name__, careless)
        patch.setattr(vetoes, "VETOES", tuple(each for each in vetoes.VETOES if each.allows in guards))
        patch.setattr(
            last_checks,
            "LAST_CHECKS",
            tuple(each for each in last_checks.LAST_CHECKS if each.holds in guards),
        )
        result = carried_out(pair_order(policy, scheduler), tools)
    assert result.ended is not alive(*pids), result
    return result.ended


def test_every_guard_is_in_the_table() -> None:
    assert frozenset().union(*(decoy.guards for decoy, _ in TABLE.values())) == ALL


@pytest.mark.parametrize("name", TABLE)
def test_a_decoy_lives_by_each_of_its_guards_and_by_no_other(fleet: Fleet, name: str) -> None:
    guards = TABLE[name][0].guards
    pids = start(fleet, name)
    assert not is_ended(fleet, name, pids, ALL)
    assert {guard for guard in guards if not is_ended(fleet, name, pids, {guard})} == guards
    assert is_ended(fleet, name, pids, ALL - guards)


def test_a_true_orphan_is_ended_with_all_guards_in_force(fleet: Fleet) -> None:
    assert carried_out(pair_order(POLICY, fleet.scheduler(fleet.orphan()[0])), fleet.tools()).ended


def test_without_its_mode_an_observer_ends_an_orphan(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = fleet.orphan()
    remediator = fleet.remediator(enforce=False, policy=ORPHANED_SCHEDULERS.scaled(0.0))
    fleet.live(remediator, 300)
    assert alive(*pids)
    monkeypatch.setattr(loop, "least", lambda *_: Mode.ENFORCE)
    fleet.live(remediator, 300)
    assert not alive(pids[0]) and not alive(pids[1])
