"""The fast reader on the live machine, beside the plain one."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.processes.odd import IDLE, MAIN_THREAD_LEFT, UNSHARES, ZOMBIE, running
from tests.support.processes.started import end_process
from tests.support.recorded.proc import OWNER, ZOO
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import Process
from tmux_exporter.sources.processes.fast_reader import FastReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.open import open_processes


def fast_reader(root: str = "/proc") -> FastReader:
    found = open_processes(root, uid=os.getuid(), clock=SystemClock())
    assert isinstance(found, FastReader)
    return found


def can_unshare() -> bool:
    command = ["unshare", "-rpf", "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def shell(script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that waits for a line before each of its deeds."""
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_does_not_run_is_the_very_same_object() -> None:
    reader = fast_reader()
    with running(IDLE) as (pid, _):
        wait_for(lambda: reader.read().processes[pid].state == "S", "it sleeps")
        seen = [reader.read().processes[pid] for _ in range(5)]
        assert all(each is seen[-1] for each in seen[2:])
        assert seen[-1] == ProcReader(uid=os.getuid(), clock=SystemClock()).read().processes[pid]


def test_who_starts_and_ends_between_readings_is_seen() -> None:
    reader = fast_reader()
    reader.read()
    with running(IDLE) as (idle, _), running(ZOMBIE) as (_, zombie), running(MAIN_THREAD_LEFT) as (left, _):
        processes = reader.read().processes
        assert (processes[idle].ppid, processes[int(zombie)].state) == (os.getpid(), "Z")
        assert processes[left].alive
    # The zombie has init for a parent now, which takes its time.
    wait_for(lambda: not reader.read().processes.keys() & {idle, int(zombie), left}, "all are gone")


def test_threads_are_no_processes() -> None:
    reader = fast_reader()
    before = set(reader.read().processes)
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    try:
        found = reader.read().processes.keys() - before
        assert found & {thread.native_id for thread in threads} == set()
    finally:
        stop.set()


def test_an_exec_of_the_same_pid_shows() -> None:
    reader = fast_reader()
    with shell("read -r line; exec sleep 600") as process:
        assert reader.read().processes[process.pid].comm == "sh"
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()

        def sleeps() -> bool:
            return reader.read().processes[process.pid].argv == ("sleep", "600")

        wait_for(sleeps, "it runs another program")


@pytest.mark.skipif(not can_unshare(), reason="this kernel lets us make no namespace of mounts")
def test_other_mounts_without_exec_show() -> None:
    reader = fast_reader()
    with running(UNSHARES) as (pid, _):
        wait_for(lambda: reader.read().processes[pid].state == "S", "it waits")
        before = reader.read().processes[pid]
        os.kill(pid, signal.SIGUSR1)
        wait_for(lambda: os.readlink(f"/proc/{pid}/ns/mnt") != mounts(before), "it has other mounts")
        after = reader.read().processes[pid]
        assert (after.image, mounts(after)) == (before.image, os.readlink(f"/proc/{pid}/ns/mnt"))


def mounts(process: Process) -> str:
    assert process.namespaces is not None
    return process.namespaces.mount


def test_a_child_whose_parent_ends_has_another_at_once() -> None:
    reader = fast_reader()
    with shell("sleep 600 & echo $!; read -r line") as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            wait_for(lambda: reader.read().processes[child].comm == "sleep", "it sleeps")
            assert reader.read().processes[child].ppid == parent.pid
            parent.kill()
            parent.wait()
            assert reader.read().processes[child].ppid != parent.pid
        finally:
            end_process(child)


@pytest.mark.skipif(not can_unshare(), reason="this kernel lets us make no namespace of pids")
def test_a_mount_of_another_namespace_is_read_in_full() -> None:
    # The child of `unshare` mounts a /proc in which we are nobody.
    with subprocess.Popen(["unshare", "-rpf", "--mount-proc", "sleep", "600"]) as outside:
        reader = ProcReader(uid=os.getuid(), clock=SystemClock())

        def inside() -> int | None:
            family = [each for each in reader.read().processes.values() if each.ppid == outside.pid]
            return next((each.id.pid for each in family if each.comm == "sleep"), None)

        child = wait_for(inside, "it sleeps in its namespace")
        try:
            found = open_processes(f"/proc/{child}/root/proc", uid=os.getuid(), clock=SystemClock())
            assert isinstance(found, ProcReader)
            assert found.read().processes.keys() == {1}
        finally:
            end_process(child)


def test_a_recorded_machine_is_read_in_full() -> None:
    assert isinstance(open_processes(str(ZOO), uid=OWNER, clock=SystemClock()), ProcReader)


def test_the_setting_turns_it_off() -> None:
    assert isinstance(open_processes("/proc", uid=os.getuid(), clock=SystemClock(), fast=False), ProcReader)
