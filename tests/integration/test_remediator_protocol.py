"""The protocol of an act, broken wherever it can break: killed, without disk, with a stranger's pid.

Whatever happens, nothing that is not meant is signalled, no key is sent, and the audit tells what is known.
"""

import os
import resource
import shutil
import signal
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import end_process, is_gone
from tests.support.remediator.ending import carried_out
from tests.support.remediator.orders import pair_order
from tests.support.remediator.orphans import with_stop
from tests.support.remediator.remediation import FLEET, Fleet, alive, running_fleet
from tests.support.wait import wait_for
from tmux_exporter.facts.remediation import Action, ActionOutcome, Refusal
from tmux_exporter.remediator.act import terminate
from tmux_exporter.remediator.act.attempt import Result, Tools
from tmux_exporter.remediator.act.terminate import STEPS, Step
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.record.audit import Audit, faults, read
from tmux_exporter.remediator.record.replay import differences

P = replace(with_stop(ORPHANED_SCHEDULERS, grace=0.5), warmup=0.0)
SEND_AT_ONCE = "sleep 20000; tmux send-keys -t {target} now Enter"
"""Types at once when its sleep ends before its shell."""

NAMES = [step.name for step in STEPS]
FIRST_SIGNAL, LAST_SIGNAL = NAMES.index("stop"), NAMES.index("end_last")


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    yield shared
    shared.reset()


def order(fleet: Fleet, shell: int) -> Order:
    return pair_order(P, fleet.scheduler(shell))


