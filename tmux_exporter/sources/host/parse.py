"""Parse files of /proc and /sys about the host: pure functions from bytes to values.

Each raises only ValueError, for a text that the kernel would not write. Names of devices stay
bytes here: they are also parts of paths.
"""

import re
from typing import NamedTuple

from tmux_exporter.facts.host import CPU_MODES

_MEMORY_TOTAL = re.compile(rb"^MemTotal: +(\d+) kB$", re.MULTILINE)
_MEMORY_AVAILABLE = re.compile(rb"^MemAvailable: +(\d+) kB$", re.MULTILINE)
_LOAD = re.compile(rb"(\d+\.\d+) \S+ \S+ \d+/(\d+) \d+\n")
_PRESSURE = re.compile(rb"^(some|full) .*\btotal=(\d+)$", re.MULTILINE)
_OOM_KILLS = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
RESOURCES = ("cpu", "io", "memory")
"""The resources of /proc/pressure, and of a cgroup."""

_BYTES_PER_MEGABIT = 125_000
# A driver that does not know its speed reports -1, in old kernels as an unsigned number.
_NO_SPEED = (1 << 32) - 1


class Load(NamedTuple):
    """Load of the last minute, and how many processes and threads there are."""

    load1: float
    threads: int


class Traffic(NamedTuple):
    """Bytes that a network device received and sent."""

    received: int
    sent: int


def parse_memory(raw: bytes) -> tuple[int, int | None]:
    """Parse /proc/meminfo: total and available memory in bytes; kernels before 3.14 lack the second."""
    total, available = _MEMORY_TOTAL.search(raw), _MEMORY_AVAILABLE.search(raw)
    if total is None:
        raise ValueError("meminfo: no MemTotal")
    return int(total[1]) * 1024, int(available[1]) * 1024 if available else None


def parse_cpu(raw: bytes) -> dict[str, int]:
    """Parse the first line of /proc/stat: clock ticks of all CPUs by mode."""
    words = raw.partition(b"\n")[0].split()
    if words[:1] != [b"cpu"] or len(words) <= len(CPU_MODES):
        raise ValueError("stat: no line of all CPUs")
    return dict(zip(CPU_MODES, (_number(word) for word in words[1:]), strict=False))


def parse_oom_kills(raw: bytes) -> int | None:
    """Parse /proc/vmstat: processes that the kernel killed for memory; None before Linux 4.13."""
    found = _OOM_KILLS.search(raw)
    return int(found[1]) if found else None


def parse_load(raw: bytes) -> Load:
    """Parse /proc/loadavg."""
    found = _LOAD.fullmatch(raw)
    if found is None:
        raise ValueError("loadavg: not as the kernel writes it")
    return Load(load1=float(found[1]), threads=int(found[2]))


def parse_disks(raw: bytes) -> dict[bytes, float]:
    """Parse /proc/diskstats: busy seconds of each block device, partitions included."""
    disks = {}
    for line in raw.split(b"\n")[:-1]:
        words = line.split()
        if len(words) < 14:
            raise ValueError(f"diskstats: {len(words)} words in a line")
        disks[words[2]] = _number(words[12]) / 1000
    return disks


def parse_networks(raw: bytes) -> dict[bytes, Traffic]:
    """Parse /proc/net/dev: what each network device received and sent.

    A name may hold any byte but `/`, `:` and blanks.
    """
    networks = {}
    for line in raw.split(b"\n")[2:-1]:
        name, colon, rest = line.partition(b":")
        words = rest.split()
        if not colon or len(words) < 16:
            raise ValueError(f"net/dev: {len(words)} figures in a line")
        networks[name.lstrip(b" ")] = Traffic(received=_number(words[0]), sent=_number(words[8]))
    return networks


def parse_speed(raw: bytes) -> int | None:
    """Parse /sys/class/net/DEVICE/speed: bytes per second, None if unknown."""
    megabits = int(raw)
    return megabits * _BYTES_PER_MEGABIT if 0 < megabits < _NO_SPEED else None


def parse_pressure(raw: bytes) -> dict[str, float]:
    """Parse /proc/pressure/RESOURCE: seconds in which some, or all, tasks waited for it."""
    found = {kind.decode("ascii"): int(total) / 1_000_000 for kind, total in _PRESSURE.findall(raw)}
    if not found:
        raise ValueError("pressure: no total")
    return found


def parse_number(raw: bytes) -> int:
    """Parse a file below /proc/sys that holds one number, which counts something."""
    return _number(raw.removesuffix(b"\n"))


def _number(word: bytes) -> int:
    # int() would take signs, blanks and underscores too.
    if not word.isdigit():
        raise ValueError(f"{word[:20]!r} is not a count")
    return int(word)
