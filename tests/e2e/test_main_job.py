"""The main job, end to end: a scheduler loses its target, somebody is told, it is ended, and calm returns.

All of it is real: tmux servers on sockets of their own, the exporter, Prometheus and Alertmanager with our
rules and routes, `tmux-remediator`. Rules, routes and policy are made of the numbers that are shipped, times
one factor.

A remediator that enforces ends orphans of everybody who runs as this user. So the whole test lives in a pid
namespace of its own: nothing outside can be seen from there, nor signalled, whatever a fault or a mutant
makes of the remediator. Where the kernel gives no namespace the same test runs without one, but the
remediator is held twice: it is told to look at the two servers of this test only, whose names nobody else
has, and it runs behind a fence that sends no signal to a process which is not of this test.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import is_gone
from tests.support.remediator.decoys import ELSEWHERE
from tests.support.remediator.remediation import FLEET, OTHER
from tests.support.scenes.main_job import MainJob, Started, processes_of, started
from tests.support.wait import wait_for
from tmux_exporter import PROJECT
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.sources.tmux import socket_files

REPOSITORY = Path(__file__).parents[2]
POLICY = ORPHANED_SCHEDULERS.name
ALERT = "TmuxSchedulerDangling"
ORPHAN = (FLEET, "orchestrator")
"""Where a scheduler counts whose target is gone: in the session that made it."""


@pytest.mark.timeout(600)
def test_only_a_lost_scheduler_is_ended_and_forgotten(
    socket_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(socket_dir.parent / "none"))
    home = socket_dir.parent / "home"
    home.mkdir(mode=0o700)

    def work(*, alone: bool) -> None:
        with closing(MainJob(socket_dir.parent, socket_dir, home, alone=alone)) as job:
            the_main_job(job)

    if not in_namespace(lambda: work(alone=True)):
        work(alone=False)


def the_main_job(job: MainJob) -> None:
    orphan = tuple(map(started, job.type_check_in()))
    decoys = job.start_decoys()
    see_everything_armed(job)
    job.start_monitoring()

    job.fleet.tmux("kill-session", "-t", "=frontend")
    screens = job.fleet.panes()
    everything = processes_of(job.base)
    assert {each for pair in (orphan, *decoys.values()) for each in pair} <= set(everything.values())

    observe(job, orphan)
    told_once_it_fires(job)
    assert job.fleet.panes() == screens
    assert gone(everything.values()) == []

    assert job.stop_remediator() == 0
    enforce(job, orphan)
    told_once_it_is_over(job)

    assert sorted(gone(everything.values())) == sorted(orphan), "exactly this pair has ended"
    assert [name for name, pair in decoys.items() if gone(pair)] == []
    assert job.fleet.panes() == screens, "no key has arrived in any pane"
    assert job.fleet.fired() == "", "no scheduler has sent any key"
    assert job.stop_remediator() == 0
    audited(job, orphan)


def see_everything_armed(job: MainJob) -> None:
    """The page before anything is lost: each scheduler in the session that it is for."""
    job.wait_for_value(1, "tmux_schedulers", FLEET, "frontend", "armed")
    armed_beside_it(job)
    # Another shape, and those whose tmux is another program.
    job.wait_for_value(1 + len(ELSEWHERE), "tmux_schedulers", FLEET, "main", "opaque")
    job.wait_for_value(0, "tmux_schedulers", *ORPHAN, "dangling")
    assert job.value("tmux_remediator_up") is None, "none has run yet"


def armed_beside_it(job: MainJob) -> None:
    """The decoys that are schedulers with a living target, on either server."""
    job.wait_for_value(1, "tmux_schedulers", FLEET, "work", "armed")
    job.wait_for_value(2, "tmux_schedulers", OTHER, "frontend", "armed")


def observe(job: MainJob, orphan: tuple[Started, ...]) -> None:
    """It tells what it would do, does nothing, and says so on the page."""
    job.start_remediator()
    job.wait_for_value(1, "tmux_schedulers", *ORPHAN, "dangling")
    armed_beside_it(job)
    would = wait_for(lambda: told(job, "would end an orphaned scheduler"), "it tells what it would do", 20)
    shell, sleep = orphan
    assert (would[0]["shell"], would[0]["sleep"]) == (shell[0], sleep[0])
    assert (would[0]["server"], would[0]["session"]) == (FLEET, "orchestrator")
    job.wait_for_value(1, "tmux_remediator_up")
    job.wait_for_value(1, "tmux_remediator_mode", "observe")
    job.wait_for_value(0, "tmux_remediator_mode", "enforce")
    job.wait_for_value(1, "tmux_remediator_matches", POLICY)
    job.wait_for_value(1, "tmux_remediator_actions_total", "warn", "done", POLICY)
    wait_for(lambda: (actions(job, "stop", "would") or 0) >= 1, "what it would do is counted")
    for action in ("stop", "kill"):
        assert actions(job, action, "done") == 0


def enforce(job: MainJob, orphan: tuple[Started, ...]) -> None:
    """It ends the two processes, and says so on the page."""
    job.start_remediator("--enforce")
    wait_for(lambda: sorted(gone(orphan)) == sorted(orphan), "the orphan and its sleep end", 30)
    job.wait_for_value(1, "tmux_remediator_mode", "enforce")
    job.wait_for_value(1, "tmux_remediator_actions_total", "stop", "done", POLICY)
    job.wait_for_value(0, "tmux_remediator_matches", POLICY)
    job.wait_for_value(0, "tmux_remediator_blind")
    job.wait_for_value(1, "tmux_remediator_audit_healthy")
    job.wait_for_value(0, "tmux_schedulers", *ORPHAN, "dangling")
    armed_beside_it(job)
    job.wait_for_value(1, "tmux_scheduler_outcomes_total", *ORPHAN, "cancelled")
    for outcome in ("fired", "missed", "unknown"):
        assert job.value("tmux_scheduler_outcomes_total", *ORPHAN, outcome) == 0


def told_once_it_fires(job: MainJob) -> None:
    """Prometheus has found it and Alertmanager tells of it: how bad, how urgent, where, and what to do."""
    wait_for(lambda: job.alerts("firing"), "the alert fires", 30)
    receiver, alert = wait_for(lambda: job.webhook.of(ALERT, "firing", FLEET), "somebody is told", 30)[0]
    labels: dict[str, Any] = alert["labels"]
    assert receiver == "chat"
    assert (labels["severity"], labels["priority"]) == ("warning", "P3")
    assert (labels["server"], labels["session"], labels["state"]) == (*ORPHAN, "dangling")
    assert (REPOSITORY / alert["annotations"]["runbook_url"].removeprefix(f"{PROJECT}/")).is_file()
    assert "session orchestrator" in alert["annotations"]["description"]
    assert {each["labels"]["session"] for _, each in job.webhook.of(ALERT, "firing", FLEET)} == {
        "orchestrator"
    }
    assert job.webhook.of(ALERT, "resolved", FLEET) == []


def told_once_it_is_over(job: MainJob) -> None:
    """The alert ends, and whoever was told is told."""
    wait_for(lambda: not job.alerts("firing"), "the alert is over", 30)
    receiver, alert = wait_for(lambda: job.webhook.of(ALERT, "resolved", FLEET), "its end is told", 30)[0]
    assert (receiver, alert["labels"]["session"]) == ("chat", "orchestrator")


def audited(job: MainJob, orphan: tuple[Started, ...]) -> None:
    """What was done is on record, in an unbroken chain, without a word of what would have been typed."""
    status, shown = job.audit()
    assert (status, shown["faults"]) == (0, [])
    records = shown["records"]
    assert [each["enforce"] for each in records if each["kind"] == "start"] == [False, True]
    *_, intent, outcome = records
    assert (intent["kind"], outcome["kind"], outcome["of"]) == ("intent", "outcome", intent["seq"])
    assert [[pid, int(ticks)] for pid, ticks in orphan] == intent["processes"]
    assert (intent["policy"], intent["look"]["subject"]["state"]) == (POLICY, "dangling")
    assert (intent["server"], intent["session"]) == ORPHAN
    assert outcome["actions"] == [["stop", "done"]]
    assert "orchestrator check" not in job.audit_file.read_text()


def told(job: MainJob, message: str) -> list[dict[str, Any]]:
    """What the last remediator has logged under this message."""
    return [each for each in job.decisions() if each["message"] == message]


def actions(job: MainJob, action: str, outcome: str) -> float | None:
    return job.value("tmux_remediator_actions_total", action, outcome, POLICY)


def gone(processes: Iterable[Started]) -> list[Started]:
    """Those of them that do not live any more, by pid and start time."""
    return [each for each in processes if is_gone(each[0]) or started(each[0]) != each]