def kinds(fleet: Fleet) -> list[str]:
    """What is on record; the chain is whole, and each decision follows from its record."""
    lines = fleet.act_audit.read_bytes().splitlines(keepends=True) if fleet.act_audit.exists() else []
    assert list(faults(read(lines))) == []
    records = [line.record for line in read(lines) if line.record]
    assert list(differences(records)) == []
    return [record["kind"] for record in records]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(place: int, ordered: Order, tools: Tools) -> None:
    """Begin an act in a child of its own, which is killed before step `place`, or after all of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:

            def last_word(_: object) -> Result | None:
                die()
                return None

            steps = (*STEPS[:place], Step("die", last_word), *STEPS[place:])
            setattr(terminate, "STEPS", steps)  # noqa: B010 - the table of the package has a fixed length
            carried_out(ordered, tools)
            die()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was killed there"


def failpoint(fleet: Fleet, place: int) -> None:
    """One remediator is killed before this step; the next one finds everything in order."""
    decoy = fleet.schedule("nohup bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'", "decoy")
    shell, sleep = fleet.orphan(script=SEND_AT_ONCE)
    ordered, tools = order(fleet, shell), fleet.tools()
    killed_at(place, ordered, tools)

    signalled = place > FIRST_SIGNAL
    if signalled:
        wait_for(lambda: is_gone(shell), "the shell has had its signal")
    assert alive(shell) is not signalled
    assert alive(sleep) is (place <= LAST_SIGNAL), "its sleep is only ended when the shell is dead"
    assert alive(decoy, fleet.server.pid, fleet.other.pid)
    recorded = place > NAMES.index("record_intent")
    finished = place == len(STEPS)
    assert kinds(fleet) == (["intent", "outcome"] if finished else ["intent"] if recorded else [])

    after = Audit(fleet.act_audit, uid=os.getuid(), clock=fleet.clock)
    assert after.check()
    again = carried_out(ordered, replace(tools, audit=after))
    after.close()
    told = ["intent", "outcome" if finished else "interrupted"] if recorded else []
    if signalled:
        # Never repeated blindly: what is gone has vanished.
        assert again.actions == ((Action.STOP, ActionOutcome.VANISHED),)
    else:
        assert again.actions == ((Action.STOP, ActionOutcome.DONE),)
        assert is_gone(shell) and is_gone(sleep)
        told += ["intent", "outcome"]
    assert kinds(fleet) == told
    assert fleet.fired() == ""
    assert alive(decoy)
    if not is_gone(sleep):
        end_process(sleep)
    assert fleet.fired() == "", "a sleep that was left wakes nobody"


@pytest.mark.parametrize("name", ["record_intent", "stop", "await_stop"])
def test_killed_around_its_signal_it_leaves_everything_in_order(fleet: Fleet, name: str) -> None:
    failpoint(fleet, NAMES.index(name))


@pytest.mark.long
@pytest.mark.parametrize("place", range(len(STEPS) + 1), ids=[*NAMES, "after_all"])
def test_killed_at_any_step_it_leaves_everything_in_order(fleet: Fleet, place: int) -> None:
    failpoint(fleet, place)


class FullAt:
    """An audit on a disk that is full when the record number `number` is written, with `room` bytes left."""

    def __init__(self, audit: Audit, fleet: Fleet, number: int, room: int) -> None:
        self._audit, self._fleet, self._number, self._room = audit, fleet, number, room
        self._count = 0

    def check(self) -> bool:
        return self._audit.check()

    def record(self, kind: str, **fields: object) -> int:
        self._count += 1
        if self._count != self._number:
            return self._audit.record(kind, **fields)
        path = self._fleet.act_audit
        size = path.stat().st_size if path.exists() else 0
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + self._room, hard))
        try:
            return self._audit.record(kind, **fields)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 100])
def test_a_disk_full_at_the_intent_keeps_everything_alive(fleet: Fleet, room: int) -> None:
    shell, sleep = fleet.orphan(script=SEND_AT_ONCE)
    tools = fleet.tools()
    full = replace(tools, audit=FullAt(tools.audit, fleet, 1, room))  # type: ignore[arg-type]
    result = carried_out(order(fleet, shell), full)
    assert (result.actions, result.refusal) == (((Action.STOP, ActionOutcome.REFUSED),), Refusal.AUDIT)
    assert alive(shell, sleep)
    assert kinds(fleet) == []
    assert carried_out(order(fleet, shell), tools).ended
    assert kinds(fleet) == ["resumed", "intent", "outcome"]


@pytest.mark.parametrize("room", [0, 100])
def test_a_disk_full_at_the_outcome_leaves_the_act_marked(fleet: Fleet, room: int) -> None:
    shell, sleep = fleet.orphan(script=SEND_AT_ONCE)
    tools = fleet.tools()
    full = replace(tools, audit=FullAt(tools.audit, fleet, 2, room))  # type: ignore[arg-type]
    result = carried_out(order(fleet, shell), full)
    assert result.ended and "not on record" in result.detail
    assert is_gone(shell) and is_gone(sleep)
    assert kinds(fleet) == ["intent"]
    # The next record says that nobody knows.
    tools.audit.record("start")
    assert kinds(fleet) == ["intent", "interrupted", "start"]
    assert fleet.fired() == ""


def test_a_small_file_system_that_fills_up_is_an_error_and_then_none(fleet: Fleet) -> None:
    place = fleet.home / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        assert os.getuid() != 0, "root may mount"
        return
    audit = Audit(place / "audit.jsonl", uid=os.getuid(), clock=fleet.clock)
    tools = replace(fleet.tools(), audit=audit)
    try:
        audit.record("start")
        fill(place / "rest")
        shell, sleep = fleet.orphan(script=SEND_AT_ONCE)
        result = carried_out(order(fleet, shell), tools)
        assert (result.actions, result.refusal) == (((Action.STOP, ActionOutcome.REFUSED),), Refusal.AUDIT)
        assert alive(shell, sleep)
        (place / "rest").unlink()
        assert carried_out(order(fleet, shell), tools).ended
        lines = (place / "audit.jsonl").read_bytes().splitlines(keepends=True)
        assert list(faults(read(lines))) == []
        assert [line.record["kind"] for line in read(lines) if line.record] == ["start", "intent", "outcome"]
    finally:
        audit.close()
        subprocess.run(["umount", str(place)], check=True)


def fill(path: object) -> None:
    """Write until nothing more fits."""
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(descriptor, b"x" * 4096):
            pass
    except OSError:
        return
    finally:
        os.close(descriptor)


def test_a_stranger_with_the_pids_of_both_is_never_signalled() -> None:
    if not in_namespace(strangers):
        assert os.getuid() != 0, "root is given a pid namespace"


def strangers() -> None:
    """Between the last look and the signal both end, and others are given their pids."""
    with running_fleet() as fleet:
        pair = own_orphan(fleet)
        ordered, tools = order(fleet, pair[0]), fleet.tools()
        result = carried_out(ordered, interposed(tools, lambda: replace_all(pair)))
        assert result.actions == ((Action.STOP, ActionOutcome.VANISHED),), result
        assert alive(*pair), "the strangers live"

        # By their pids alone they would have been hit.
        victims = own_orphan(fleet)
        ordered, tools = order(fleet, victims[0]), fleet.tools()
        by_descriptor = dict(zip(("first", "last"), victims, strict=True))

        def with_pids(attempt: Any) -> Result | None:
            for name, pid in by_descriptor.items():
                held[getattr(attempt, name)] = pid
            return None

        held: dict[int, int] = {}
        place = NAMES.index("probe")
        steps = (*STEPS[:place], Step("note", with_pids), *STEPS[place:])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(terminate, "STEPS", steps)
            patch.setattr(terminate, "_send", lambda each, number: os.kill(held[each], number))
            patch.setattr(terminate, "has_ended", lambda _, seconds=0.0: bool(seconds))
            carried_out(ordered, interposed(tools, lambda: replace_all(victims)))
        wait_for(lambda: is_gone(victims[0]), "a stranger is hit")


def own_orphan(fleet: Fleet) -> tuple[int, int]:
    """A scheduler that we wait for ourselves: only then are its pids free once it has ended."""
    command = ["bash", "-c", "sleep 20000 && tmux send-keys -t gone:0 now Enter"]
    variables = {"TMUX": f"{fleet.sockets / FLEET},{fleet.server.pid},0"}
    shell = subprocess.Popen(command, env={**os.environ, **variables}).pid
    return shell, fleet.sleep_of(shell)


def interposed(tools: Tools, deed: Callable[[], None]) -> Tools:
    """The same tools, with a deed done just after the last look."""

    def look() -> object:
        seen = tools.look()
        deed()
        return seen

    return replace(tools, look=look)  # type: ignore[arg-type]


def replace_all(pids: Sequence[int]) -> None:
    """End all of them, and give their pids to strangers."""
    for pid in pids:
        end_process(pid)
        # Whoever has lost its parent is ours: we are the first process of this namespace.
        os.waitpid(pid, 0)
    for pid in pids:
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        assert subprocess.Popen(["sleep", "20000"]).pid == pid


SHELLS = ("bash", "dash", "zsh")


@pytest.mark.long
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("joiner", ["&&", ";", "||"])
def test_whatever_the_shell_and_the_operator_the_order_decides_whether_keys_are_sent(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, shell: str, joiner: str
) -> None:
    assert shutil.which(shell), f"{shell} is missing: apt-get install {shell}"
    script = f"sleep 20000 {joiner} tmux send-keys -t {{target}} now Enter"
    pid, sleep = fleet.orphan(shell=shell, script=script)
    assert carried_out(order(fleet, pid), fleet.tools()).ended
    assert is_gone(pid) and is_gone(sleep)
    assert fleet.fired() == ""

    wrong = [*NAMES[:FIRST_SIGNAL], "end_last", *NAMES[FIRST_SIGNAL:]]
    by_name = dict(STEPS)
    monkeypatch.setattr(terminate, "STEPS", tuple(Step(name, by_name[name]) for name in wrong))
    pid, _ = fleet.orphan(shell=shell, script=script)
    carried_out(order(fleet, pid), fleet.tools())
    wait_for(lambda: is_gone(pid), "it is over")
    if joiner == "&&":
        assert fleet.fired() == ""
    else:
        wait_for(lambda: "now Enter" in fleet.fired(), "in the wrong order it types")
