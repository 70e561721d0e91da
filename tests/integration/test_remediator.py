"""The remediator on real servers: it ends orphans and nothing else, and no key is ever sent."""

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.run_text import run_text
from tests.support.processes.started import is_gone
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, alive, counted, stops
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.log import fields_of
from tmux_exporter.base.paths import REMEDIATOR_LOCK, REMEDIATOR_STATUS
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.schedulers import SchedulerOutcome
from tmux_exporter.remediator.act import terminate
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.act.shared_view import SharedView
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.loop import Remediator
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import LadderStep, SnapshotPart
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.remediator.record.switch import turn_off, turn_on
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sampling.state_file import boot_id

P = ORPHANED_SCHEDULERS


def mode(remediator: Remediator) -> Mode:
    """The mode in force now."""
    return remediator.mode


DECOYS = {
    "armed": "bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'",
    "armed_or": "sh -c 'sleep 20000 || tmux send-keys -t work:0 hi Enter'",
    "loop": "bash -c 'while :; do sleep 20000; tmux send-keys -t gone:0 Enter; done'",
    "elsewhere": f"bash -c 'sleep 20000 && tmux -L {OTHER} send-keys -t far:0 hi'",
    "misdirected": "bash -c 'sleep 20000 && tmux send-keys -t wor:0 hi'",
    "half": "bash -c 'sleep 20000 && tmux send-keys -t work:0 hi && tmux send-keys -t gone:0 Enter'",
    "injected": "bash -c 'sleep 20000; tmux send-keys -t gone:0 \"x;\" kill-server'",
    "variable": "bash -c 'sleep 20000 && tmux send-keys -t $T hi'",
    "for_ever": "bash -c 'sleep infinity && tmux send-keys -t gone:0 hi'",
    "sleep": "sleep 20000",
    "job": "bash -c 'sleep 20000; make deploy'",
    "quoted": "bash -c 'sleep 20000; echo tmux send-keys -t gone:0 hi'",
    "named": "bash -c 'exec -a bash sleep 20000 # && tmux send-keys -t gone:0'",
    "dev_server": "python3 -m http.server -b 127.0.0.1 0",
    "quoting": "python3 -c 'import time; time.sleep(20000)' 'sleep 20000 && tmux send-keys -t gone:0 hi'",
}


