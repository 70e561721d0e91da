"""Memory limits: what the kernel files say, for how long they are cached, and which limit applies."""

import os
from pathlib import Path

import psutil
import pytest

from tests.support.clock import ManualClock
from tmux_exporter.analysis.memory.limits import lowest_limit
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import MemoryBounds, ProcessId
from tmux_exporter.sources.common.ttl_cache import TTL_SECONDS
from tmux_exporter.sources.host.memory_limits import (
    LimitReader,
    parse_limit,
    parse_memory_cgroup,
    parse_memory_total,
)
from tmux_exporter.sources.processes.parse import parse_stat

PANE, OTHER = ProcessId(500, 7), ProcessId(600, 8)
GIB = 2**30
USER = "user.slice/user-1000.slice"


class Machine:
    """Files as the kernel shows them, below one folder, and a reader of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ManualClock()
        self.reader = LimitReader(
            clock=self.clock, proc_root=str(root / "proc"), cgroup_root=str(root / "cgroup")
        )
        self.write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         123456 kB\n")

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def start(self, process: ProcessId, cgroup: str) -> None:
        """A process in a cgroup, as /proc/PID/cgroup writes it."""
        own = Path("/proc/self/stat").read_text().rsplit(") ", 1)[1].split()
        fields = [*own[:19], str(process.start_ticks), *own[20:]]
        self.write(f"proc/{process.pid}/stat", f"{process.pid} (bash) {' '.join(fields)}\n")
        self.write(f"proc/{process.pid}/cgroup", cgroup)

    def limit(self, *processes: ProcessId) -> int | None:
        return lowest_limit(self.reader.read(set(processes)), processes, ())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_host_bounds_whom_no_cgroup_bounds(machine: Machine) -> None:
    machine.start(PANE, f"0::/{USER}/session-3.scope\n")
    machine.write(f"cgroup/{USER}/session-3.scope/memory.max", "max\n")
    assert machine.limit(PANE) == machine.limit() == 16 * GIB


def test_the_lowest_cgroup_above_a_process_counts(machine: Machine) -> None:
    machine.start(PANE, f"0::/{USER}/user@1000.service/tmux-spawn-1.scope\n")
    machine.write(f"cgroup/{USER}/user@1000.service/tmux-spawn-1.scope/memory.max", f"{4 * GIB}\n")
    machine.write(f"cgroup/{USER}/user@1000.service/memory.max", "max\n")
    machine.write(f"cgroup/{USER}/memory.max", f"{3 * GIB}\n")
    assert machine.limit(PANE) == 3 * GIB


def test_the_limit_of_one_pane_is_not_that_of_a_session(machine: Machine) -> None:
    for process in (PANE, OTHER):
        machine.start(process, f"0::/{USER}/tmux-spawn-{process.pid}.scope\n")
        machine.write(f"cgroup/{USER}/tmux-spawn-{process.pid}.scope/memory.max", f"{GIB}\n")
    machine.write(f"cgroup/{USER}/memory.max", f"{5 * GIB}\n")
    assert machine.limit(PANE) == machine.limit(OTHER) == GIB
    assert machine.limit(PANE, OTHER) == 5 * GIB


def test_a_cgroup_below_that_of_another_process_bounds_only_its_own(machine: Machine) -> None:
    machine.start(PANE, "0::/a\n")
    machine.start(OTHER, "0::/a/b\n")
    machine.write("cgroup/a/memory.max", f"{2 * GIB}\n")
    machine.write("cgroup/a/b/memory.max", f"{GIB}\n")
    assert (machine.limit(PANE), machine.limit(OTHER), machine.limit(PANE, OTHER)) == (2 * GIB, GIB, 2 * GIB)


def test_version_1_has_its_own_place(machine: Machine) -> None:
    machine.start(PANE, "12:cpu,cpuacct:/x\n4:memory:/docker/abc\n1:name=systemd:/x\n0::/x\n")
    machine.write("cgroup/memory/docker/abc/memory.limit_in_bytes", f"{GIB}\n")
    machine.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    machine.write("cgroup/x/memory.max", "4096\n")
    assert machine.limit(PANE) == GIB


def test_a_container_sees_its_own_limit_at_the_root(machine: Machine) -> None:
    machine.start(PANE, "0::/\n")
    machine.write("cgroup/memory.max", f"{GIB}\n")
    assert machine.limit(PANE) == GIB


def test_a_cgroup_outside_of_our_namespace_is_not_known(machine: Machine) -> None:
    machine.start(PANE, "0::/../other\n")
    machine.write("cgroup/memory.max", f"{GIB}\n")
    machine.write("other/memory.max", "4096\n")
    assert machine.limit(PANE) == 16 * GIB


def test_what_the_configuration_allows_counts_too() -> None:
    bounds = MemoryBounds(host=16 * GIB)
    assert lowest_limit(bounds, (PANE,), (None, 2 * GIB, 4 * GIB)) == 2 * GIB
    assert lowest_limit(bounds, (PANE,), (None, 99 * GIB)) == 16 * GIB
    assert lowest_limit(MemoryBounds(), (PANE,), (None,)) is None


def test_a_process_that_took_the_pid_is_not_asked(machine: Machine) -> None:
    machine.start(PANE, "0::/a\n")
    machine.write("cgroup/a/memory.max", f"{GIB}\n")
    assert machine.limit(ProcessId(PANE.pid, PANE.start_ticks + 1)) == 16 * GIB
    assert machine.limit(ProcessId(PANE.pid + 1, 1)) == 16 * GIB


def test_a_limit_is_believed_for_a_minute(machine: Machine) -> None:
    machine.start(PANE, "0::/a\n")
    machine.write("cgroup/a/memory.max", f"{GIB}\n")
    assert machine.limit(PANE) == GIB
    machine.write("cgroup/a/memory.max", f"{2 * GIB}\n")
    machine.write("cgroup/b/memory.max", f"{3 * GIB}\n")
    machine.clock.advance(TTL_SECONDS - 1)
    assert machine.limit(PANE) == GIB
    machine.start(PANE, "0::/b\n")
    machine.clock.advance(1)
    assert machine.limit(PANE) == 3 * GIB


def test_nothing_is_kept_of_what_is_no_longer_asked(machine: Machine) -> None:
    machine.start(PANE, "0::/a\n")
    machine.limit(PANE)
    (machine.root / "proc/500/cgroup").unlink()
    machine.clock.advance(TTL_SECONDS)
    machine.limit()
    assert machine.reader.read({PANE}).cgroups == {}


def test_files_that_cannot_be_read_bound_nothing(machine: Machine) -> None:
    machine.start(PANE, "0::/a\n")
    machine.write("cgroup/a/memory.max", "many\n")
    machine.write("proc/meminfo", "MemFree: 1 kB\n")
    assert machine.limit(PANE) is None


@pytest.mark.parametrize(
    ("raw", "cgroup"),
    [
        (b"0::/\n", ()),
        (b"0::/a/b c:d\xff\n", ("a", "b c:d\udcff")),
        ("0::/a\u2028b\x0bc\n".encode(), ("a\u2028b\x0bc",)),
        (b"0::/a (deleted)\n", ("a (deleted)",)),
        (b"3:cpu,memory:/x\n0::/y\n", ("memory", "x")),
        (b"3:memory:/\n", ("memory",)),
        (b"3:cpu:/x\n", None),
        (b"0::/../..\n", None),
    ],
)
def test_the_cgroup_of_a_process(raw: bytes, cgroup: tuple[str, ...] | None) -> None:
    assert parse_memory_cgroup(raw) == cgroup


def test_texts_that_the_kernel_does_not_write() -> None:
    for raw in (b"", b"MemTotal: 5\n"):
        with pytest.raises(ValueError, match="MemTotal"):
            parse_memory_total(raw)
    with pytest.raises(ValueError, match="unpack"):
        parse_memory_cgroup(b"nonsense\n")
    with pytest.raises(ValueError, match="invalid literal"):
        parse_limit(b"")


def test_this_machine() -> None:
    stat = parse_stat(Path("/proc/self/stat").read_bytes())
    me = ProcessId(stat.pid, stat.start_ticks)
    assert me.pid == os.getpid()
    bounds = LimitReader(clock=SystemClock()).read({me})
    assert bounds.host == psutil.virtual_memory().total
    assert bounds.cgroups == {me: parse_memory_cgroup(Path("/proc/self/cgroup").read_bytes())}
    assert all(limit > 0 for limit in bounds.limits.values())
