"""The scope of a lease: where it lies, what ends it, which bounds it has; what systemd is asked for."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tmux_exporter.facts.cgroups import CgroupBounds, CgroupPlace
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.act import lease_end, lease_scope
from tmux_exporter.remediator.policies.policy import Throttle

MIB = 2**20
UID = 1000
ALICE = ("user.slice", "user-1000.slice", "user@1000.service")
PROCESS = ProcessId(788, 267_519)
PANE = CgroupPlace(path=(*ALICE, "tmux-spawn-1.scope"), owned=True)
UNIT = "tmux-remediator-788-267519-60.scope"


def scope(place: CgroupPlace = PANE) -> lease_scope.LeaseScope:
    return lease_scope.plan(place, PROCESS, UID, 60)


@pytest.mark.parametrize(
    ("path", "owned", "above", "slice", "returns"),
    [
        ((*ALICE, "tmux-spawn-1.scope"), True, ALICE, "-.slice", True),
        (
            (*ALICE, "app.slice", "app-tmux.slice", "tmux-spawn-1.scope"), True,
            (*ALICE, "app.slice", "app-tmux.slice"), "app-tmux.slice", True,
        ),
        ((*ALICE, "app.slice", "x.service", "sub"), True, ALICE, "-.slice", True),
        (("user.slice", "user-1000.slice", "session-3.scope"), False, ALICE, "-.slice", False),
        (("system.slice", "x.service"), True, ALICE, "-.slice", False),
        ((), False, ALICE, "-.slice", False),
    ],
)  # fmt: skip
def test_it_lies_in_the_slice_that_its_processes_come_from(
    path: tuple[str, ...], owned: bool, above: tuple[str, ...], slice: str, returns: bool
) -> None:
    made = scope(CgroupPlace(path=path, owned=owned))
    assert (made.path, made.slice) == ((*above, UNIT), slice)
    assert made.origin == (path if returns else None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What systemd is asked for; there is none where the tests run."""
    found: list[tuple[str, ...]] = []

    def run(command: Sequence[str], _: int) -> None:
        found.append(tuple(command))

    monkeypatch.setattr(lease_scope, "_run", run)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/usr/bin/systemctl")
    return found


def properties(command: Sequence[str]) -> dict[str, str]:
    """The properties of a StartTransientUnit: name and last word of its value."""
    words = list(command[command.index("fail") + 2 : -1])
    found = {}
    while words:
        name, kind = words[0], words[1]
        length = 3 + int(words[2]) if kind == "au" else 3
        found[name] = " ".join(words[2:length])
        words = words[length:]
    assert len(found) == int(command[command.index("fail") + 1])
    return found


def started(throttle: Throttle, asked: list[tuple[str, ...]], resident: int, **before: int) -> dict[str, str]:
    made = scope(CgroupPlace(path=PANE.path, owned=True, bounds=CgroupBounds(**before)))
    lease_scope.start_scope(made, throttle, resident, [788, 789], UID)
    return properties(asked.pop())


def test_its_bounds_leave_room_for_what_the_processes_have(asked: list[tuple[str, ...]]) -> None:
    throttle = Throttle(lease=60.0, memory_high=500 * MIB, cpu_percent=50, tasks_max=20)
    found = started(throttle, asked, 100 * MIB)
    assert (found["PIDs"], found["OOMPolicy"], found["Slice"]) == ("2 788 789", "continue", "-.slice")
    assert found["MemoryHigh"] == str(400 * MIB)
    assert (found["CPUQuotaPerSecUSec"], found["TasksMax"]) == ("500000", "20")
    assert "MemoryMax" not in found, "a kill is never caused by a throttle"
    assert started(throttle, asked, 600 * MIB)["MemoryHigh"] == str(lease_scope.LEAST_BYTES)