def test_observe_tells_and_signals_nothing(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tmux_exporter.remediator")
    pair = fleet.orphan()
    before = fleet.panes()
    remediator = fleet.remediator(enforce=False)
    assert mode(remediator) is Mode.OBSERVE
    fleet.live(remediator, 1500)

    assert alive(*pair)
    assert (fleet.panes(), fleet.fired()) == (before, "")
    assert counted(remediator).matches == 1
    assert counted(remediator).actions == {
        (Action.WARN, ActionOutcome.DONE): 1,
        (Action.STOP, ActionOutcome.WOULD): 2,
    }
    assert remediator.status().ended == ()
    assert fleet.records() == []
    told = [record for record in caplog.records if "would end" in record.message]
    assert len(told) == 2
    assert (fields_of(told[0])["shell"], fields_of(told[0])["sleep"]) == pair
    assert "Time for check" not in caplog.text and "gone" not in caplog.text


def test_enforce_ends_exactly_the_orphan_and_its_sleep(fleet: Fleet) -> None:
    pair = fleet.orphan()
    decoys = {name: fleet.schedule(command, name) for name, command in DECOYS.items()}
    decoys["foreign"] = fleet.schedule(
        "bash -c 'sleep 20000 && tmux send-keys -t far:0 hi'", "foreign", server=OTHER
    )
    sleeps = [fleet.sleep_of(decoys[name]) for name in ("armed", "loop", "half", "elsewhere", "job")]
    before = fleet.panes()
    remediator = fleet.remediator(enforce=True)
    assert mode(remediator) is Mode.ENFORCE

    fleet.live(remediator, P.warmup + P.hold + P.stop_after)
    wait_for(lambda: all(is_gone(pid) for pid in pair), "the orphan and its sleep are gone")
    fleet.live(remediator, 2 * P.cooldown)

    assert [name for name, pid in decoys.items() if not alive(pid)] == []
    assert alive(*sleeps, fleet.server.pid, fleet.other.pid)
    assert (fleet.panes(), fleet.fired()) == (before, "")
    assert counted(remediator).actions == {
        (Action.WARN, ActionOutcome.DONE): 1,
        (Action.STOP, ActionOutcome.DONE): 1,
    }
    assert [process.pid for process in remediator.status().ended] == [pair[0]]

    intent, outcome = fleet.records()
    look = intent["look"]
    assert (intent["kind"], *(pid for pid, _ in intent["processes"])) == ("intent", *pair)
    assert (intent["policy"], look["subject"]["state"], intent["server"]) == (P.name, "dangling", FLEET)
    assert 0 <= look["monotonic"] - look["subject"]["judged_at"] < terminate.LOOK_AGE
    assert (outcome["kind"], outcome["of"], outcome["actions"]) == (
        "outcome",
        intent["seq"],
        [["stop", "done"]],
    )
    assert "check" not in fleet.audit.read_text() and "gone" not in fleet.audit.read_text()


def about_to_end(fleet: Fleet, **more: Any) -> Remediator:
    """A remediator that has told of the orphan and will ask for its end in the next cycle."""
    remediator = fleet.remediator(enforce=True, **more)
    fleet.live(remediator, P.warmup + P.hold)
    fleet.live(remediator, P.stop_after - 5, step=P.stop_after - 5)
    assert counted(remediator).actions == {(Action.WARN, ActionOutcome.DONE): 1}
    return remediator


def test_what_somebody_holds_or_tmux_protects_is_left_alone_until_that_is_taken_back(fleet: Fleet) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)
    holds = Holds(fleet.state, uid=os.getuid(), boot=boot_id("/proc"))
    held = Hold(until=fleet.clock.time() + 86_400, process=process_of(pair[0]))
    holds.add(held, fleet.clock.time())
    fleet.live(remediator, 15, step=5)
    assert alive(*pair)
    assert counted(remediator).refusals == {Refusal.HELD: 1}
    assert holds.release(held, fleet.clock.time())
    fleet.tmux("set-option", "-t", "main", "@protect", "on")
    fleet.live(remediator, 15, step=5)
    assert alive(*pair)
    assert counted(remediator).refusals == {Refusal.HELD: 1, Refusal.PROTECTED: 1}
    fleet.tmux("set-option", "-u", "-t", "main", "@protect")
    fleet.live(remediator, 15, step=5)
    wait_for(lambda: all(is_gone(pid) for pid in pair), "the orphan and its sleep are gone")
    assert stops(remediator) == {ActionOutcome.DONE: 1}
    assert fleet.fired() == ""


@pytest.mark.parametrize("enforce", [True, False])
def test_a_snapshot_is_taken_where_the_policy_may_do_more_than_observe(fleet: Fleet, enforce: bool) -> None:
    shell, _ = fleet.orphan()
    ladder = (
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.SNAPSHOT, parts=(SnapshotPart.STATUS, SnapshotPart.FD_KINDS)),
    )
    remediator = fleet.remediator(enforce=enforce, policy=replace(P, ladder=ladder))
    fleet.live(remediator, P.warmup + P.hold + 300)
    outcome = ActionOutcome.DONE if enforce else ActionOutcome.WOULD
    actions = counted(remediator).actions
    assert actions == {(Action.WARN, ActionOutcome.DONE): 1, (Action.SNAPSHOT, outcome): 1}
    kept = [json.loads(path.read_bytes()) for path in fleet.state.glob("snapshots/*.json")]
    assert [each["process"][0] for each in kept] == ([shell] if enforce else [])
    assert alive(shell)


