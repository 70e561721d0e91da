"""How many processes and threads a user may have, by recorded limits and cgroups."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.literals.facts import UID, process, table
from tmux_exporter.facts.ledgers import PidCount, fullest
from tmux_exporter.facts.tmux import SERVER_COMM
from tmux_exporter.sources.host.user_pids import UserPidReader, parse_process_limit

LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units
Max stack size            8388608              unlimited            bytes
Max processes             %s               95994                processes
Max open files            1024                 1048576              files
"""
TMUX = process(7, comm=SERVER_COMM, threads=2)
SECOND = process(8, comm=SERVER_COMM)
TABLE = table(
    process(1, uid=0), TMUX, SECOND, process(9, threads=5, state="Z"), process(10, uid=0, threads=9)
)
STAT = "7 (tmux: server) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0" + " 0" * 28


class Machine:
    def __init__(self, root: Path) -> None:
        self._root = root
        for each, limit in ((TMUX, b"8000 "), (SECOND, b"70000")):
            self.write(f"proc/{each.id.pid}/stat", STAT.format(start=each.id.start_ticks).encode())
            self.write(f"proc/{each.id.pid}/limits", LIMITS % limit)
            self.write(f"proc/{each.id.pid}/cgroup", b"0::/user.slice/user-7.slice/session-1.scope\n")
        self.write("cg/cgroup.controllers", b"pids\n")
        for folder, count, limit in (
            ("user.slice", b"90", b"max"),
            ("user.slice/user-7.slice", b"80", b"100"),
            ("user.slice/user-7.slice/session-1.scope", b"5", b"50"),
        ):
            self.write(f"cg/{folder}/pids.current", count + b"\n")
            self.write(f"cg/{folder}/pids.max", limit + b"\n")

    def write(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def reader(self, uid: int = UID) -> UserPidReader:
        return UserPidReader(uid=uid, proc_root=str(self._root / "proc"), cgroup_root=str(self._root / "cg"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_threads_count_and_the_lowest_limit_of_a_tmux_server_holds(machine: Machine) -> None:
    assert machine.reader().user(TABLE, 1.0) == PidCount(2 + 1 + 5, 8000)


def test_nobody_limits_root(machine: Machine) -> None:
    of_root = table(process(1, uid=0), replace(TMUX, uid=0), process(10, uid=0, threads=9))
    assert machine.reader(0).user(of_root, 1.0) == PidCount(1 + 2 + 9, None)


def test_of_half_a_listing_nothing_is_known(machine: Machine) -> None:
    assert machine.reader().user(replace(TABLE, complete=False), 1.0) is None


def test_the_fullest_cgroup_with_a_limit_counts(machine: Machine) -> None:
    reader = machine.reader()
    reader.user(TABLE, 1.0)
    assert reader.cgroup(TABLE, 1.0) == PidCount(80, 100)
    machine.write("cg/user.slice/user-7.slice/session-1.scope/pids.current", b"49\n")
    assert reader.cgroup(TABLE, 2.0) == PidCount(49, 50)


def test_without_a_limit_there_is_none(machine: Machine) -> None:
    for each in ("user-7.slice", "user-7.slice/session-1.scope"):
        machine.write(f"cg/user.slice/{each}/pids.max", b"max\n")
    reader = machine.reader()
    reader.user(TABLE, 1.0)
    assert reader.cgroup(TABLE, 1.0) is None


def test_version_1_has_a_hierarchy_of_its_own(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "cg/cgroup.controllers").unlink()
    for each in (TMUX, SECOND):
        machine.write(f"proc/{each.id.pid}/cgroup", b"8:pids:/a/b\n4:memory:/c\n")
    machine.write("cg/pids/a/b/pids.current", b"3\n")
    machine.write("cg/pids/a/b/pids.max", b"4\n")
    reader = machine.reader()
    reader.user(TABLE, 1.0)
    assert reader.cgroup(TABLE, 1.0) == PidCount(3, 4)


def test_limits_of_processes() -> None:
    assert parse_process_limit(LIMITS % b"8000 ") == 8000
    assert parse_process_limit(LIMITS % b"unlimited") is None
    with pytest.raises(ValueError, match="processes"):
        parse_process_limit(b"Max open files 1 2 files\n")


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([], None),
        ([PidCount(5, None), PidCount(9, None)], PidCount(9, None)),
        ([PidCount(500, None), PidCount(5, 100), PidCount(4, 50)], PidCount(4, 50)),
        ([PidCount(1, 0), PidCount(9, 10)], PidCount(1, 0)),
    ],
)
def test_the_fullest(counts: list[PidCount], found: PidCount | None) -> None:
    assert fullest(counts) == found
