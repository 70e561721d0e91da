"""Plan and apply for real: what a person has read is done, and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.support.processes.run_text import run_text
from tests.support.processes.started import is_gone
from tests.support.remediator.policies import asking, write
from tests.support.remediator.remediation import FLEET, Fleet, alive
from tests.support.wait import wait_for
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import REMEDIATOR_PLAN
from tmux_exporter.commands.views.policy import matches_view
from tmux_exporter.config import Config
from tmux_exporter.facts.remediation import Mode, Refusal
from tmux_exporter.remediator import service
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.remediator.record.plan import digest
from tmux_exporter.remediator.record.replay import differences
from tmux_exporter.sampling.state_file import boot_id

ASKING = asking("orphans", "dangling")


@pytest.fixture
def policies(fleet: Fleet) -> PolicySet:
    return service.read_policies(str(write(fleet.home, ASKING)), os.getuid(), (FLEET,))


def config(fleet: Fleet, interval: float = 0.5) -> Config:
    return replace(fleet.config(), sampling=replace(fleet.config().sampling, interval=interval))


def planned(fleet: Fleet, policies: PolicySet) -> bytes:
    return service.make_plan(config(fleet), fleet.environ, policies, lambda _: None)[0].render()


def applied(
    fleet: Fleet, policies: PolicySet, content: bytes, interval: float = 0.5
) -> list[tuple[int, bool, str]]:
    found = service.apply_plan(config(fleet, interval), fleet.environ, policies, content, digest(content))
    return [(order.target.processes[0].pid, ended, words) for order, ended, words in found]


def test_what_is_planned_is_ended_and_later_things_not(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    armed = fleet.schedule("bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'", "armed")
    content = planned(fleet, policies)
    assert [order["processes"][0][0] for order in json.loads(content)["orders"]] == [pair[0]]
    assert alive(*pair)
    later = fleet.orphan("later")
    assert applied(fleet, policies, content) == [(pair[0], True, "stop done")]
    wait_for(lambda: all(is_gone(pid) for pid in pair), "the planned pair is gone")
    assert alive(*later, armed)
    assert fleet.fired() == ""
    intent, outcome = fleet.records()
    assert (intent["plan_sha256"], outcome["of"]) == (digest(content), intent["seq"])
    ((_, ended, words),) = applied(fleet, policies, content)
    assert not ended and words.startswith("stop vanished")


def test_a_plan_is_applied_a_cycle_later_at_the_earliest(fleet: Fleet, policies: PolicySet) -> None:
    (shell, _) = fleet.orphan()
    content = planned(fleet, policies)
    assert applied(fleet, policies, content, interval=3.0) == [(shell, True, "stop done")]
    intent, _ = fleet.records()
    assert intent["at"] >= json.loads(content)["made_at"] + 3.0


def test_a_target_that_is_wanted_again_is_left_alone(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    content = planned(fleet, policies)
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")
    ((_, ended, words),) = applied(fleet, policies, content)
    assert not ended and words.startswith("stop refused: changed")
    assert alive(*pair)


def test_what_is_held_or_protected_after_its_plan_says_so(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    content = planned(fleet, policies)
    holds = Holds(fleet.state, uid=os.getuid(), boot=boot_id("/proc"))
    held = Hold(until=fleet.clock.time() + 86_400, process=process_of(pair[0]))
    holds.add(held, fleet.clock.time())
    assert applied(fleet, policies, content) == [(pair[0], False, "stop refused: held: since it was decided")]
    assert holds.release(held, fleet.clock.time())
    fleet.tmux("set-option", "-t", "main", "@protect", "on")
    ((_, ended, words),) = applied(fleet, policies, content)
    assert not ended and words.startswith("stop refused: protected")
    assert alive(*pair)
    assert list(differences(fleet.records())) == []


def test_switch_and_lock_hold_against_an_approved_plan_too(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    content = planned(fleet, policies)
    fleet.switch.touch()
    ((_, ended, words),) = applied(fleet, policies, content)
    assert not ended and words.endswith("is there; to go on: tmux-remediator on")
    fleet.switch.unlink()
    fleet.remediator(enforce=False)
    with pytest.raises(UsageError, match="which observes; end that one, apply the plan, and start it again"):
        applied(fleet, policies, content)
    assert alive(*pair)


def test_a_policy_that_only_observes_is_not_applied(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    content = planned(fleet, policies)
    (policy,) = policies.policies
    watching = PolicySet(policies=(replace(policy, mode=Mode.OBSERVE),))
    with pytest.raises(UsageError, match="not what it was when this plan was made"):
        applied(fleet, watching, content)
    assert alive(*pair)


def test_a_remediator_that_runs_keeps_the_plan_and_ends_nothing(fleet: Fleet, policies: PolicySet) -> None:
    pair = fleet.orphan()
    (policy,) = policies.policies
    remediator = fleet.remediator(enforce=True, policy=policy, servers=(FLEET,))
    path = fleet.state / REMEDIATOR_PLAN
    fleet.live(remediator, 1500)
    assert alive(*pair)
    kept: dict[str, Any] = json.loads(path.read_bytes())
    assert [order["processes"][0][0] for order in kept["orders"]] == [pair[0]]
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")
    fleet.live(remediator, 300)
    assert not path.exists()


def acts(fleet: Fleet) -> list[dict[str, Any]]:
    """The intents and their outcomes that are on record."""
    records = fleet.records() if fleet.audit.exists() else []
    return [each for each in records if each["kind"] in ("intent", "outcome")]


LISTENER = (
    "import socket, sys, time\n"
    "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
    "time.sleep(20000)\n"
)


def test_what_the_processes_themselves_speak_against_is_not_planned_and_is_told(fleet: Fleet) -> None:
    base = fleet.scene.base
    (base / "listen.py").write_text(LISTENER)
    os.symlink(os.path.realpath(sys.executable), base / "bin" / "claude")
    shutil.copy(shutil.which("bash") or "", base / "bin" / "codex")
    listening = fleet.schedule("$B/bin/claude $B/listen.py $B/socket", "listening")
    quiet = fleet.schedule("$B/bin/codex -c 'sleep 20000; :'", "quiet")
    wait_for((base / "socket").exists, "it listens", 20)
    wait_for(lambda: fleet.children(quiet), "it has a child")
    text = ASKING.replace("kind: scheduler, state: [dangling]", "kind: agent, program: [claude, codex]")
    text = text.replace("scheduler_pair", "agent_process")
    policies = service.read_policies(str(write(fleet.home, text)), os.getuid(), (FLEET,))
    config = replace(fleet.config(), sampling=replace(fleet.config().sampling, interval=0.5))
    verdict, report = service.decide_now(config, fleet.environ, policies)
    assert [order.target.processes[0].pid for order in verdict.plan] == [quiet]
    rows = matches_view(policies, verdict, report).rows
    told = {row.candidate.target.processes[0].pid: row.refusal for row in rows}
    assert told == {listening: Refusal.LISTENING_SOCKET, quiet: Refusal.APPROVAL}


def test_ctrl_c_ends_apply_after_the_act_that_has_begun(fleet: Fleet, tmp_path: Path) -> None:
    text = ASKING.replace("method: scheduler_pair,", "method: scheduler_pair, grace: 8s,")
    policies = service.read_policies(str(write(fleet.home, text)), os.getuid(), (FLEET,))
    script = "sleep 20000; tmux send-keys -t gone:0 hi"
    deaf = [
        fleet.schedule(f'sh -c \'trap "" TERM; exec bash -c "{script}"\'', f"deaf{number}")
        for number in (1, 2)
    ]
    sleeps = [fleet.sleep_of(shell) for shell in deaf]
    out = tmp_path / "plan.json"
    out.write_bytes(content := planned(fleet, policies))
    assert len(json.loads(content)["orders"]) == 2
    command = [
        *(sys.executable, "-c", "from tmux_exporter.cli import main; main.remediator()", "apply", str(out)),
        *("--sha256", digest(content), "--policy", str(fleet.home / "policies.yml"), "--server", FLEET),
    ]

    def begun() -> subprocess.Popen[str] | None:
        """An `apply` that signals; on a busy machine the last look may be too old, and it ends without."""
        process = subprocess.Popen(command, env=fleet.environ, stdout=PIPE, stderr=PIPE, text=True)
        wait_for(lambda: acts(fleet) or process.poll() is not None, "it acts or ends", 60)
        if acts(fleet):
            return process
        process.communicate()
        return None

    with wait_for(begun, "an act has begun", 90) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    intent, outcome = acts(fleet)
    ended = intent["processes"][0][0]
    assert (process.returncode, stdout) == (130, "")
    assert stderr.strip() == f"scheduler {ended}: stop survived, kill done"
    assert outcome["actions"] == [["stop", "survived"], ["kill", "done"]]
    other = deaf.index(ended) ^ 1
    assert is_gone(ended) and alive(deaf[other], sleeps[other])
    wait_for(lambda: is_gone(sleeps[other ^ 1]), "its sleep is gone")
    assert fleet.fired() == ""


def test_plan_and_apply_from_the_command_line(fleet: Fleet, tmp_path: Path) -> None:
    assert replace(ORPHANED_SCHEDULERS, servers=(FLEET,)).mode is Mode.ENFORCE
    path = write(fleet.home, ASKING)
    out = tmp_path / "plan.json"
    flags = ("--policy", str(path), "--server", FLEET)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "tmux_exporter.cli.remediator", *arguments)
        return run_text(command, env=fleet.environ)

    done = run("plan", *flags, "--interval", "300ms", "--out", str(out))
    assert (done.returncode, done.stdout) == (0, "nothing to end\n")
    assert not out.exists()
    pair = fleet.orphan()
    done = run("plan", *flags, "--interval", "300ms", "--out", str(out))
    assert done.returncode == 1, done.stderr
    assert str(pair[0]) in done.stdout
    live = run(
        "check-config", str(path), "--against-live", "--server", FLEET, "--interval", "300ms", "--json"
    )
    assert live.returncode == 0, live.stderr
    (match,) = json.loads(live.stdout)["matches"]
    assert (match["policy"], match["pid"], match["server"]) == ("orphans", str(pair[0]), FLEET)
    assert match["match"] == "yes, left alone: approval"
    told = run("explain", str(pair[1]), *flags, "--interval", "300ms", "--json")
    assert told.returncode == 0, told.stderr
    (about,) = json.loads(told.stdout)["matches"]
    assert (about["policy"], about["pid"], about["match"]) == ("orphans", str(pair[0]), match["match"])
    other = run("explain", str(os.getpid()), *flags, "--interval", "300ms")
    assert (other.returncode, other.stdout.partition(":")[0]) == (1, "no policy has to do with it")
    wrong = run("apply", str(out), "--sha256", "0" * 64, *flags)
    assert wrong.returncode == 2 and "this is another plan" in wrong.stderr
    assert alive(*pair)
    sha256 = digest(out.read_bytes())
    # On a busy machine the last look may be too old by the time of the signal; then nothing is done.
    wait_for(lambda: run("apply", str(out), "--sha256", sha256, *flags).returncode == 0, "it is applied", 90)
    wait_for(lambda: all(is_gone(pid) for pid in pair), "the planned pair is gone")
