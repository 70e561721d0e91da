"""The rollouts of Codex: those that a window holds itself, else the only one of its daemon in its folder."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.literals.spending import THREAD, head
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.spending.codex_files import CodexFiles
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Target

DAEMON = ProcessId(900, 90)
FIRST, SECOND = ProcessId(1, 11), ProcessId(2, 22)
PROJECT = "/home/ann/project"


class Machine:
    """A /proc of windows of Codex, their daemon, and what each of them holds open."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        (self.home / ".codex" / "app-server-daemon").mkdir(parents=True)
        self.files = CodexFiles(uid=os.getuid(), own={"HOME": str(self.home)}, proc_root=str(base / "proc"))

    def rollout(self, thread: str = THREAD, *, cwd: str = PROJECT, **more: Any) -> Path:
        path = self.home / ".codex" / f"rollout-{thread}.jsonl"
        path.write_bytes(head(thread=thread, cwd=cwd, **more) + b"\n")
        return path

    def process(
        self,
        process: ProcessId,
        *held: Path,
        command: Sequence[str] = ("codex",),
        cwd: str = PROJECT,
    ) -> None:
        folder = self.base / "proc" / str(process.pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "cwd").symlink_to(cwd)
        (folder / "cmdline").write_bytes(b"\0".join(each.encode() for each in command) + b"\0")
        stat = ("S", *["0"] * 18, str(process.start_ticks), *["0"] * 20)
        (folder / "stat").write_text(f"{process.pid} (co) dex) {' '.join(stat)}\n")
        for path in held:
            # The kernel shows by the bits of such a link how the file is open; an own link has all of them.
            (folder / "fd" / path.name).symlink_to(path)

    def daemon(self, *held: Path, ticks: int = DAEMON.start_ticks) -> None:
        self.process(DAEMON, *held, command=("codex", "app-server", "--listen", "unix://"))
        path = self.home / ".codex" / "app-server-daemon" / "daemon.pid"
        path.write_text(json.dumps({"pid": DAEMON.pid, "processIdentity": {"startTicks": ticks}}))

    def found(self, *windows: ProcessId, programs: Sequence[ProcessId] = ()) -> list[object]:
        """How each window's files are known with their names, or why they are not."""
        targets = [
            Target(process=each, program="codex", programs=(each, *programs), started=1000.0, fresh=True)
            for each in windows
        ]
        self.files.begin(targets)
        found: list[object] = []
        for target in targets:
            try:
                located = self.files.locate(target)
            except NotFollowedError as error:
                found.append(error.problem)
            else:
                found.append(
                    located and (located.exactness, *(Path(each.path).name for each in located.sources))
                )
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_a_window_holds_is_its_own_and_stays_so(machine: Machine) -> None:
    path = machine.rollout()
    machine.process(FIRST, path)
    assert machine.found(FIRST) == [(Exactness.EXACT, path.name)]
    (machine.base / "proc" / "1" / "fd" / path.name).unlink()
    assert machine.found(FIRST) == [(Exactness.EXACT, path.name)]


def test_ten_windows_in_one_folder_have_their_own(machine: Machine) -> None:
    windows = [ProcessId(pid, pid) for pid in range(10, 20)]
    paths = [machine.rollout(f"t{each.pid}") for each in windows]
    for window, path in zip(windows, paths, strict=True):
        machine.process(window, path)
    assert machine.found(*windows) == [(Exactness.EXACT, path.name) for path in paths]


def test_the_only_rollout_of_the_daemon_is_that_of_the_only_window_there(machine: Machine) -> None:
    path, other = machine.rollout(), machine.rollout("t2", cwd="/home/ann/other")
    machine.process(FIRST)
    machine.daemon(path, other)
    assert machine.found(FIRST) == [(Exactness.UNIQUE, path.name)]


def test_the_daemon_is_no_window_although_the_first_one_has_started_it(machine: Machine) -> None:
    paths = machine.rollout(), machine.rollout("t2")
    machine.process(FIRST)
    machine.daemon(*paths)
    assert machine.found(FIRST, programs=(DAEMON,)) == [SpendingProblem.AMBIGUOUS]


def test_two_windows_or_two_rollouts_in_a_folder_are_ambiguous(machine: Machine) -> None:
    path = machine.rollout()
    machine.process(FIRST)
    machine.process(SECOND)
    machine.daemon(path)
    assert machine.found(FIRST, SECOND) == [SpendingProblem.AMBIGUOUS] * 2


def test_its_subagents_are_counted_with_it(machine: Machine) -> None:
    path = machine.rollout()
    child = machine.rollout("t2", source={"subagent": {"thread_spawn": {"parent_thread_id": THREAD}}})
    machine.process(FIRST)
    machine.daemon(path, child)
    (found,) = machine.found(FIRST)
    assert isinstance(found, tuple) and set(found) == {Exactness.UNIQUE, path.name, child.name}


def test_without_a_rollout_nothing_is_known(machine: Machine) -> None:
    machine.process(FIRST)
    assert machine.found(FIRST) == [None]
    machine.daemon()
    assert machine.found(FIRST) == [None]


def test_a_daemon_of_before_is_not_believed(machine: Machine) -> None:
    machine.process(FIRST)
    machine.daemon(machine.rollout(), ticks=DAEMON.start_ticks - 1)
    assert machine.found(FIRST) == [None]


@pytest.mark.parametrize("content", [b"", b"{}\n", head()])
def test_a_rollout_without_a_whole_head_is_not_known_yet(machine: Machine, content: bytes) -> None:
    path = machine.rollout()
    path.write_bytes(content)
    machine.process(FIRST, path)
    assert machine.found(FIRST) == [None]
    machine.rollout()
    assert machine.found(FIRST) == [(Exactness.EXACT, path.name)]
