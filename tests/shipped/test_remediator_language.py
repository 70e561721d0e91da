"""All that the policy language accepts goes through the remediator's loop, as a process, on real targets."""

import json
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import end_process
from tests.support.remediator.cases import (
    BY_STATE,
    HUNG_PLAY,
    LATE_FAILED,
    LATE_PLAYS,
    LATE_REFUSED,
    LATE_SLOW,
    LATE_STARVED,
    LATE_VANISHED,
    LATE_WOULD,
    NO_CASE,
    PLAYS,
    REFUSED_BY_LANGUAGE,
    SLOW_PLAY,
    STARVED_PLAY,
    STOP_AND_KILL,
    UNRECORDED_PLAYS,
    By,
    Came,
    Meanwhile,
    Play,
)
from tests.support.remediator.policies import problems, read, write
from tests.support.remediator.process import RemediatorProcess, command
from tests.support.remediator.remediation import FLEET, OTHER, Fleet, running_fleet
from tests.support.remediator.stage import Stage, target_of
from tests.support.remediator.text import FILE, STEPS, policy
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.remediator.record.plan import digest
from tmux_exporter.sampling.state_file import boot_id

SCOPE = ("--server", FLEET, "--server", OTHER)


def test_every_kind_action_and_mode_has_a_case() -> None:
    """Either it is played, or check-config refuses it."""
    played = {(play.kind, action, play.mode) for play in PLAYS for action in play.actions}
    refused = {(kind, action, mode) for (kind, action), mode in product(REFUSED_BY_LANGUAGE, Mode)}
    assert not played & refused
    assert played | refused == set(product(TargetKind, Action, Mode))
    assert STEPS.keys() == set(Action)


def test_every_action_and_outcome_has_a_case() -> None:
    """Either it comes of a play, or it is said why it cannot."""
    found = {each for play in (*PLAYS, *LATE_PLAYS, *UNRECORDED_PLAYS) for each in play.came}
    excluded = {(action, outcome) for action, outcomes in NO_CASE.items() for outcome in outcomes}
    assert not found & excluded
    assert found | excluded == set(product(Action, ActionOutcome))


