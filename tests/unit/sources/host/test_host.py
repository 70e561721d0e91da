"""The host reader on a recorded machine, and on what may become of it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.literals.facts import UID, process, table
from tests.support.literals.mounts import mount_line, own_mount
from tests.support.recorded.host import TABLE, RecordedHost
from tmux_exporter.facts.host import CPU_MODES, HostFacts, NetworkDevice
from tmux_exporter.sources.common.ttl_cache import TTL_SECONDS
from tmux_exporter.sources.host.host import HostReader

TICKS = os.sysconf("SC_CLK_TCK")
CPU = (724_733, 32_959, 183_242, 445_482, 1480, 0, 1206, 437)


@pytest.fixture
def host(tmp_path: Path) -> RecordedHost:
    return RecordedHost(tmp_path)


def test_the_recorded_machine(host: RecordedHost) -> None:
    assert host.read() == HostFacts(
        memory_bytes=24_684_092 * 1024,
        memory_available_bytes=22_573_188 * 1024,
        cpu_seconds={mode: ticks / TICKS for mode, ticks in zip(CPU_MODES, CPU, strict=True)},
        load1=7.39,
        disk_io_seconds={"vda": 51.496},
        filesystems={},
        networks={
            "ifb0": NetworkDevice(received_bytes=0, sent_bytes=0),
            "ifb1": NetworkDevice(received_bytes=0, sent_bytes=0),
            "eth0": NetworkDevice(received_bytes=1_054_202_657, sent_bytes=1_924_001),
        },
        pressure_seconds={
            ("cpu", "some"): 2853.043331,
            ("cpu", "full"): 0.0,
            ("io", "some"): 27.079627,
            ("io", "full"): 9.528317,
            ("memory", "some"): 0.0,
            ("memory", "full"): 0.0,
        },
        processes=2,
        threads=1722,
        threads_limit=32_768,
        ptys=166,
        ptys_limit=4096,
        inotify_instances_limit=128,
        user_pids=2,
        oom_kills=3,
    )


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    reader = HostReader(
        clock=RecordedHost(tmp_path / "vm").clock,
        uid=UID,
        proc_root=str(tmp_path / "no"),
        sys_root=str(tmp_path / "no"),
    )
    assert reader.read(TABLE) == HostFacts(processes=2, user_pids=2)


MISSING: dict[str, dict[str, Any]] = {
    "meminfo": {"memory_bytes": None, "memory_available_bytes": None}, "stat": {"cpu_seconds": {}},
    "vmstat": {"oom_kills": None},
    "loadavg": {"load1": None, "threads": None}, "diskstats": {"disk_io_seconds": {}},
    "net/dev": {"networks": {}}, "sys/kernel/pty/nr": {"ptys": None},
    "sys/kernel/pty/max": {"ptys_limit": None}, "sys/kernel/pid_max": {"threads_limit": None},
    "sys/kernel/threads-max": {"threads_limit": None},
    "sys/fs/inotify/max_user_instances": {"inotify_instances_limit": None}, "self/mountinfo": {},
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_costs_only_itself_and_is_no_fault(host: RecordedHost, name: str) -> None:
    whole = HostReader(
        clock=host.clock, proc_root=str(host.path("proc")), sys_root=str(host.path("sys")), uid=UID
    ).read(TABLE)
    host.path(f"proc/{name}").unlink()
    assert host.read() == replace(whole, **MISSING[name])


def test_an_empty_file_hides_what_is_in_it(host: RecordedHost) -> None:
    host.write("proc/meminfo", b"")
    assert (host.read().memory_bytes, host.read().complete) == (None, True)


@pytest.mark.parametrize("name", ["meminfo", "stat", "loadavg", "diskstats", "net/dev", "self/mountinfo"])
def test_what_is_there_and_means_nothing_is_a_fault(host: RecordedHost, name: str) -> None:
    whole = host.read()
    host.write(f"proc/{name}", b"nonsense\nnonsense\nnonsense\n")
    host.clock.advance(TTL_SECONDS)
    assert host.read() == replace(whole, complete=False, **MISSING[name])


def test_what_cannot_be_read_is_a_fault(host: RecordedHost) -> None:
    host.path("proc/loadavg").unlink()
    host.path("proc/loadavg").mkdir()
    assert (host.read().load1, host.read().complete) == (None, False)


def test_a_kernel_without_pressure(host: RecordedHost) -> None:
    for name in ("cpu", "io", "memory"):
        host.path(f"proc/pressure/{name}").unlink()
    assert host.read().pressure_seconds == {}
    assert host.read().complete


def test_the_lower_limit_of_ids_holds(host: RecordedHost) -> None:
    host.write("proc/sys/kernel/pid_max", b"4194304\n")
    assert host.read().threads_limit == 192_730


def test_limits_are_read_again_after_a_minute(host: RecordedHost) -> None:
    assert host.read().ptys_limit == 4096
    host.write("proc/sys/kernel/pty/max", b"5000\n")
    host.write("proc/sys/kernel/pty/nr", b"167\n")
    assert (host.read().ptys, host.read().ptys_limit) == (167, 4096)
    host.clock.advance(TTL_SECONDS)
    assert host.read().ptys_limit == 5000


def test_half_a_table_does_not_count_processes(host: RecordedHost) -> None:
    reader = HostReader(clock=host.clock, proc_root=str(host.path("proc")), uid=UID)
    assert reader.read(table(process(1), complete=False)).processes is None


def test_a_mode_that_steps_back_is_held_and_one_that_restarts_is_shown(host: RecordedHost) -> None:
    idle = 445_482 / TICKS
    assert host.read().cpu_seconds["idle"] == idle
    host.edit("proc/stat", b" 445482 ", b" 445480 ")
    assert host.read().cpu_seconds["idle"] == idle
    host.edit("proc/stat", b" 445480 ", b" 445481 ")
    assert host.read().cpu_seconds["idle"] == idle
    host.edit("proc/stat", b" 445481 ", b" 445490 ")
    assert host.read().cpu_seconds["idle"] == 445_490 / TICKS
    host.edit("proc/stat", b" 445490 ", b" 445000 ")
    assert host.read().cpu_seconds["idle"] == 445_000 / TICKS


def test_a_look_that_failed_does_not_forget_what_was_held(host: RecordedHost) -> None:
    idle = host.read().cpu_seconds["idle"]
    stat = host.path("proc/stat").read_bytes()
    host.write("proc/stat", b"")
    assert host.read().cpu_seconds == {}
    host.write("proc/stat", stat.replace(b" 445482 ", b" 445480 "))
    assert host.read().cpu_seconds["idle"] == idle


def test_only_whole_disks_with_something_behind_them(host: RecordedHost) -> None:
    names = ("nvme0n1", "nvme0n1p1", "sda", "sda1", "dm-0", "md127", "loop3", "zram0", "ram1", "cciss/c0d0")
    host.write("proc/diskstats", b"".join(b" 1 2 %s 1 2 3 4 5 6 7 8 0 1500 9\n" % n.encode() for n in names))
    for name in ("nvme0n1", "sda", "cciss!c0d0", "zram0"):
        host.write(f"sys/block/{name}/device/model", b"x\n")
    for name in ("dm-0", "md127", "loop3"):
        host.write(f"sys/block/{name}/size", b"1\n")
    host.write("sys/block/sda/sda1/partition", b"1\n")
    assert host.read().disk_io_seconds == {"nvme0n1": 1.5, "sda": 1.5, "cciss/c0d0": 1.5}


def test_a_disk_that_is_plugged_in_is_shown_at_once(host: RecordedHost) -> None:
    assert host.read().disk_io_seconds.keys() == {"vda"}
    host.write("sys/block/sdb/device/model", b"x\n")
    host.write(
        "proc/diskstats", host.path("proc/diskstats").read_bytes() + b" 8 1 sdb 1 2 3 4 5 6 7 8 0 9 9\n"
    )
    assert host.read().disk_io_seconds.keys() == {"vda", "sdb"}


def test_speeds_and_odd_network_devices(host: RecordedHost) -> None:
    host.edit("proc/net/dev", b"  ifb0:", b"veth1a2:")
    host.edit("proc/net/dev", b"  ifb1:", b'a"\\\xff\x01}:')
    host.write("sys/class/net/eth0/speed", b"10000\n")
    networks = host.read().networks
    assert networks.keys() == {"eth0", 'a"\\\udcff\x01}'}
    assert networks["eth0"].speed_bytes == 1_250_000_000


def folder(parent: Path, name: bytes) -> bytes:
    path = os.path.join(os.fsencode(parent), name)
    os.mkdir(path)
    return path


def test_file_systems_by_mount_point(tmp_path: Path) -> None:
    odd, gone = (folder(tmp_path, name) for name in (b"two\nlines \\040\xff", b"gone"))
    host = RecordedHost(tmp_path / "vm", places=("relative", ""))
    host.path("proc/self/fdinfo").symlink_to("/proc/self/fdinfo")
    here = own_mount(odd)
    network = mount_line(1, 0, b"/", "nfs4", device=b"0:9")
    host.write("proc/self/mountinfo", network + mount_line(here, 7, odd, "ext4", device=b"8:2"))
    really = os.statvfs(odd)
    ((point, found),) = host.read().filesystems.items()
    assert point == odd.decode("utf-8", "surrogateescape")
    assert found.size_bytes == really.f_blocks * really.f_frsize

    host.clock.advance(TTL_SECONDS)
    whole = mount_line(here + 1_000_000, 7, gone, "ext4", device=b"8:2")
    host.write("proc/self/mountinfo", whole + mount_line(here, 7, odd, "ext4", device=b"8:2", root=b"/part"))
    assert host.read().filesystems.keys() == {point}, "the one that answers"
    os.rmdir(odd)
    assert host.read().filesystems == {}
    assert host.read().complete
