"""The host reader and psutil look at the same machine; real mounts with odd names, and one that hangs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from tests.support.isolation.mounted import AGAIN, COVERED, HUNG, NAMES
from tests.support.literals.facts import table
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import Config
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.sampling.open import open_sampler
from tmux_exporter.sources.host.host import HostReader
from tmux_exporter.sources.processes.full_reader import ProcReader

REPOSITORY = Path(__file__).parents[2]
UID = os.getuid()


def read(*places: str) -> HostFacts:
    return HostReader(clock=SystemClock(), places=places, uid=UID).read(
        ProcReader(uid=UID, clock=SystemClock()).read()
    )


def between(before: float, ours: float | None, after: float, slack: float = 0.0) -> bool:
    return ours is not None and min(before, after) - slack <= ours <= max(before, after) + slack


def test_memory_as_psutil_sees_it() -> None:
    before, host, after = psutil.virtual_memory(), read(), psutil.virtual_memory()
    assert host.memory_bytes == before.total
    assert between(before.available, host.memory_available_bytes, after.available, slack=before.total * 0.05)


def test_cpu_as_psutil_sees_it() -> None:
    before, host, after = psutil.cpu_times(), read(), psutil.cpu_times()
    for mode, seconds in host.cpu_seconds.items():
        # Each kernel figure is rounded down to a tick, idle and iowait may step back by some.
        assert between(getattr(before, mode), seconds, getattr(after, mode), slack=0.05), mode
    assert len(host.cpu_seconds) == 8


def test_load_and_processes_as_psutil_sees_them() -> None:
    first, host, last = psutil.getloadavg()[0], read(), psutil.getloadavg()[0]
    assert between(first, host.load1, last, slack=0.005)
    assert host.processes is not None
    assert host.threads is not None
    assert abs(host.processes - len(psutil.pids())) < 100
    assert host.processes <= host.threads <= (host.threads_limit or 0)


def test_disks_as_psutil_sees_them() -> None:
    before, host, after = (
        psutil.disk_io_counters(perdisk=True),
        read(),
        psutil.disk_io_counters(perdisk=True),
    )
    for disk, seconds in host.disk_io_seconds.items():
        assert between(before[disk].busy_time / 1000, seconds, after[disk].busy_time / 1000), disk
    whole = {each.name for each in Path("/sys/block").iterdir() if (each / "device").exists()}
    assert host.disk_io_seconds.keys() == {name.replace("!", "/") for name in whole} & before.keys()


def test_networks_as_psutil_sees_them() -> None:
    before, host, after = psutil.net_io_counters(pernic=True), read(), psutil.net_io_counters(pernic=True)
    speeds = psutil.net_if_stats()
    assert host.networks.keys() == {name for name in before if name != "lo" and name[:4] != "veth"}
    for name, device in host.networks.items():
        assert between(before[name].bytes_recv, device.received_bytes, after[name].bytes_recv), name
        assert between(before[name].bytes_sent, device.sent_bytes, after[name].bytes_sent), name
        # psutil reads the speed with another call, and says 0 where there is none.
        assert (device.speed_bytes or 0) in (0, speeds[name].speed * 125_000), name


def test_file_systems_as_psutil_sees_them(tmp_path: Path) -> None:
    host = read(str(tmp_path), "/tmp")
    assert host.filesystems
    for point, space in host.filesystems.items():
        really = psutil.disk_usage(point)
        assert space.size_bytes == really.total
        assert abs(space.available_bytes - really.free) < 2**30
    disks = {part.mountpoint for part in psutil.disk_partitions(all=False)}
    assert {point for point in host.filesystems if not os.path.ismount(point)} == set()
    assert host.filesystems.keys() & (disks | {"/", "/tmp"})


def test_pressure_and_ids_are_those_of_the_kernel() -> None:
    host = read()
    assert host.complete
    if os.path.exists("/proc/pressure/io"):
        assert {resource for resource, _ in host.pressure_seconds} == {"cpu", "io", "memory"}
    assert host.ptys_limit == int(Path("/proc/sys/kernel/pty/max").read_text())
    count = Path("/proc/sys/kernel/pty/nr")
    before, ptys, after = int(count.read_text()), read().ptys, int(count.read_text())
    assert between(before, ptys, after)


def can_unshare() -> bool:
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="this kernel lets us make no namespace to mount in")
def test_real_mounts_with_odd_names(tmp_path: Path) -> None:
    found = read_mounted(tmp_path)
    for number, name in enumerate(NAMES, start=1):
        point = os.path.join(os.fsencode(tmp_path), name).decode("utf-8", "surrogateescape")
        assert found[point] == number * 64 * 1024
    assert os.path.join(str(tmp_path), os.fsdecode(AGAIN)) not in found, "one file system, one series"
    assert os.path.join(str(tmp_path), os.fsdecode(HUNG), os.fsdecode(COVERED)) in found


@pytest.mark.skipif(not can_unshare(), reason="this kernel lets us make no namespace to mount in")
@pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse is not for this user")
def test_a_real_mount_that_hangs_holds_nothing_up(tmp_path: Path) -> None:
    found = read_mounted(tmp_path, "hung")
    assert not any(os.fsdecode(HUNG) in point.split("/") for point in found)
    assert len([point for point in found if point.startswith(f"{tmp_path}/")]) == len(NAMES)


def read_mounted(folder: Path, *arguments: str) -> Mapping[str, int]:
    """What the host is like with such mounts below a folder: sizes by mount point."""
    program = (sys.executable, "-m", "tests.support.isolation.mounted")
    command = ["unshare", "-rm", *program, str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30, cwd=REPOSITORY)
    found: Mapping[str, int] = json.loads(done.stdout)
    return found


def test_the_host_is_on_the_page(tmp_path: Path) -> None:
    environ = {"TMUX_TMPDIR": str(tmp_path), "HOME": "/", "XDG_RUNTIME_DIR": str(tmp_path)}
    report = open_sampler(Config(), SystemClock(), environ).sample()
    shown = {each.spec.name: each for each in collect_all(report, Config()).families}
    assert shown["tmux_host_memory_bytes"].samples[0].value == psutil.virtual_memory().total
    assert {labels for labels, _ in shown["tmux_host_filesystem_size_bytes"].samples}


def test_a_reading_is_cheap() -> None:
    reader, processes = HostReader(clock=SystemClock(), uid=UID), table()
    reader.read(processes)
    before = os.times()
    for _ in range(200):
        reader.read(processes)
    after = os.times()
    assert (after.user + after.system - before.user - before.system) / 200 < 0.002