def test_what_is_held_before_the_signal_is_left_alone(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = fleet.orphan()
    holds = Holds(fleet.state, uid=os.getuid(), boot=boot_id("/proc"))
    look = SharedView.look

    def held_meanwhile(self: SharedView) -> tuple[Report, Moment]:
        holds.add(Hold(until=fleet.clock.time() + 60, session="main"), fleet.clock.time())
        return look(self)

    monkeypatch.setattr(SharedView, "look", held_meanwhile)
    remediator = about_to_end(fleet)
    fleet.live(remediator, 5, step=5)
    assert alive(*pair)
    assert stops(remediator) == {ActionOutcome.REFUSED: 1}
    assert counted(remediator).refusals == {Refusal.HELD: 1}


def test_a_server_that_hangs_when_it_is_time_protects_what_aims_at_it(fleet: Fleet) -> None:
    pair = fleet.orphan(script="sleep 20000; tmux send-keys -t {target} now Enter")
    remediator = about_to_end(fleet)
    os.kill(fleet.server.pid, signal.SIGSTOP)
    fleet.live(remediator, 15, step=5)
    assert alive(*pair)
    assert stops(remediator) == {}
    assert counted(remediator).refusals == {Refusal.SERVER_UNKNOWN: 1}
    assert not remediator.status().blind, "another server may still be looked after"
    os.kill(fleet.server.pid, signal.SIGCONT)
    wait_for(lambda: fleet.tmux("display-message", "-p", "up") == "up", "the server answers")
    fleet.live(remediator, 5, step=5)
    assert stops(remediator) == {ActionOutcome.DONE: 1}
    assert not alive(pair[0]) and fleet.fired() == ""


def test_a_server_that_hangs_does_not_protect_what_aims_at_another(fleet: Fleet) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)
    os.kill(fleet.other.pid, signal.SIGSTOP)
    fleet.live(remediator, 5, step=5)
    os.kill(fleet.other.pid, signal.SIGCONT)
    assert stops(remediator) == {ActionOutcome.DONE: 1}
    assert not alive(pair[0])


def test_a_target_that_comes_back_saves_its_scheduler(fleet: Fleet) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")
    fleet.live(remediator, 600)
    assert alive(*pair)
    assert counted(remediator).matches == 0
    assert stops(remediator) == {}


def test_while_the_switch_is_there_nothing_is_signalled(fleet: Fleet) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)
    assert turn_off(fleet.environ) == (fleet.switch, True)
    assert mode(remediator) is Mode.OBSERVE
    fleet.live(remediator, 5, step=5)
    assert alive(*pair)
    assert stops(remediator) == {ActionOutcome.WOULD: 1}
    assert counted(remediator).refusals[Refusal.SWITCHED_OFF] == 1
    assert fleet.records() == []
    assert turn_on(fleet.environ) == (fleet.switch, True)
    assert mode(remediator) is Mode.ENFORCE
    fleet.live(remediator, P.cooldown)
    assert stops(remediator) == {ActionOutcome.WOULD: 1, ActionOutcome.DONE: 1}
    assert not alive(pair[0])


def test_a_switch_that_leads_nowhere_is_a_switch(fleet: Fleet) -> None:
    remediator = fleet.remediator(enforce=True)
    fleet.switch.symlink_to("nowhere")
    assert mode(remediator) is Mode.OBSERVE


def test_a_policy_that_only_observes_is_not_made_to_enforce(fleet: Fleet) -> None:
    assert mode(fleet.remediator(enforce=True, policy=replace(P, mode=Mode.OBSERVE))) is Mode.OBSERVE


def test_without_an_audit_nothing_is_signalled(fleet: Fleet) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)
    assert remediator.status().audit_healthy
    # As root writes everywhere, only what is no file at all cannot be written for sure.
    fleet.audit.rename(fleet.audit.with_suffix(".1"))
    fleet.audit.mkdir()
    fleet.live(remediator, 5, step=5)
    assert alive(*pair)
    assert stops(remediator) == {ActionOutcome.REFUSED: 1}
    assert remediator.status().ended == ()
    assert counted(remediator).refusals[Refusal.AUDIT] == 1
    assert not remediator.status().audit_healthy
    fleet.audit.rmdir()
    fleet.live(remediator, P.cooldown)
    assert remediator.status().audit_healthy
    assert not alive(pair[0])


