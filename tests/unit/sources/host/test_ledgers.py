"""The kernel's accounts of cgroups, from files as version 1 and version 2 write them."""

from pathlib import Path

import pytest

from tmux_exporter.facts.ledgers import LedgerFolders
from tmux_exporter.sources.host.ledgers import LedgerReader, parse_counts, parse_memory, parse_paths

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
    return LedgerReader(proc_root=str(folder / "proc"), cgroup_root=str(folder / "cg"))


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
