"""Both readers side by side while processes of all kinds come and go."""

import os
import threading
import time
from dataclasses import fields

import pytest

from tests.support.processes.churning import churning
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.open import open_processes
from tmux_exporter.sources.processes.process_cache import find_other_users

SECONDS = float(os.environ.get("TMUX_EXPORTER_CHURN_SECONDS", "3600"))
PER_SECOND = 30
TRIES = 3
FIELDS = tuple(each.name for each in fields(Process))

Wrong = set[tuple[int, str]]


def differences(before: ProcessTable, table: ProcessTable, after: ProcessTable) -> Wrong:
    """Every (pid, field) that stood still from before to after and is another one in the table.

    Strangers are left out: their figures and their end are late by design.
    """
    wrong: Wrong = set()
    apart = find_other_users({**table.processes, **before.processes, **after.processes}, os.getuid())
    for pid in (before.processes.keys() | table.processes.keys() | after.processes.keys()) - apart:
        first, seen, last = (each.processes.get(pid) for each in (before, table, after))
        if first is None or last is None:
            if seen is not None and first is last:
                wrong.add((pid, "invented"))
        elif seen is None:
            wrong.add((pid, "missing"))
        elif first.id == last.id:
            # A program may write a title over its arguments; who reads them once an exec keeps the first.
            titled = first.image == seen.image != 0
            # Whoever is woken is R before it has run, for long where it has to wait for a processor.
            woken = {first.state, seen.state} <= {"R", "S", "D", "I"}
            for name in FIELDS:
                if (titled and name == "argv") or (woken and name == "state"):
                    continue
                steady = getattr(first, name)
                if steady == getattr(last, name) != getattr(seen, name):
                    wrong.add((pid, name))
    return wrong


def compare(fast: FastReader, plain: ProcReader) -> tuple[Wrong, int]:
    """What is wrong, and how many processes there were.

    Some things change and change back while three readings are taken. So only those count that have not run
    meanwhile, and what is wrong must stay wrong: what the fast reader missed stays so until the next audit.
    """
    wrong, size = None, 0
    for _ in range(TRIES):
        clocks = {pid: clock_ns(pid) for pid in plain.read().processes}
        before, table, after = plain.read(), fast.read(), plain.read()
        size = len(table.processes)
        found = {
            each for each in differences(before, table, after) if clocks.get(each[0]) == clock_ns(each[0])
        }
        wrong = found if wrong is None else wrong & found
        if not wrong:
            break
    return wrong or set(), size


def clock_ns(pid: int) -> int | None:
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def run(seconds: float) -> None:
    clock = SystemClock()
    fast = open_processes("/proc", uid=os.getuid(), clock=clock)
    plain = ProcReader(uid=os.getuid(), clock=clock)
    assert isinstance(fast, FastReader)
    missed = 0
    pause = threading.Event()
    compared = 0
    with churning(PER_SECOND):
        until = clock.monotonic() + seconds
        while clock.monotonic() < until:
            missed += fast.read().missed
            wrong, size = compare(fast, plain)
            assert wrong == set()
            compared += size
            pause.wait(0.2)
    assert missed == 0
    assert compared > 10 * seconds


def test_both_readers_agree_on_a_busy_machine() -> None:
    run(3)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_both_readers_agree_over_an_hour_on_a_busy_machine() -> None:
    run(SECONDS)