def test_a_remediator_without_an_audit_from_the_start_still_observes(fleet: Fleet) -> None:
    pair = fleet.orphan()
    fleet.audit.mkdir()
    remediator = about_to_end(fleet)
    assert not remediator.status().audit_healthy
    fleet.live(remediator, 5, step=5)
    assert alive(*pair)
    assert stops(remediator) == {ActionOutcome.REFUSED: 1}


def test_a_look_that_fails_decides_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = fleet.orphan()
    remediator = about_to_end(fleet)

    def failing(_: Sampler) -> Report:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Sampler, "sample", failing)
        fleet.live(remediator, 5, step=5)
    assert alive(*pair)
    assert remediator.status().blind
    fleet.live(remediator, 5, step=5)
    assert not remediator.status().blind
    assert not alive(pair[0])


def test_the_exporter_counts_what_was_ended_as_cancelled(fleet: Fleet) -> None:
    fleet.orphan()
    remediator = about_to_end(fleet)
    # The two see the same world in their own samples; what they share is the file.
    exporter = open_sampler(fleet.config(), fleet.clock, fleet.environ)
    before = exporter.sample()
    assert before.remediator is not None and before.remediator.up
    assert before.remediator.status is not None
    assert before.remediator.status.policies == remediator.status().policies
    (place,) = {(each.server, each.session) for each in before.schedulers if each.server == FLEET}
    assert all(before.scheduler_outcomes_total[*place, outcome] == 0 for outcome in SchedulerOutcome)
    fleet.live(remediator, 5, step=5)
    # Long after it was due: only the remediator's word tells that it was not missed.
    fleet.clock.advance(30_000)
    after = exporter.sample()
    counts = {
        outcome: after.scheduler_outcomes_total[*place, outcome]
        for outcome in SchedulerOutcome
        if after.scheduler_outcomes_total[*place, outcome]
    }
    assert counts == {SchedulerOutcome.CANCELLED: 1}


def test_who_sees_it_gone_has_been_told_by_whom(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, _ = fleet.orphan()
    look, told = SharedView.look, []

    def look_and_read(world: SharedView) -> tuple[Report, Moment]:
        told.append(json.loads((fleet.runtime / REMEDIATOR_STATUS).read_text())["ended"])
        return look(world)

    monkeypatch.setattr(SharedView, "look", look_and_read)
    fleet.live(about_to_end(fleet), 5, step=5)
    assert [[pid for pid, _ in each] for each in told] == [[shell]]


class Program:
    """`tmux-remediator run` as a user starts it, for the servers of a fleet alone."""

    def __init__(self, fleet: Fleet, *arguments: str) -> None:
        self.log = fleet.home / f"remediator{os.urandom(4).hex()}.log"
        scope = [word for name in (FLEET, OTHER) for word in ("--server", name)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tmux_exporter.cli.remediator", "run"),
                    *("--interval", "250ms", "--time-scale", "0.001", *scope, *arguments),
                ],
                stderr=log,
                env=fleet.environ,
            )

    def text(self) -> str:
        return self.log.read_text()

    def told(self, words: str) -> None:
        wait_for(lambda: words in self.text() or self.process.poll() is not None, f"it says {words}", 60)
        assert words in self.text()

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def start(fleet: Fleet) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def make(*arguments: str) -> Program:
        started.append(Program(fleet, *arguments))
        return started[-1]

    yield make
    for each in started:
        each.end()


