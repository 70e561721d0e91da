"""What a pane really uses: a cgroup of its own in every hierarchy that is mounted, version 1 or 2."""

import ctypes
import os
import signal
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.say import wait_for

_ROOT = Path("/sys/fs/cgroup")
_KCMP = {"x86_64": 312, "aarch64": 272}
_KCMP_FILES = 2


def hierarchies() -> tuple[Path, ...]:
    """Where a cgroup can be made: the one hierarchy of version 2, or those of version 1 that count."""
    if (_ROOT / "cgroup.controllers").exists():
        return (_ROOT,)
    found = (_ROOT / name for name in ("cpuacct", "memory", "unified"))
    return tuple(each for each in found if (each / "cgroup.procs").exists())


def lacking() -> str:
    """Why truth cannot be had here; empty where it can."""
    if not (found := hierarchies()):
        return "no hierarchy of cgroups is mounted"
    if not all(os.access(each, os.W_OK) for each in found):
        return (
            "only root may make cgroups: run it as root; --as NAME runs tmux and the exporters as that user"
        )
    if found == (_ROOT,) and "memory" not in (_ROOT / "cgroup.subtree_control").read_text().split():
        return "the memory controller is not handed down: echo +memory >/sys/fs/cgroup/cgroup.subtree_control"
    return ""


class Truth:
    """A cgroup for one process and all that it starts from now on.

    `name` is how the cgroup is called, with `{}` for what makes it unique. `beside` are pids of strangers
    that are put into it too: so it is no longer the pane's own.
    """

    def __init__(self, pid: int, name: str, beside: Iterable[int] = ()) -> None:
        self._strangers = frozenset(beside)
        self._folders = tuple(each / name.format(uuid.uuid4()) for each in hierarchies())
        for folder in self._folders:
            folder.mkdir()
            for each in (pid, *self._strangers):
                (folder / "cgroup.procs").write_text(str(each))

    def cpu_seconds(self) -> float:
        """CPU of everything that has been in it, in seconds; strangers, who rest, included."""
        if (old := self._file("cpuacct.usage")) is not None:
            return int(old) / 1e9
        return self._table("cpu.stat")["usage_usec"] / 1e6

    def memory_bytes(self) -> int:
        """Anonymous and shared memory that is charged to it; page cache of files is not in it."""
        found = self._table("memory.stat")
        if "total_rss" in found:  # Version 1.
            return found["total_rss"] + found["total_shmem"]
        return found["anon"] + found["shmem"]

    def open_fds(self) -> int:
        """Open descriptors of what is in it; a table that several processes share counts once."""
        tables: list[int] = []
        for pid in self.pids():
            if not any(_same_files(pid, other) for other in tables):
                tables.append(pid)
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in tables)

    def pids(self) -> set[int]:
        """What is in it, without strangers."""
        text = (self._folders[0] / "cgroup.procs").read_text()
        return {int(pid) for pid in text.split()} - self._strangers

    def close(self) -> None:
        """End what a workload has left behind, and remove the cgroup."""
        wait_for(lambda: not self._end(), "all in the cgroup have ended")
        for folder in self._folders:
            folder.rmdir()

    def _end(self) -> set[int]:
        left = self.pids()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def _file(self, name: str) -> str | None:
        for folder in self._folders:
            if (folder / name).exists():
                return (folder / name).read_text()
        return None

    def _table(self, name: str) -> dict[str, int]:
        text = self._file(name)
        assert text is not None, name
        return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def _same_files(one: int, other: int) -> bool:
    """Whether both have one table of descriptors (CLONE_FILES)."""
    call = ctypes.CDLL(None).syscall
    return bool(call(_KCMP[os.uname().machine], one, other, _KCMP_FILES, 0, 0) == 0)
