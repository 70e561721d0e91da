"""One act on real processes: what ends, in which order, and when nothing is signalled."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.processes.started import end_process
from tests.support.remediator.ending import carried_out
from tests.support.remediator.orders import pair_order
from tests.support.remediator.orphans import with_stop
from tests.support.remediator.remediation import FLEET, Fleet, alive, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Refusal
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.remediator.act import terminate
from tmux_exporter.remediator.act.attempt import Result, Tools
from tmux_exporter.remediator.act.terminate import STEPS
from tmux_exporter.remediator.decide import last_checks, objections, vetoes
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Policy
from tmux_exporter.remediator.record.audit import faults, read
from tmux_exporter.remediator.record.replay import differences

P = replace(with_stop(ORPHANED_SCHEDULERS, grace=0.3), warmup=0.0)


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    """The servers of this module; what a test starts in them ends with it."""
    yield shared
    shared.reset()


@pytest.fixture
def own_fleet() -> Iterator[Fleet]:
    """Servers that a test may harm."""
    with running_fleet() as made:
        yield made


def script(joiner: str) -> str:
    return f"sleep 20000 {joiner} tmux send-keys -t {{target}} now Enter"


def end_pair(policy: Policy, scheduler: SchedulerReport, tools: Tools) -> Result:
    """End a scheduler as a policy orders it."""
    return carried_out(pair_order(policy, scheduler), tools)


def kinds(fleet: Fleet) -> list[str]:
    """What the audit of an act holds."""
    path = fleet.act_audit
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    assert list(faults(read(lines))) == []
    records = [line.record for line in read(lines) if line.record]
    assert list(differences(records)) == [], "each decision follows from its record"
    found = [str(record["kind"]) for record in records]
    return [each for each in found if each != "refusal"]


def refused(result: Result, reason: Refusal) -> bool:
    return (result.actions, result.refusal, result.ended) == (
        ((Action.STOP, ActionOutcome.REFUSED),),
        reason,
        False,
    )


VANISHED = ((Action.STOP, ActionOutcome.VANISHED),)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_whatever_the_shell_and_the_operator_no_key_is_sent(fleet: Fleet, shell: str) -> None:
    for joiner in ("&&", ";", "||"):
        pair = fleet.orphan(shell=shell, script=script(joiner))
        result = end_pair(P, fleet.scheduler(pair[0]), fleet.tools())
        assert result == Result(actions=((Action.STOP, ActionOutcome.DONE),)), joiner
        assert not alive(pair[0]) and not alive(pair[1])
        assert kinds(fleet) == ["intent", "outcome"]
    assert fleet.fired() == ""


def test_in_the_wrong_order_the_witness_sees_keys(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, _ = fleet.orphan(script=script(";"))
    names = [step.name for step in STEPS]
    by_name = dict(STEPS)
    first = names.index("stop")
    wrong = [*names[:first], "end_last", *names[first:]]
    monkeypatch.setattr(terminate, "STEPS", tuple(terminate.Step(name, by_name[name]) for name in wrong))
    end_pair(P, fleet.scheduler(shell), fleet.tools())
    wait_for(lambda: "send-keys -t gone:0 now Enter" in fleet.fired(), "the scheduler fires")


def test_a_shell_that_ignores_term_is_killed_and_its_sleep_after_it(fleet: Fleet) -> None:
    shell = fleet.schedule(
        f'sh -c \'trap "" TERM; exec bash -c "{script(";").format(target="gone:0")}"\'', "deaf"
    )
    sleep = fleet.sleep_of(shell)
    result = end_pair(P, fleet.scheduler(shell), fleet.tools())
    assert result == Result(
        actions=((Action.STOP, ActionOutcome.SURVIVED), (Action.KILL, ActionOutcome.DONE))
    )
    assert result.ended
    assert not alive(shell) and not alive(sleep)
    assert fleet.fired() == ""
    assert kinds(fleet) == ["intent", "outcome"]


def test_a_stopped_shell_is_killed_too(fleet: Fleet) -> None:
    shell, sleep = fleet.orphan(script=script(";"))
    os.kill(shell, signal.SIGSTOP)
    result = end_pair(P, fleet.scheduler(shell), fleet.tools())
    assert result.actions == ((Action.STOP, ActionOutcome.SURVIVED), (Action.KILL, ActionOutcome.DONE))
    assert not alive(shell) and not alive(sleep)
    assert fleet.fired() == ""


def test_the_sleep_of_an_endless_shell_is_kept(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = fleet.orphan(script=script(";"))
    # Of a process that the kernel holds no signal is seen to have an effect; none can be made here at will.
    sent: list[int] = []
    monkeypatch.setattr(terminate, "_send", lambda _, number: sent.append(number))
    policy = replace(with_stop(P, grace=0.0), gone_within=0.0)
    result = end_pair(policy, fleet.scheduler(pair[0]), fleet.tools())
    assert sent == [0, 0, signal.SIGTERM, signal.SIGKILL]
    assert result.actions == ((Action.STOP, ActionOutcome.SURVIVED), (Action.KILL, ActionOutcome.SURVIVED))
    assert not result.ended and "left alone" in result.detail
    assert kinds(fleet) == ["intent", "outcome"]


def interposed(tools: Tools, where: str, deed: Callable[[], object], *, after: bool = False) -> Tools:
    """The same tools, with something that happens just before one of them is used, or just after."""
    tool = getattr(tools, where)

    def with_deed(*arguments: object) -> Any:
        if not after:
            deed()
        result = tool(*arguments)
        if after:
            deed()
        return result

    changed: dict[str, Any] = {where: with_deed}
    return replace(tools, **changed)


@pytest.mark.parametrize("which", [0, 1])
def test_one_that_ends_meanwhile_is_left_alone(fleet: Fleet, which: int) -> None:
    for where, after in (("processes", False), ("processes", True), ("look", False), ("look", True)):
        # With && a sleep that is ended sends nothing, so whether its shell was signalled would show.
        pair = fleet.orphan()
        tools = interposed(fleet.tools(), where, lambda pair=pair: end_process(pair[which]), after=after)  # type: ignore[misc]
        result = end_pair(P, fleet.scheduler(pair[0]), tools)
        late = where == "look" and after
        assert (
            result.actions == VANISHED if late or where == "processes" else refused(result, Refusal.CHANGED)
        )
        assert not result.ended
        assert which == 1 or alive(pair[1]), "nothing was signalled"
        assert kinds(fleet) == (["intent", "outcome"] if late else [])
    assert fleet.fired() == ""


@pytest.mark.parametrize("which", [0, 1])
def test_one_that_ended_before_is_left_alone(fleet: Fleet, which: int) -> None:
    pair = fleet.orphan()
    scheduler = fleet.scheduler(pair[0])
    end_process(pair[which])
    assert end_pair(P, scheduler, fleet.tools()).actions == VANISHED
    assert kinds(fleet) == []


def test_a_scheduler_whose_pid_is_another_process_is_left_alone(fleet: Fleet) -> None:
    pair = fleet.orphan()
    scheduler = fleet.scheduler(pair[0])
    stale = replace(scheduler, process=ProcessId(pair[0], scheduler.process.start_ticks - 1))
    assert end_pair(P, stale, fleet.tools()).actions == VANISHED
    assert alive(*pair)
    assert kinds(fleet) == []


def stop_server(fleet: Fleet) -> None:
    os.kill(fleet.server.pid, signal.SIGSTOP)


def make_target(fleet: Fleet) -> None:
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")


def kill_server(fleet: Fleet) -> None:
    end_process(fleet.server.pid)


def delete_socket(fleet: Fleet) -> None:
    (fleet.sockets / FLEET).unlink()


def deny(fleet: Fleet) -> None:
    fleet.sockets.chmod(0o777)


def restart_server(fleet: Fleet) -> None:
    end_process(fleet.server.pid)
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")


@pytest.mark.parametrize(
    "trouble", [stop_server, make_target, kill_server, restart_server, delete_socket, deny]
)
def test_an_open_question_leaves_it_alone(own_fleet: Fleet, trouble: Callable[[Fleet], None]) -> None:
    pairs = [own_fleet.orphan(script=script(joiner)) for joiner in ("&&", ";")]
    schedulers = [own_fleet.scheduler(shell) for shell, _ in pairs]
    tools = interposed(own_fleet.tools(), "look", once(lambda: trouble(own_fleet)))
    for scheduler, pair in zip(schedulers, pairs, strict=True):
        assert refused(end_pair(P, scheduler, tools), Refusal.CHANGED)
        assert alive(*pair)
    assert kinds(own_fleet) == []
    assert own_fleet.fired() == ""


def once(deed: Callable[[], object]) -> Callable[[], None]:
    """A deed that is done the first time only."""
    done: list[object] = []

    def maybe() -> None:
        if not done:
            done.append(deed())

    return maybe


def test_a_look_that_got_old_while_the_disk_was_slow_signals_nothing(fleet: Fleet) -> None:
    pair = fleet.orphan()
    tools = fleet.tools()

    class Slow:
        check = tools.audit.check

        def record(self, kind: str, **fields: object) -> int:
            fleet.clock.advance(terminate.LOOK_AGE if kind == "intent" else 0.0)
            return tools.audit.record(kind, **fields)

    result = end_pair(P, fleet.scheduler(pair[0]), replace(tools, audit=Slow()))  # type: ignore[arg-type]
    assert refused(result, Refusal.STALE)
    assert alive(*pair)
    assert kinds(fleet) == ["intent", "outcome"]


def test_what_the_policy_is_not_for_is_left_alone(fleet: Fleet) -> None:
    pair = fleet.orphan()
    scoped = replace(P, servers=("another",))
    assert refused(end_pair(scoped, fleet.scheduler(pair[0]), fleet.tools()), Refusal.CHANGED)
    assert alive(*pair)


def late(tools: Tools, looks: int) -> Tools:
    """The same tools, whose first looks are too old by the time that they are there."""
    taken: list[Moment] = []

    def look() -> tuple[Report, Moment]:
        report, moment = tools.look()
        taken.append(moment)
        shift = terminate.LOOK_AGE if len(taken) <= looks else 0.0
        return report, Moment(moment.wall + shift, moment.monotonic + shift)

    return replace(tools, look=look)


def test_a_look_that_took_long_is_taken_again_but_not_for_ever(fleet: Fleet) -> None:
    pair = fleet.orphan()
    scheduler = fleet.scheduler(pair[0])
    assert refused(end_pair(P, scheduler, late(fleet.tools(), 3)), Refusal.STALE)
    assert alive(*pair)
    assert end_pair(P, scheduler, late(fleet.tools(), 2)).ended
    assert kinds(fleet) == ["intent", "outcome"]


def test_processes_that_were_read_long_before_the_look_are_not_signalled(fleet: Fleet) -> None:
    pair = fleet.orphan()
    tools = interposed(fleet.tools(), "look", lambda: fleet.clock.advance(terminate.EVIDENCE_AGE))
    assert refused(end_pair(P, fleet.scheduler(pair[0]), tools), Refusal.STALE)
    assert alive(*pair)
    assert kinds(fleet) == ["intent", "outcome"]


def test_without_an_audit_nothing_is_signalled(fleet: Fleet) -> None:
    pair = fleet.orphan()
    tools = fleet.tools()
    fleet.act_audit.mkdir()
    assert refused(end_pair(P, fleet.scheduler(pair[0]), tools), Refusal.AUDIT)
    assert alive(*pair)


def test_our_own_mistake_leaves_an_outcome(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = fleet.orphan()

    def broken(_: object) -> Result | None:
        raise ZeroDivisionError

    names = [step.name for step in STEPS]
    steps = [terminate.Step("stop", broken) if step.name == "stop" else step for step in STEPS]
    monkeypatch.setattr(terminate, "STEPS", tuple(steps))
    with pytest.raises(ZeroDivisionError):
        end_pair(P, fleet.scheduler(pair[0]), fleet.tools())
    assert "record_intent" in names[: names.index("stop")]
    assert kinds(fleet) == ["intent", "outcome"]
    assert alive(*pair)


def test_descriptors_are_given_back(fleet: Fleet) -> None:
    scheduler, tools = fleet.scheduler(fleet.orphan()[0]), fleet.tools()
    tools.audit.record("start")
    before = os.listdir("/proc/self/fd")
    end_pair(P, scheduler, tools)
    end_pair(P, scheduler, tools)
    assert os.listdir("/proc/self/fd") == before


def test_without_descriptors_left_nothing_is_signalled(fleet: Fleet) -> None:
    pair = fleet.orphan()
    scheduler, tools = fleet.scheduler(pair[0]), fleet.tools()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        result = end_pair(P, scheduler, tools)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.actions == ((Action.STOP, ActionOutcome.FAILED),)
    assert alive(*pair)


ARMED = "bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'"
LOOP = "bash -c 'while :; do sleep 20000; tmux send-keys -t gone:0 Enter; done'"
TWO = "bash -c 'sleep 20000 && tmux send-keys -t work:0 hi && tmux send-keys -t gone:0 Enter'"


@pytest.mark.parametrize("command", [ARMED, TWO])
def test_without_its_guard_a_decoy_ends(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    shell = fleet.schedule(command, "decoy")
    fleet.sleep_of(shell)
    scheduler, tools = fleet.scheduler(shell), fleet.tools()
    assert refused(end_pair(P, scheduler, tools), Refusal.CHANGED)
    assert alive(shell)
    monkeypatch.setattr(objections, "fits_match", lambda *_: True)
    assert refused(end_pair(P, scheduler, tools), Refusal.STATE)
    kept = tuple(each for each in vetoes.VETOES if each.allows is not vetoes.is_endable)
    monkeypatch.setattr(vetoes, "VETOES", kept)
    assert end_pair(P, scheduler, tools).ended
    assert not alive(shell)


def test_an_opaque_decoy_has_two_guards(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = fleet.schedule(LOOP, "loop")
    fleet.sleep_of(shell)
    scheduler, tools = fleet.scheduler(shell), fleet.tools()
    assert refused(end_pair(P, scheduler, tools), Refusal.EVIDENCE)
    kept = tuple(
        each for each in last_checks.LAST_CHECKS if each.holds is not last_checks.is_a_pure_scheduler
    )
    monkeypatch.setattr(last_checks, "LAST_CHECKS", kept)
    assert refused(end_pair(P, scheduler, tools), Refusal.CHANGED)
    monkeypatch.setattr(objections, "fits_match", lambda *_: True)
    assert refused(end_pair(P, scheduler, tools), Refusal.SERVER_UNKNOWN)
    assert alive(shell)


def test_the_audit_holds_no_word_of_what_was_ended(fleet: Fleet) -> None:
    shell, _ = fleet.orphan()
    assert end_pair(P, fleet.scheduler(shell), fleet.tools()).ended
    text = fleet.act_audit.read_text()
    for word in ("check", "note.txt", "gone", "send-keys", "sleep 20000", "bash"):
        assert word not in text


def test_the_table_is_the_protocol() -> None:
    assert [step.name for step in STEPS] == [
        "check_stages", "open_first", "open_last", "open_below", "read_evidence", "probe", "judge",
        "look_again", "record_intent", "stop", "await_stop", "kill", "end_last", "end_below", "verify",
    ]  # fmt: skip
