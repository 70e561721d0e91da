"""A throttle for a lease, on real processes: what it holds, what it spares, and that it ends by itself."""

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.remediator.remediation import Fleet, counted
from tests.support.wait import wait_for
from tmux_exporter.facts.cgroups import ThrottleMeans
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import (
    Action,
    ActionOutcome,
    LeaseMeans,
    Method,
    Mode,
    Refusal,
    TargetKind,
)
from tmux_exporter.remediator.act import lease_keeper, running_leases, throttle
from tmux_exporter.remediator.act.attempt import Result
from tmux_exporter.remediator.act.live_view import LiveView, process_of
from tmux_exporter.remediator.act.terminate import judge
from tmux_exporter.remediator.act.throttle import STEPS, Throttles, ThrottleStep
from tmux_exporter.remediator.decide.objections import confirmation
from tmux_exporter.remediator.decide.order import Order, Target
from tmux_exporter.remediator.policies.policy import LadderStep, Policy, TargetMatch, Throttle
from tmux_exporter.remediator.record.audit import read
from tmux_exporter.remediator.record.leases import Lease, LeaseFile
from tmux_exporter.remediator.record.replay import differences

LEASE = 3600.0


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    yield shared
    shared.reset()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_stopped(pid: int) -> bool:
    return state(pid) == "T"


def policy(argv_sha256: str, **bounds: Any) -> Policy:
    step = LadderStep(action=Action.THROTTLE, throttle=Throttle(**({"lease": LEASE, "pause": True} | bounds)))
    return Policy(
        name="planted", mode=Mode.ENFORCE, ladder=(step,), warmup=0.0, max_match_ratio=1.0,
        match=TargetMatch(kind=TargetKind.LEAKED_PROCESS, argv_sha256=(argv_sha256,), opted_in=True),
    )  # fmt: skip


def leaked(fleet: Fleet, **bounds: Any) -> tuple[int, Policy]:
    """A process whose pane is gone, and a policy that names its command line."""
    pid = fleet.scene.pid(fleet.leave_behind("sleep 20000"))
    report, _ = LiveView(fleet.config(), fleet.clock, os.environ).look()
    (leak,) = [each for each in report.leaks if each.process.pid == pid]
    return pid, policy(leak.argv_sha256, **bounds)


def ordered(named: Policy, pid: int) -> Order:
    target = Target(
        kind=TargetKind.LEAKED_PROCESS, server="", session="", processes=(process_of(pid),),
        argv_sha256=named.match.argv_sha256[0],
    )  # fmt: skip
    return Order(policy=named, target=target, method=Method.LEAKED_PROCESS, stages=(), with_below=True)


