"""The kernel's accounts of cgroups, from files as version 1 and version 2 write them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tmux_exporter.facts.ledgers import LedgerCount, LedgerFolders, PidCount
from tmux_exporter.sources.host.ledgers import (
    LedgerReader,
    parse_blkio,
    parse_counts,
    parse_io,
    parse_memory,
    parse_oom_kills,
    parse_paths,
)

HYBRID = b"9:name=systemd:/\n4:memory:/a\n2:cpu,cpuacct:/b c\n0::/user.slice/tmux-spawn-1.scope\n"


def test_paths_by_controller() -> None:
    assert parse_paths(HYBRID) == {
        "name=systemd": "/",
        "memory": "/a",
        "cpu": "/b c",
        "cpuacct": "/b c",
        "": "/user.slice/tmux-spawn-1.scope",
    }


def test_counts() -> None:
    assert parse_counts(b"usage_usec 12\nuser_usec 7\n") == {"usage_usec": 12, "user_usec": 7}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"anon 100\nfile 9000\nshmem 24\n", 124),
        (b"cache 9\nrss 1\nshmem 1\ntotal_rss 100\ntotal_shmem 24\n", 124),
        (b"rss 1\ntotal_rss 100\n", 100),
    ],
    ids=["v2", "v1 with all below", "v1 before Linux 4.20"],
)
def test_memory(content: bytes, found: int) -> None:
    assert parse_memory(content) == found


@pytest.mark.parametrize("content", [b"anon 100\n", b"anon x\nshmem 1\n", b""])
def test_memory_that_says_nothing(content: bytes) -> None:
    with pytest.raises((KeyError, ValueError)):
        parse_memory(content)


def machine(folder: Path, lines: bytes, files: dict[str, str]) -> LedgerReader:
    (folder / "proc" / "7").mkdir(parents=True)
    (folder / "proc" / "7" / "cgroup").write_bytes(lines)
    for name, content in files.items():
        (folder / "cg" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cg" / name).write_text(content)
    (folder / "sys/dev/block/8:0/device").mkdir(parents=True)
    return LedgerReader(
        proc_root=str(folder / "proc"), cgroup_root=str(folder / "cg"), sys_root=str(folder / "sys")
    )


def test_version_2_alone(tmp_path: Path) -> None:
    files = {"cgroup.controllers": "", "a/cpu.stat": "usage_usec 3\n", "a/memory.stat": "anon 5\nshmem 2\n"}
    reader = machine(tmp_path, b"0::/a\n", {**files, "a/cgroup.procs": "7\n8\n", "a/b/cgroup.procs": "9\n"})
    folder = str(tmp_path / "cg" / "a")
    assert reader.folders(7) == LedgerFolders(folder, folder)
    assert reader.members(folder) == frozenset({7, 8, 9})
    assert (reader.cpu_nanoseconds(folder), reader.memory_bytes(folder)) == (3000, 7)


def test_version_1_beside_a_version_2_without_controllers(tmp_path: Path) -> None:
    files = {
        "unified/cgroup.controllers": "",
        "cpuacct/b/cpuacct.usage": "5\n",
        "cpuacct/b/cgroup.procs": "7\n",
        "memory/a/memory.stat": "total_rss 5\n",
    }
    reader = machine(tmp_path, b"4:memory:/a\n2:cpuacct:/b\n0::/\n", files)
    cpu, memory = str(tmp_path / "cg/cpuacct/b"), str(tmp_path / "cg/memory/a")
    assert reader.folders(7) == LedgerFolders(cpu, memory)
    assert (reader.cpu_nanoseconds(cpu), reader.memory_bytes(memory)) == (5, 5)


@pytest.mark.parametrize("lines", [b"0::/\n", b"0::/../x\n", b"0::/gone\n"], ids=["root", "outside", "gone"])
def test_what_is_no_cgroup_of_its_own(tmp_path: Path, lines: bytes) -> None:
    reader = machine(tmp_path, lines, {"cgroup.controllers": ""})
    assert reader.folders(7) == LedgerFolders("", "")


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    reader = machine(tmp_path, b"0::/a\n", {"cgroup.controllers": "", "a/cpu.stat": "usage_usec x\n"})
    folder = str(tmp_path / "cg" / "a")
    assert reader.folders(8) is None
    assert (reader.members(folder), reader.cpu_nanoseconds(folder)) == (None, None)
    assert reader.memory_bytes(folder) is None


EVENTS = "low 0\nhigh 4\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n"
PRESSURE = "some avg10=0.00 avg60=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 total=7\n"
# A mapped device counts again what its disk counts; a device at rest has no counts.
IO = "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=5 dios=6\n253:0 rbytes=4096 wbytes=8192\n7:1 \n"
BYTES = "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n253:0 Read 10\nTotal 40\n"
OPERATIONS = "8:0 Read 1\n8:0 Write 2\nTotal 3\n"


def test_what_a_cgroup_of_version_2_counts(tmp_path: Path) -> None:
    pressure = {f"a/{each}.pressure": PRESSURE for each in ("cpu", "memory")}
    files = {"cgroup.controllers": "", "a/memory.events": EVENTS, "a/io.stat": IO, **pressure}
    limits = {"a/pids.current": "3\n", "a/pids.max": "9\n"}
    reader = machine(tmp_path, b"0::/a\n", {**files, **limits})
    folder = str(tmp_path / "cg" / "a")
    assert reader.counts(folder, detail=False) == {LedgerCount.OOM_KILLS: 2}
    assert reader.counts(folder, detail=True) == {
        LedgerCount.OOM_KILLS: 2,
        LedgerCount.CPU_SOME: 1.5,
        LedgerCount.CPU_FULL: 7e-6,
        LedgerCount.MEMORY_SOME: 1.5,
        LedgerCount.MEMORY_FULL: 7e-6,
        LedgerCount.READ_BYTES: 4096,
        LedgerCount.WRITTEN_BYTES: 8192,
        LedgerCount.READS: 1,
        LedgerCount.WRITES: 2,
    }
    assert (reader.pids(folder), reader.kills_below(folder)) == (PidCount(3, 9), 2)
    assert reader.controller(7, "pids") == reader.controller(7, "io") == folder
    assert reader.beside(folder, frozenset({7})) == ()


def test_what_cgroups_of_version_1_count_and_which_hold_the_same_processes(tmp_path: Path) -> None:
    files = {
        "memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        "cpuacct/a/cpuacct.usage": "1\n",
        "pids/a/cgroup.procs": "7\n8\n",
        "pids/a/pids.current": "2\n",
        "pids/a/pids.max": "max\n",
        "blkio/a/cgroup.procs": "7\n8\n9\n",
        "blkio/a/blkio.throttle.io_service_bytes_recursive": BYTES,
        "blkio/a/blkio.throttle.io_serviced_recursive": OPERATIONS,
    }
    reader = machine(tmp_path, b"4:memory:/a\n3:pids:/a\n2:cpuacct:/a\n1:blkio:/a\n", files)
    memory, pids, blkio = (str(tmp_path / "cg" / each / "a") for each in ("memory", "pids", "blkio"))
    assert reader.counts(memory, detail=False) == {LedgerCount.OOM_KILLS: 2}
    assert reader.pids(pids) == PidCount(2, None)
    assert reader.counts(blkio, detail=True) == {
        LedgerCount.READ_BYTES: 10,
        LedgerCount.WRITTEN_BYTES: 20,
        LedgerCount.READS: 1,
        LedgerCount.WRITES: 2,
    }
    cpu = str(tmp_path / "cg/cpuacct/a")
    assert reader.beside(cpu, frozenset({7, 8})) == (pids,)
    assert reader.beside(cpu, frozenset({7, 8, 9})) == (blkio,)
    assert reader.kills_below(memory) is None


@pytest.mark.parametrize(
    ("parse", "raw"),
    [(parse_oom_kills, b"oom 3\n"), (parse_io, b"8:0 rbytes=x\n"), (parse_io, b"\n")],
)
def test_counts_that_say_nothing(parse: Callable[[bytes], object], raw: bytes) -> None:
    with pytest.raises((KeyError, ValueError)):
        parse(raw)


def test_operations_of_version_1_without_bytes() -> None:
    assert parse_blkio(b"", OPERATIONS.encode()) == {"8:0": {LedgerCount.READS: 1, LedgerCount.WRITES: 2}}
