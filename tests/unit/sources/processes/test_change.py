"""The full reader on a recorded machine that changes: between two readings, and in the middle of one."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.recorded.proc import CLEAN, ROLES, Machine, reader, role


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_fixed_at_exec_is_read_once(machine: Machine) -> None:
    proc = reader(machine.root)
    before = role(proc.read(), "pane")
    machine.edit("pane", "cmdline", b"600", b"777")
    machine.edit("pane", "environ", b"%0", b"%9")
    machine.edit("pane", "status", b"1828 kB", b"9999 kB")
    after = role(proc.read(), "pane")
    assert (after.argv, after.environ, after.exe) == (before.argv, before.environ, before.exe)
    assert after.resident_bytes == 9999 * 1024
    assert role(machine.read(), "pane").argv == ("sleep", "777")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b" 140735717887673 ", b" 140735717887672 "), (b"(sleep)", b"(slope)"), (b" 156404 ", b" 156405 ")],
    ids=["arg_start", "name", "start"],
)
def test_another_program_is_read_anew(machine: Machine, old: bytes, new: bytes) -> None:
    proc = reader(machine.root)
    proc.read()
    machine.edit("pane", "cmdline", b"600", b"777")
    machine.edit("pane", "environ", b"%0", b"%9")
    machine.edit("pane", "stat", old, new)
    pane = role(proc.read(), "pane")
    assert pane.argv == ("sleep", "777")
    assert pane.environ is not None
    assert pane.environ["TMUX_PANE"] == "%9"


def test_where_arg_start_is_hidden_the_program_is_read_each_time(machine: Machine) -> None:
    machine.edit("pane", "stat", b" 140735717887673 ", b" 0 ")
    proc = reader(machine.root)
    assert role(proc.read(), "pane").argv == ("sleep", "600")
    machine.edit("pane", "cmdline", b"600", b"777")
    assert role(proc.read(), "pane").argv == ("sleep", "777")


@pytest.mark.parametrize("part", ["cmdline", "exe", "environ"])
def test_a_look_that_failed_is_repeated(machine: Machine, part: str) -> None:
    path = machine.folder("pane") / part
    path.rename(machine.root / "aside")
    proc = reader(machine.root)
    assert None in (
        role(proc.read(), "pane").argv,
        role(proc.read(), "pane").exe,
        role(proc.read(), "pane").environ,
    )
    (machine.root / "aside").rename(path)
    pane = role(proc.read(), "pane")
    assert (pane.argv, pane.exe) == (("sleep", "600"), "/usr/bin/sleep")
    assert pane.environ is not None


@contextmanager
def meanwhile(machine: Machine, *answers: tuple[Callable[[], object], bytes]) -> Iterator[None]:
    """Make the pane's `cmdline` a pipe: each time it is read, change the machine, then give an answer."""
    pipe = machine.folder("pane") / "cmdline"
    pipe.unlink()
    os.mkfifo(pipe)

    def serve() -> None:
        for change, answer in answers:
            # Opens as soon as the reader has opened its end, and so is past `stat`.
            with pipe.open("wb", buffering=0) as end:
                change()
                # The reader must see the end of this answer before the pipe opens for the next one.
                next_pipe = pipe.with_name("next")
                os.mkfifo(next_pipe)
                next_pipe.replace(pipe)
                end.write(answer)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield
    server.join(timeout=10)
    assert not server.is_alive()


def test_an_exec_in_the_middle_of_a_reading_mixes_nothing(machine: Machine) -> None:
    def execute() -> None:
        machine.edit("pane", "stat", b" 140735717887673 ", b" 140735717887672 ")
        machine.edit("pane", "environ", b"%0", b"%9")

    with meanwhile(machine, (execute, b"sleep\x00600\0"), (lambda: None, b"sleep\x00777\0")):
        table = machine.read()
    pane = role(table, "pane")
    assert pane.argv == ("sleep", "777")
    assert pane.environ is not None
    assert pane.environ["TMUX_PANE"] == "%9"


def test_a_process_that_executes_faster_than_it_is_read_stays_unknown(machine: Machine) -> None:
    def execute() -> None:
        machine.edit("pane", "stat", b" 93928108826624 ", b" 93928108826624 1")

    with meanwhile(machine, *[(execute, b"sleep\x00600\0")] * 3):
        table = machine.read()
    pane = role(table, "pane")
    assert (pane.comm, pane.argv, pane.environ, pane.resident_bytes) == ("sleep", None, None, None)
    assert (table.complete, table.unreadable) == (True, CLEAN)


def test_a_process_that_becomes_a_zombie_in_the_middle_of_a_reading_is_one(machine: Machine) -> None:
    machine.edit("pane", "io", b"write_bytes", b"wrote")
    with meanwhile(machine, (lambda: machine.edit("pane", "stat", b") S ", b") Z "), b"sleep\x00600\0")):
        table = machine.read()
    pane = role(table, "pane")
    assert (pane.state, pane.alive, pane.argv, pane.resident_bytes) == ("Z", False, None, None)
    assert (pane.unreadable, table.unreadable) == ((), CLEAN)


def test_a_process_that_ends_in_the_middle_of_a_reading_is_left_out(machine: Machine) -> None:
    stat = machine.folder("pane") / "stat"
    with meanwhile(machine, (stat.unlink, b"sleep\x00600\0")):
        table = machine.read()
    assert set(ROLES.values()) - set(table.processes) == {ROLES["pane"]}
    assert (table.complete, table.unreadable) == (True, CLEAN)


def test_what_is_known_ends_with_the_process(machine: Machine) -> None:
    proc = reader(machine.root)
    proc.read()
    folder = machine.folder("pane")
    folder.rename(machine.root / "aside")
    assert ROLES["pane"] not in proc.read().processes
    (machine.root / "aside").rename(folder)
    machine.edit("pane", "cmdline", b"600", b"777")
    assert role(proc.read(), "pane").argv == ("sleep", "777")


def test_what_is_known_outlives_a_listing_that_failed(machine: Machine) -> None:
    proc = reader(machine.root)
    proc.read()
    machine.edit("pane", "cmdline", b"600", b"777")
    machine.root.rename(machine.root.with_name("aside"))
    assert not proc.read().complete
    machine.root.with_name("aside").rename(machine.root)
    assert role(proc.read(), "pane").argv == ("sleep", "600")