def test_a_pause_holds_for_its_lease_and_ends_with_the_remediator(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    bystander = fleet.schedule("sleep 20000", "bystander")
    remediator = fleet.remediator(enforce=True, policy=named)
    fleet.live(remediator, 1200)
    assert counted(remediator).actions == {(Action.THROTTLE, ActionOutcome.DONE): 1}
    assert counted(remediator).leases[LeaseMeans.PAUSE] == 1
    end = counted(remediator).lease_end_timestamp
    assert end is not None and 0 < end - fleet.clock.time() <= LEASE
    assert is_stopped(pid) and not is_stopped(bystander)
    remediator.close()
    wait_for(lambda: not is_stopped(pid), "it runs again")
    lines = fleet.audit.read_bytes().splitlines(keepends=True)
    assert list(differences([line.record for line in read(lines) if line.record])) == []


def test_a_throttle_that_is_refused_is_tried_again_in_the_next_cycles(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, named = leaked(fleet)
    left = [1, 2]

    def refuse(_: Throttles, __: object) -> Result | None:
        return throttle._refused(Refusal.NO_RETURN, "it cannot return") if left and left.pop() else None

    monkeypatch.setattr(throttle, "STEPS", (ThrottleStep("refuse", refuse), *STEPS))
    remediator = fleet.remediator(enforce=True, policy=named)
    for _ in range(30):
        # On a busy machine the last look may be refused as well.
        fleet.live(remediator, 300)
        if is_stopped(pid):
            break
    assert counted(remediator).actions[Action.THROTTLE, ActionOutcome.DONE] == 1
    assert counted(remediator).refusals[Refusal.NO_RETURN] == 2
    assert is_stopped(pid)
    remediator.close()
    wait_for(lambda: not is_stopped(pid), "it runs again")


NAMES = [step.name for step in STEPS]


def throttles(fleet: Fleet) -> Throttles:
    return Throttles(fleet.state, fleet.tools(), judge, boot="this")


def taken(made: Throttles, named: Policy, pid: int) -> tuple[ActionOutcome, Refusal | None, str]:
    (step,) = named.ladder
    assert step.throttle is not None
    result = made.take(ordered(named, pid), step.throttle, confirmation(named, lambda: ()))
    ((_, outcome),) = result.actions
    return outcome, result.refusal, result.detail


def killed_at(place: int, fleet: Fleet, named: Policy, pid: int) -> None:
    """Throttle it in a child of its own, which is killed before step `place`, or after all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            die = ThrottleStep("die", lambda _, __: os.kill(os.getpid(), signal.SIGKILL))
            throttle.STEPS = (*STEPS[:place], die, *STEPS[place:])  # type: ignore[assignment]
            outcome = taken(throttles(fleet), named, pid)
            assert outcome[0] is ActionOutcome.DONE, outcome
            assert is_stopped(pid)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was killed there"


def keepers() -> list[int]:
    """The keepers of leases that live; those of other checkouts are none of ours."""
    program, found = os.path.abspath(lease_keeper.__file__).encode(), []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if program in words:
            found.append(int(each.name))
    return found


def ends_when_killed_at(fleet: Fleet, place: int) -> None:
    pid, named = leaked(fleet)
    killed_at(place, fleet, named, pid)
    wait_for(lambda: not keepers(), "the keeper has seen that the remediator is gone")
    assert not is_stopped(pid)


@pytest.mark.parametrize("name", ["begin", "verify", "after_all"])
def test_killed_around_its_begin_nothing_stays_stopped(shared: Fleet, name: str) -> None:
    ends_when_killed_at(shared, [*NAMES, "after_all"].index(name))
    shared.reset()


@pytest.mark.long
@pytest.mark.parametrize("place", range(len(STEPS) + 1), ids=[*NAMES, "after_all"])
def test_killed_at_any_step_nothing_stays_stopped(shared: Fleet, place: int) -> None:
    ends_when_killed_at(shared, place)
    shared.reset()


def test_a_lease_ends_by_itself_while_the_remediator_sleeps(fleet: Fleet) -> None:
    pid, named = leaked(fleet, lease=1.0)
    made = throttles(fleet)
    assert taken(made, named, pid)[0] is ActionOutcome.DONE
    wait_for(lambda: not is_stopped(pid), "the lease is over")
    wait_for(lambda: is_noticed(made), "its keeper has ended")


def is_noticed(made: Throttles) -> bool:
    """Whether a cycle finds that no lease holds: a keeper can be waited for a moment after it has ended."""
    made.leases.follow()
    return made.leases.running == ()


def test_whatever_ends_a_lease_is_on_record_before_it_begins(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    made, seen = throttles(fleet), []
    names = [ThrottleStep("look", lambda _, __: seen.append((is_stopped(pid), fleet.act_audit.read_text())))]
    place = NAMES.index("begin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "STEPS", (*STEPS[:place], *names, *STEPS[place:]))
        assert taken(made, named, pid)[0] is ActionOutcome.DONE
    ((stopped, audit),) = seen
    (keeper,) = keepers()
    assert not stopped and f'"keeper":[{keeper},' in audit
    made.leases.close()
    assert not is_stopped(pid)


def test_a_keeper_that_is_killed_is_noticed(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    made = throttles(fleet)
    assert taken(made, named, pid)[0] is ActionOutcome.DONE
    (keeper,) = keepers()
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: keepers() == [], "it is gone")
    assert is_stopped(pid), "nobody has continued it yet"
    wait_for(lambda: is_noticed(made), "its keeper has ended")
    assert not is_stopped(pid)


def test_the_next_remediator_continues_what_both_left_stopped(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    made = throttles(fleet)
    assert taken(made, named, pid)[0] is ActionOutcome.DONE
    (keeper,) = keepers()
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: keepers() == [], "it is gone")
    # The first one is dead as well: it does nothing any more.
    throttles(fleet)
    assert not is_stopped(pid)
    made.leases.close()


def test_what_is_held_already_is_not_held_twice(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    made = throttles(fleet)
    assert taken(made, named, pid)[0] is ActionOutcome.DONE
    assert taken(made, named, pid)[:2] == (ActionOutcome.REFUSED, Refusal.BUDGET)
    made.leases.close()


def test_without_an_audit_nothing_is_stopped(fleet: Fleet) -> None:
    pid, named = leaked(fleet)
    made = throttles(fleet)
    fleet.act_audit.unlink(missing_ok=True)
    fleet.act_audit.mkdir()
    assert taken(made, named, pid)[:2] == (ActionOutcome.REFUSED, Refusal.AUDIT)
    assert not is_stopped(pid) and keepers() == []


def test_a_bound_that_this_machine_cannot_hold_is_refused(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    means = ThrottleMeans(problem="no systemd of this user runs", mend="linger")
    monkeypatch.setattr(throttle, "read_means", lambda _: means)
    pid, named = leaked(fleet, memory_high=1 << 30, pause=False)
    words = "no systemd of this user runs (mend: linger); or add pause: true"
    assert taken(throttles(fleet), named, pid) == (ActionOutcome.REFUSED, Refusal.UNAVAILABLE, words)
    observing = fleet.remediator(enforce=False, policy=named)
    fleet.live(observing, 1200)
    assert counted(observing).actions == {(Action.THROTTLE, ActionOutcome.REFUSED): 1}
    assert counted(observing).refusals[Refusal.UNAVAILABLE] == 1


def test_a_scope_that_an_earlier_remediator_began_counts_until_its_lease_is_over(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(
        policy="planted", means=LeaseMeans.SCOPE, target=ProcessId(1, 1), processes=(ProcessId(1, 1),),
        until=fleet.clock.monotonic() + 60.0, unit="x.scope", path=("no", "such", "x.scope"),
    )  # fmt: skip
    LeaseFile(fleet.state, uid=os.getuid(), boot="this").write((lease,))
    monkeypatch.setattr(running_leases, "members_at", lambda _: {1})
    made = throttles(fleet)
    assert made.leases.follow() == {"planted": 0} and made.leases.running == (lease,)
    fleet.clock.advance(61.0)
    assert is_noticed(made)
    assert LeaseFile(fleet.state, uid=os.getuid(), boot="this").read() == ()
