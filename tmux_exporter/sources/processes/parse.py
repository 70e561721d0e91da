"""Parse the files of /proc/PID: pure functions from bytes to values.

Each raises only ValueError, for a text that the kernel would not write. Texts that many processes share are
interned: each is in memory once. So are arguments and environments that several have in a row.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from sys import intern
from typing import NamedTuple

ARGV_LIMIT = 4096
"""Bytes of a command line that are kept; it may have megabytes."""

VARIABLE_LIMIT = 4096
"""Bytes of one kept environment variable, its name included."""

PF_KTHREAD = 0x0020_0000
"""Flag of a kernel thread (include/linux/sched.h): no memory, files, program or environment of its own."""

_BOOT_TIME = re.compile(rb"\nbtime (\d+)\n")
_OPEN_FILES = re.compile(rb"\nMax open files +(\d+|unlimited) ")
_STORAGE = re.compile(rb"\nread_bytes: (\d+)\nwrite_bytes: (\d+)\n")


class Stat(NamedTuple):
    """One line of /proc/PID/stat. Times are clock ticks, `start_ticks` counts from boot.

    `arg_start` is the address of the arguments: it moves with every exec. It is 0 without
    ptrace access and for processes without memory (zombies, kernel threads).
    """

    pid: int
    comm: str
    state: str
    ppid: int
    pgid: int
    session_id: int
    tty: int
    foreground_pgid: int
    flags: int
    cpu_ticks: int
    children_cpu_ticks: int
    threads: int
    start_ticks: int
    arg_start: int

    @property
    def kernel_thread(self) -> bool:
        """Whether this is a kernel thread."""
        return bool(self.flags & PF_KTHREAD)


class StatusMemory(NamedTuple):
    """The memory lines of /proc/PID/status in bytes; None if the kernel writes no such line.

    A process without memory has none of them; kernels before 4.5 have no RssAnon and no RssShmem.
    """

    resident_bytes: int | None = None
    anonymous_bytes: int | None = None
    shared_memory_bytes: int | None = None
    swap_bytes: int | None = None


def text(raw: bytes) -> str:
    """Decode foreign bytes in any locale without loss: bytes that are not UTF-8 become surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def parse_stat(raw: bytes) -> Stat:
    """Parse /proc/PID/stat (proc_pid_stat(5)).

    The name is free text: blanks, newlines, brackets, any bytes. Only numbers follow its closing bracket, so
    that bracket is the last one in the line.
    """
    opening, closing = raw.find(b" ("), raw.rfind(b") ")
    if opening < 0 or closing < opening + 2:
        raise ValueError("stat: no name in brackets")
    fields = raw[closing + 2 :].split()
    if len(fields) < 20 or len(fields[0]) != 1:
        raise ValueError(f"stat: {len(fields)} fields after the name")
    return Stat(
        pid=int(raw[:opening]),
        comm=intern(text(raw[opening + 2 : closing])),
        state=fields[0].decode("ascii"),
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        session_id=int(fields[3]),
        tty=int(fields[4]),
        foreground_pgid=int(fields[5]),
        flags=int(fields[6]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        children_cpu_ticks=int(fields[13]) + int(fields[14]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        arg_start=int(fields[45]) if len(fields) > 45 else 0,
    )


def parse_status(raw: bytes) -> StatusMemory:
    """Parse the memory lines of /proc/PID/status (proc_pid_status(5))."""
    return StatusMemory(
        resident_bytes=_kibibytes(raw, b"\nVmRSS:"),
        anonymous_bytes=_kibibytes(raw, b"\nRssAnon:"),
        shared_memory_bytes=_kibibytes(raw, b"\nRssShmem:"),
        swap_bytes=_kibibytes(raw, b"\nVmSwap:"),
    )


def _kibibytes(raw: bytes, key: bytes) -> int | None:
    # The name on the first line cannot forge a line: the kernel escapes its newlines.
    found = raw.find(key)
    if found < 0:
        return None
    start = found + len(key)
    return int(raw[start : raw.index(b" kB\n", start)]) * 1024


def parse_io(raw: bytes) -> tuple[int, int]:
    """Parse /proc/PID/io: bytes read from and written to storage, without page cache hits.

    The kernel adds the figures of each reaped child to its parent.
    """
    found = _STORAGE.search(raw)
    if found is None:
        raise ValueError("io: no read_bytes and write_bytes")
    return int(found[1]), int(found[2])


def parse_limits(raw: bytes) -> int | None:
    """Parse /proc/PID/limits: the soft limit of open files, None if unlimited."""
    found = _OPEN_FILES.search(raw)
    if found is None:
        raise ValueError("limits: no line for open files")
    return None if found[1] == b"unlimited" else int(found[1])


@lru_cache(maxsize=64)
def parse_argv(raw: bytes) -> tuple[str, ...]:
    """Parse /proc/PID/cmdline; bytes past ARGV_LIMIT are cut, even within an argument."""
    return tuple(map(intern, text(raw[:ARGV_LIMIT].removesuffix(b"\0")).split("\0")))


def parse_exe(raw: bytes) -> str:
    """Parse where /proc/PID/exe points.

    The kernel appends ` (deleted)` once the file is removed or replaced, for example when an agent updates
    itself; the program is still the same.
    """
    return intern(text(raw.removesuffix(b" (deleted)")))


def parse_environ(chunks: Iterable[bytes], kept: frozenset[str]) -> dict[str, str]:
    """Pick the `kept` variables from /proc/PID/environ, read in chunks cut anywhere.

    If a name occurs twice the first value counts, as for getenv(3). Holds one chunk and VARIABLE_LIMIT
    bytes at a time; longer values are cut.
    """
    found: dict[str, str] = {}

    names = _encoded(kept)

    def keep(entries: Iterable[bytes]) -> None:
        for entry in entries:
            # Most are of no interest: they are not even decoded.
            if entry.partition(b"=")[0] in names:
                name, equals, value = text(entry[:VARIABLE_LIMIT]).partition("=")
                if equals:
                    found.setdefault(intern(name), intern(value))

    rest = b""
    for chunk in chunks:
        *entries, last = (rest + chunk).split(b"\0")
        keep(entries)
        # The cut bytes lie past VARIABLE_LIMIT; `keep` would have cut them too.
        rest = last[:VARIABLE_LIMIT]
    keep((rest,))
    return _shared(tuple(found.items()))


@lru_cache(maxsize=8)
def _encoded(names: frozenset[str]) -> frozenset[bytes]:
    return frozenset(map(str.encode, names))


@lru_cache(maxsize=512)
def _shared(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(variables)


def parse_boot_time(raw: bytes) -> float:
    """Parse /proc/stat: the boot time in seconds since the epoch."""
    found = _BOOT_TIME.search(raw)
    if found is None:
        raise ValueError("stat: no btime")
    return float(found[1])
