"""Runtime of this process: imports of libraries, garbage collection, memory after a burst, the terminal."""

import gc
import importlib
import math
import os
import sys
from contextlib import suppress
from functools import cache
from types import ModuleType

_LIBRARIES = (
    "hashlib",
    "hmac",
    "asyncio",
    "prometheus_client",
    "shutil",
    "uvicorn.server",
    "uvicorn.protocols.http.h11_impl",
)
_UNUSED = (
    # OpenSSL: without TLS nothing needs it; hashes come from Python itself.
    "_hashlib",
    "asyncio.sslproto",
    "ssl",
    # prometheus_client's own server and its client of a push gateway.
    "http.server",
    "socketserver",
    "urllib.error",
    "urllib.request",
    "wsgiref.simple_server",
    # Kinds of archives.
    "bz2",
    "lzma",
    # Dates of uvicorn's that ours take the place of, and what it adds at random.
    "email.utils",
    "random",
    # uvicorn's command line with its supervisors, its logging and its configuration files.
    "configparser",
    "logging.config",
    "uvicorn.main",
)
_TLS = ("asyncio.sslproto", "ssl")
_FRESH = 10_000
_FEW = 200
_SETTLED_SECONDS = 60.0


class _Unused(ModuleType):
    """Stands for a module while libraries are imported: every name in it is an empty class."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        found = type(name, (Exception,), {})
        setattr(self, name, found)
        return found


def import_lean(*, tls: bool = False) -> None:
    """Import the libraries of the exporter without modules that they import and it never uses.

    They take 8 MiB of a process that runs on every host. Call it in a process that only serves, before its
    other imports. What is imported already stays; where a library does not bear it, all is imported as usual.
    """
    before = set(sys.modules)
    stands: dict[str, ModuleType | None] = {
        # hashlib has hashes of its own where it cannot import OpenSSL's; shutil needs no archives.
        name: None if name in ("_hashlib", "bz2", "lzma") else _Unused(name)
        for name in _UNUSED
        if name not in before and not (tls and name in _TLS)
    }
    sys.modules.update(stands)  # type: ignore[arg-type] # None: "cannot be imported"
    try:
        for name in _LIBRARIES:
            importlib.import_module(name)
        # A Python may come without hashes of its own.
        sys.modules["hashlib"].new("sha256"), sys.modules["hashlib"].new("blake2b")
    except Exception:
        # Whatever another version of a library does with an empty class. Others may hold one by now too.
        for name in sys.modules.keys() - before - stands.keys():
            if getattr(sys.modules[name], "__file__", None):
                del sys.modules[name]
    finally:
        for name in stands:
            sys.modules.pop(name, None)


def tune_gc() -> None:
    """Freeze all present objects (mainly modules) and raise the threshold of the young generation.

    Call it once, before the first of many samples. A sample makes thousands of objects that live until the
    next one, none in a cycle. By default each sample would be scanned several times, and every few minutes
    the whole heap, while all other threads wait.
    """
    gc.collect()
    gc.freeze()
    _, young, old = gc.get_threshold()
    gc.set_threshold(_FRESH, young, old)


class ReleaseAfterBursts:
    """Gives memory back to the kernel once there is far less to watch than there was.

    The allocator keeps what it has freed below its topmost block: after a burst of sessions half of it and
    more stays resident for good.
    """

    def __init__(self) -> None:
        self._most = 0
        self._since: float | None = None

    def observe(self, size: int, at: float) -> bool:
        """Note how much there is at the monotonic time `at`; return whether memory was released.

        That is a minute after the size has fallen by a quarter of the largest: caches have followed by then.
        """
        if size > self._most * 3 // 4 or self._most < _FEW:
            self._most, self._since = max(size, self._most), None
        elif self._since is None:
            self._since = at
        elif at - self._since >= _SETTLED_SECONDS:
            self._most, self._since = size, None
            release_memory()
            return True
        return False


def release_memory() -> None:
    """Give freed memory back to the kernel, where the C library can."""
    import ctypes  # noqa: PLC0415 - hardly ever needed

    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def own_figures() -> dict[str, float]:
    """What this process uses, by the names of Prometheus's client libraries; empty where there is no /proc.

    prometheus_client reads the same in ten times the CPU.
    """
    import resource  # noqa: PLC0415 - not on every system

    try:
        size, resident = _words("/proc/self/statm")[:2]
        usage, limit = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return {
            "process_virtual_memory_bytes": float(size) * resource.getpagesize(),
            "process_resident_memory_bytes": float(resident) * resource.getpagesize(),
            "process_start_time_seconds": start_time(),
            "process_cpu_seconds_total": usage.ru_utime + usage.ru_stime,
            # The size of the folder since Linux 6.2.
            "process_open_fds": os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd")),
            "process_max_fds": math.inf if limit == resource.RLIM_INFINITY else limit,
        }
    except OSError:
        return {}


@cache
def start_time() -> float:
    """When this process was started, in seconds since the epoch. Raises OSError."""
    ticks = _words("/proc/self/stat", b")")[19]
    return float(_words("/proc/stat", b"\nbtime ")[0]) + float(ticks) / os.sysconf("SC_CLK_TCK")


def _words(path: str, after: bytes = b"") -> list[bytes]:
    with open(path, "rb", buffering=0) as stream:
        content = stream.read() or b""
    return (content.rpartition(after)[2] if after else content).split()


def has_terminal() -> bool:
    """Whether a terminal controls this process. A terminal that hangs up is detached before SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