def test_a_lower_bound_that_held_before_holds_on(asked: list[tuple[str, ...]]) -> None:
    before = {"memory_high": 64 * MIB, "memory_max": 128 * MIB, "cpu_percent": 20, "tasks_max": 5}
    throttle = Throttle(lease=60.0, memory_high=500 * MIB, cpu_percent=50, tasks_max=20)
    found = started(throttle, asked, 0, **before)
    assert (found["MemoryHigh"], found["MemoryMax"]) == (str(64 * MIB), str(128 * MIB))
    assert (found["CPUQuotaPerSecUSec"], found["TasksMax"]) == ("200000", "5")
    assert "MemoryHigh" not in started(Throttle(lease=60.0, cpu_percent=50), asked, 0)


def test_its_timer_moves_back_and_puts_back_the_bounds_from_before(
    asked: list[tuple[str, ...]],
) -> None:
    lease_scope.start_timer(scope(), 900.0, UID)
    command = asked.pop()
    assert command[0] == "systemd-run" and "--on-active=900.000s" in command
    assert command[-2:] == tuple(
        f"/sys/fs/cgroup/{'/'.join(path)}/cgroup.procs" for path in ((*ALICE, UNIT), PANE.path)
    )
    lifted = "MemoryHigh=infinity CPUQuota= TasksMax=infinity"
    ends = f"--property=ExecStopPost=-/usr/bin/systemctl --user set-property --runtime {UNIT} "
    assert f"{ends}{lifted}" in command
    bounds = CgroupBounds(memory_high=64 * MIB, cpu_percent=20, tasks_max=5)
    login = CgroupPlace(path=("user.slice", "user-1000.slice", "session-3.scope"), bounds=bounds)
    lease_scope.start_timer(scope(login), 900.0, UID)
    command = asked.pop()
    assert command[-1] == "true", "what cannot return stays"
    assert f"{ends}MemoryHigh={64 * MIB} CPUQuota=20% TasksMax=5" in command


ASKED = Throttle(lease=60.0, memory_high=500 * MIB, cpu_percent=50, tasks_max=200, whole_pane=True)


@pytest.mark.parametrize(
    ("before", "used", "set_to", "put_back"),
    [
        (CgroupBounds(), 100 * MIB, f"MemoryHigh={500 * MIB} CPUQuota=50% TasksMax=200",
         "MemoryHigh=infinity CPUQuota= TasksMax=infinity"),
        (CgroupBounds(memory_high=2000 * MIB, cpu_percent=150, tasks_max=999), 100 * MIB,
         f"MemoryHigh={500 * MIB} CPUQuota=50% TasksMax=200",
         f"MemoryHigh={2000 * MIB} CPUQuota=150% TasksMax=999"),
        (CgroupBounds(memory_high=64 * MIB, cpu_percent=20, tasks_max=999), 100 * MIB, "TasksMax=200",
         "TasksMax=999"),
        (CgroupBounds(cpu_percent=20, tasks_max=10), 600 * MIB,
         f"MemoryHigh={600 * MIB + lease_scope.LEAST_BYTES}", "MemoryHigh=infinity"),
    ],
)  # fmt: skip
def test_of_a_whole_pane_lower_bounds_stay_and_its_own_are_put_back(
    asked: list[tuple[str, ...]], before: CgroupBounds, used: int, set_to: str, put_back: str
) -> None:
    made = lease_scope.plan_pane(replace(PANE, bounds=before), ASKED, used)
    lease_scope.start_timer(made, 900.0, UID)
    lease_scope.bound_pane(made, UID)
    timer, bound = asked
    change = "systemctl --user set-property --runtime tmux-spawn-1.scope "
    assert " ".join(bound) == change + set_to
    assert f"--property=ExecStopPost=-/usr/bin/{change}{put_back}" in timer
    assert timer[-1] == "true" and "--unit=tmux-remediator-tmux-spawn-1.scope-end" in timer


def test_the_program_at_the_end_moves_each_process_by_a_write_of_its_own(tmp_path: Path) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    lease_end.main((str(origin), str(target)))
    assert not target.exists(), "a scope that is gone has nothing to move"
    origin.write_text("788\n789\n")
    lease_end.main((str(origin), str(target)))
    assert target.read_text() == "789"
