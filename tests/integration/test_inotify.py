"""inotify instances of real processes, counted by what they have open."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.literals.facts import table
from tests.support.processes.started import end_process
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.sources.host.inotify import TURN, InotifyReader
from tmux_exporter.sources.processes.full_reader import ProcReader

UID = os.getuid()
LIBC = ctypes.CDLL(None, use_errno=True)


def instance() -> int:
    descriptor = LIBC.inotify_init1(os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    return int(descriptor)


class Watcher:
    """A child that has inotify instances open, as many as it is told, and other files."""

    def __init__(self) -> None:
        self._told, tell = os.pipe()
        self._heard, hear = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._watch(self._told, hear)
        self._told = tell
        os.close(hear)

    def _watch(self, told: int, hear: int) -> None:
        held: list[int] = []
        while order := os.read(told, 1):
            if order == b"+":
                held.append(instance())
            elif order == b"-":
                os.close(held.pop())
            else:
                # As many open files as before, one of them another kind.
                os.dup2(told, held[-1])
            os.write(hear, b".")
        os._exit(0)

    def tell(self, order: bytes) -> None:
        os.write(self._told, order)
        os.read(self._heard, 1)

    def close(self) -> None:
        end_process(self.pid)
        os.waitpid(self.pid, 0)
        os.close(self._told)
        os.close(self._heard)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def only(*pids: int) -> ProcessTable:
    """These processes as they are now: what else this user runs comes and goes."""
    whole = ProcReader(uid=UID, clock=SystemClock()).read()
    return replace(whole, processes={pid: whole.processes[pid] for pid in pids})


def test_instances_are_counted_while_they_are_open(watcher: Watcher) -> None:
    reader = InotifyReader(uid=UID)
    assert reader.read(only(watcher.pid)) == 0
    watcher.tell(b"+")
    watcher.tell(b"+")
    assert reader.read(only(watcher.pid)) == 2
    watcher.tell(b"-")
    assert reader.read(only(watcher.pid)) == 1
    # Gone with their process.
    assert reader.read(only(os.getpid())) == 0


def test_a_change_that_the_number_of_open_files_does_not_show_is_seen_in_turn(watcher: Watcher) -> None:
    watcher.tell(b"+")
    others = [Watcher() for _ in range(3)]
    try:
        pids = [each.pid for each in others] + [watcher.pid]
        reader = InotifyReader(uid=UID)
        assert reader.read(only(*pids)) == 1
        watcher.tell(b"=")
        assert [reader.read(only(*pids)) for _ in range(len(pids) * TURN)][-1] == 0
    finally:
        for each in others:
            each.close()


def test_a_full_reading_agrees_with_all_of_proc(watcher: Watcher) -> None:
    watcher.tell(b"+")
    found = InotifyReader(uid=UID).read(ProcReader(uid=UID, clock=SystemClock()).read())
    assert found is not None
    assert found >= 1


def test_nobody_to_be_seen_is_unknown_and_not_0() -> None:
    assert InotifyReader(uid=UID).read(table()) is None
    assert InotifyReader(uid=UID + 1).read(only(os.getpid())) is None
    half = replace(only(os.getpid()), complete=False)
    assert InotifyReader(uid=UID).read(half) is None