def command(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text(
        [sys.executable, "-m", "tmux_exporter.cli.remediator", *arguments], env=fleet.environ, timeout=30
    )


def test_every_command_has_help_with_an_example_and_refuses_wrong_use(fleet: Fleet) -> None:
    listing = command(fleet, "--help").stdout
    assert "Example:" in listing
    assert all(len(line) <= 80 for line in listing.splitlines()), "a short help that does not fit"
    for name in ("run", "audit"):
        assert name in listing
        assert "Example:" in command(fleet, name, "--help").stdout
    assert "--time-scale" not in command(fleet, "run", "--help").stdout, "no flag for people"
    for wrong in (("run", "--interval", "5"), ("run", "--time-scale", "2"), ("rum",), ("audit", "--yaml")):
        refused = command(fleet, *wrong)
        assert (refused.returncode, refused.stdout) == (2, ""), refused
        assert refused.stderr
    fleet.audit.mkdir()
    unreadable = command(fleet, "audit")
    assert (unreadable.returncode, unreadable.stdout) == (3, "")
    assert unreadable.stderr.startswith(f"tmux-remediator: {fleet.audit}: ")


def test_the_program_observes_until_set_to_enforce(fleet: Fleet, start: Callable[..., Program]) -> None:
    assert command(fleet, "audit").stdout == f"nothing is on record: there is no {fleet.audit}\n"
    shell, sleep = fleet.orphan()
    observer = start()
    observer.told(
        f'msg="would end an orphaned scheduler" policy=orphaned-schedulers shell={shell} sleep={sleep}'
    )
    assert "mode=observe" in observer.text()
    assert alive(shell, sleep)

    second = start("--enforce")
    assert second.process.wait(60) == 2
    assert second.text() == (
        f"tmux-remediator: a remediator already runs: pid {observer.process.pid}, which observes; "
        "end that one first\n"
    )
    assert alive(shell, sleep)
    assert observer.end() == 0

    enforcer = start("--enforce")
    enforcer.told('msg="ended an orphaned scheduler"')
    wait_for(lambda: is_gone(shell) and is_gone(sleep), "both are gone")
    assert enforcer.end() == 0
    assert fleet.fired() == ""

    shown = command(fleet, "audit")
    assert (shown.returncode, shown.stderr) == (0, "")
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert rows[0][:2] == ["record", "time"]
    assert [row[3] for row in rows[1:]] == ["start", "start", "intent", "outcome"]
    assert [f"{shell},{sleep}", FLEET] == rows[3][5:7]
    assert rows[4][4:] == ["3", "stop", "done"]
    told = json.loads(command(fleet, "audit", "--json").stdout)
    assert [each["kind"] for each in told["records"]] == ["start", "start", "intent", "outcome"]
    assert told["faults"] == []

    fleet.audit.write_bytes(fleet.audit.read_bytes().replace(b'"done"', b'"gone"'))
    broken = command(fleet, "audit")
    assert broken.returncode == 0, "the last record has nobody behind it"
    fleet.audit.write_bytes(fleet.audit.read_bytes().replace(b'"intent"', b'"indent"'))
    broken = command(fleet, "audit")
    assert broken.returncode == 1
    assert broken.stderr == f"{fleet.audit}: line 4: it does not continue line 3\n"


def test_a_signal_ends_it_at_once_and_frees_the_lock(fleet: Fleet, start: Callable[..., Program]) -> None:
    exporter = open_sampler(fleet.config(), SystemClock(), fleet.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        program = start("--interval", "5m")
        program.told("msg=started")
        wait_for(lambda: (told := exporter.sample().remediator) and told.up, "the exporter sees it up")
        program.process.send_signal(number)
        assert program.process.wait(3) == 0
        report = exporter.sample().remediator
        assert report is not None and not report.up and report.status is not None
    with (fleet.runtime / REMEDIATOR_LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_somebody_only_looks_at_is_waited_for(fleet: Fleet) -> None:
    path = fleet.runtime / REMEDIATOR_LOCK
    path.touch(mode=0o600)
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        assert mode(fleet.remediator(enforce=False)) is Mode.OBSERVE


def test_what_is_not_read_from_proc_is_never_acted_on(fleet: Fleet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"processes\.root is not /proc"):
        fleet.remediator(enforce=True, root=str(tmp_path))