def test_check_config_refuses_what_is_never_played(tmp_path: Path) -> None:
    """Every mistake of one file, each at the line of its policy."""
    plays = [
        Play(
            f"{kind}-{action}-{mode}".replace("_", "-"),
            kind,
            mode,
            STOP_AND_KILL[: STOP_AND_KILL.index(action) + 1] if action in STOP_AND_KILL else (action,),
            frozenset(),
        )
        for (kind, action), mode in product(REFUSED_BY_LANGUAGE, Mode)
    ]
    narrowed = {TargetKind.SCHEDULER: "state: [dangling]", TargetKind.LEAKED_PROCESS: "leak_kind: [other]"}
    text = "".join(policy(play, narrowed.get(play.kind, "servers: [work]")) for play in plays)
    path = write(tmp_path, FILE + text)
    done = command(os.environ, "check-config", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    lines = path.read_text().splitlines()
    told = {}
    for line in done.stderr.splitlines():
        number, _, words = line.partition(f"{path}:")[2].split(":", 2)
        name = next(each for each in lines[int(number) - 1 :: -1] if "- name: " in each)
        told[name.partition("- name: ")[2]] = words.partition(": ")[2]
    assert told == {play.name: REFUSED_BY_LANGUAGE[play.kind, play.actions[-1]] for play in plays}


@pytest.mark.parametrize("state", SchedulerState)
def test_only_powerless_schedulers_are_ended_without_a_person(state: SchedulerState, tmp_path: Path) -> None:
    """Of some a person may end what no policy may, of others nobody may."""
    play = Play("ends", TargetKind.SCHEDULER, Mode.ENFORCE, (Action.STOP,), frozenset())
    for asks in (False, True):
        text = FILE + policy(replace(play, approvals=asks), f"state: [{state}]")
        by = BY_STATE[state]
        if by is By.ITSELF or (by is By.PERSON and asks):
            assert read(tmp_path, text).policies
        else:
            words = "only a person ends" if by is By.PERSON else "is never ended"
            assert words in problems(tmp_path, text)[0]


def test_every_case_has_its_outcome() -> None:
    """Enforced, then applied from the plan that is kept, then interrupted."""
    alone(_plays)


def _plays() -> None:
    # On a busy machine the other server may be listed, and its pane warned, cycles before the rest is seen.
    for _ in range(3):
        with suppress(_TooEarlyError):
            return _one_staging()
    raise AssertionError("three times the pane of the hung server was warned before it hung")


def _one_staging() -> None:
    with staged(PLAYS) as stage:
        with running(stage) as remediator:
            _change_targets(stage, remediator)
            with starving(remediator, PLAYS[-1]):
                os.kill(stage.fleet.other.pid, signal.SIGCONT)
            _await_outcomes(remediator, PLAYS)
            wanted = {play.name for play in PLAYS if play.applied}
            remediator.wait(lambda: _planned(remediator) == wanted, "the plan is what waits for a person")
        _apply(stage)
        _interrupt(stage)


class _TooEarlyError(Exception):
    """What was to fail was done before the scene was set."""


@pytest.mark.long
def test_a_kill_that_comes_long_after_its_stop_has_each_outcome() -> None:
    """It is decided anew: the switch, the last look, a full disk and a lack of descriptors speak then too."""
    alone(_late_plays)


def _late_plays() -> None:
    with staged(LATE_PLAYS) as stage, running(stage) as remediator:
        stops = {play.name for play in LATE_PLAYS}
        remediator.wait(
            lambda: {n for n, each in remediator.policies().items() if each.actions} == stops, "stops"
        )
        stage.fleet.switch.touch()
        remediator.wait(lambda: not _differences(remediator, (LATE_WOULD,)), "the switch is heeded")
        stage.fleet.switch.unlink()
        remediator.wait(
            lambda: len(remediator.audit(LATE_SLOW.name, "intent")) > 1, "the slow kill has begun"
        )
        end_process(stage.pids[LATE_VANISHED.name])
        with unwritable(stage.fleet):
            remediator.wait(
                lambda: _is_told(remediator, LATE_REFUSED), "it tells that nothing can be recorded"
            )
        remediator.wait(lambda: len(remediator.audit(LATE_STARVED.name, "intent")) > 1, "the next has begun")
        with starving(remediator, LATE_FAILED):
            pass
        _await_outcomes(remediator, LATE_PLAYS)


@pytest.mark.long
def test_without_an_audit_each_step_is_refused() -> None:
    """Whoever cannot record, does nothing."""
    alone(_unrecorded_plays)


def _unrecorded_plays() -> None:
    with staged(UNRECORDED_PLAYS) as stage, unwritable(stage.fleet), running(stage) as remediator:
        _await_outcomes(remediator, UNRECORDED_PLAYS)


def alone(plays: Callable[[], None]) -> None:
    """In a pid namespace, so that nothing of anybody else is even seen; without one on our servers alone."""
    if not in_namespace(plays):
        plays()


@contextmanager
def staged(plays: Sequence[Play]) -> Iterator[Stage]:
    """The targets; in the end the audit is whole, and no key was sent."""
    with running_fleet() as fleet:
        stage = Stage(fleet, plays)
        stage.plant()
        yield stage
        for look in ("--verify", "--replay"):
            done = command(fleet.environ, "audit", look)
            assert (done.returncode, done.stderr) == (0, ""), done
        assert fleet.fired() == ""


@contextmanager
def running(stage: Stage, text: str | None = None) -> Iterator[RemediatorProcess]:
    """A remediator with the policies of all plays."""
    fleet = stage.fleet
    path = str(write(fleet.home, stage.file() if text is None else text))
    flags = ("--enforce", "--interval", "250ms", "--policy", path, *SCOPE)
    remediator = RemediatorProcess(fleet.environ, fleet.home / "log", *flags)
    try:
        yield remediator
    finally:
        status = remediator.end()
    assert status == 0, remediator.text()


@contextmanager
def unwritable(fleet: Fleet) -> Iterator[None]:
    """No audit can be written; as root writes everywhere, only what is no file at all is safe from that."""
    kept = fleet.audit.with_suffix(".kept")
    if fleet.audit.exists():
        fleet.audit.rename(kept)
    fleet.audit.mkdir()
    yield
    fleet.audit.rmdir()
    if kept.exists():
        kept.rename(fleet.audit)


@contextmanager
def starving(remediator: RemediatorProcess, until: Play) -> Iterator[None]:
    """The remediator can open nothing more, until it has told that it could not end this."""
    pid = remediator.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
        remediator.wait(lambda: _is_told(remediator, until), "it tells what it could not do")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def _is_told(remediator: RemediatorProcess, play: Play) -> bool:
    last = play.actions[-1]
    return any(
        f"{last}=" in each.get("actions", "") and each["policy"] == play.name for each in remediator.log()
    )


def _await_outcomes(remediator: RemediatorProcess, plays: Sequence[Play]) -> None:
    """Every play has all of its outcomes; none comes later that is another one."""
    try:
        remediator.wait(lambda: not _differences(remediator, plays), "each play has its outcomes", 30.0)
    except AssertionError as error:
        raise AssertionError(f"{_differences(remediator, plays)}\n{error}") from None
    cycle = remediator.cycles()
    remediator.wait(lambda: remediator.cycles() > cycle, "one more cycle")
    assert _differences(remediator, plays) == {}


def _differences(remediator: RemediatorProcess, plays: Sequence[Play]) -> Mapping[str, object]:
    """What came of each play that is not as its case says."""
    policies, messages = remediator.policies(), _messages(remediator)
    found: dict[str, object] = {}
    for play in plays:
        status = policies.get(play.name)
        came: Came = frozenset(status.actions if status else ()) | messages.get(play.name, frozenset())
        refusals = frozenset(status.refusals if status else ())
        if (came, refusals) != (play.came, play.refusals):
            found[play.name] = f"{_words(came)}, {sorted(refusals)}, wanted {_words(play.came)}"
    return found


def _words(came: Came) -> str:
    return " ".join(sorted(f"{action}={outcome}" for action, outcome in came))


def _messages(remediator: RemediatorProcess) -> Mapping[str, Came]:
    """What came of the messages to panes: of these only the log tells."""
    found: dict[str, Came] = {}
    for line in remediator.log():
        if "pane_message" in line:
            outcome = ActionOutcome(line["pane_message"].partition(":")[0])
            found[line["policy"]] = found.get(line["policy"], frozenset()) | {(Action.WARN, outcome)}
    return found


def _planned(remediator: RemediatorProcess) -> set[str]:
    return {each["policy"] for each in json.loads(remediator.plan.read_bytes())["orders"]}


def _change_targets(stage: Stage, remediator: RemediatorProcess) -> None:
    """While one act waits, what is due after it in the same cycle ends, comes back, or hangs."""
    remediator.wait(lambda: remediator.audit(SLOW_PLAY.name, "intent"), "the slow act has begun")
    if _messages(remediator).get(HUNG_PLAY.name):
        raise _TooEarlyError
    os.kill(stage.fleet.other.pid, signal.SIGSTOP)
    for play in stage.plays:
        if play.mode is Mode.ENFORCE and play.meanwhile is Meanwhile.ENDS:
            # A pane whose process has ended may stay.
            if play.kind is TargetKind.PANE:
                stage.fleet.tmux("kill-session", "-t", f"={play.name}")
            else:
                end_process(stage.pids[play.name])
        elif play.meanwhile is Meanwhile.RETURNS:
            stage.fleet.tmux("new-session", "-d", "-s", target_of(play.name), "sleep 3600")
    remediator.wait(lambda: remediator.audit(STARVED_PLAY.name, "intent"), "the next slow act has begun")


def _apply(stage: Stage) -> None:
    """The plan that the remediator has kept, after two of its targets have changed."""
    fleet = stage.fleet
    plan = fleet.state / "remediator-plan.json"
    holds, now = Holds(fleet.state, uid=os.getuid(), boot=boot_id("/proc")), fleet.clock.time()
    for play in stage.plays:
        if play.meanwhile is Meanwhile.HELD:
            holds.add(Hold(until=now + 3600, process=process_of(stage.pids[play.name])), now)
        elif play.mode is Mode.RECOMMEND and play.meanwhile is Meanwhile.ENDS:
            end_process(stage.pids[play.name])
    flags = ("--sha256", digest(plan.read_bytes()), "--policy", str(fleet.home / "policies.yml"), *SCOPE)
    done = command(fleet.environ, "apply", str(plan), *flags, "--json")
    assert done.returncode == 1, done.stderr
    told = {each["policy"]: each["outcome"].partition(":")[0] for each in json.loads(done.stdout)["results"]}
    assert told == {play.name: play.applied for play in stage.plays if play.applied}


def _interrupt(stage: Stage) -> None:
    """A remediator that is killed between signal and outcome; the next one says so and goes on."""
    # Another policy than the one before: the cooldown of that would go on.
    file = FILE.replace("cooldown: 1h", "cooldown: 2h")
    audit, text = stage.fleet.audit, file + policy(SLOW_PLAY, stage.match(SLOW_PLAY))
    before = len(audit.read_bytes().splitlines())
    with pytest.raises(AssertionError), running(stage, text) as first:
        first.wait(lambda: len(first.audit(SLOW_PLAY.name, "intent")) > 1, "the act has begun")
        first.process.kill()
    with running(stage, text) as second:
        second.wait(lambda: len(second.audit(SLOW_PLAY.name, "intent")) > 2, "it goes on")
    records = [json.loads(line) for line in audit.read_bytes().splitlines()[before:]]
    assert [each["kind"] for each in records] == [
        "start", "intent", "interrupted", "start", "intent", "outcome",
    ]  # fmt: skip
    assert records[2]["of"] == records[1]["seq"]
