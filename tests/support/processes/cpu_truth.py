"""What a pane really used: by the accounts of a cgroup of its own, and by those of a process that waits."""

import os
import sys
import uuid
from pathlib import Path

from tests.support.wait import wait_for

_FOLDERS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
"""Where cgroup v2 is mounted, alone or beside v1."""

_NOWHERE = Path("/nonexistent")

TIMEKEEPER = """\
import os, resource, sys

def used():
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open("/proc/self/io") as io:
        figures = dict(line.split(": ") for line in io)
    return sum(each.ru_utime + each.ru_stime for each in every), int(figures["write_bytes"])

base, command = sys.argv[1:]
with open(base + "/go") as go:
    go.readline()
cpu, written = used()
child = os.fork()
if child == 0:
    os.execvp("sh", ["sh", command])
os.waitpid(child, 0)
cpu_now, written_now = used()
with open(base + "/used.new", "w") as out:
    print(cpu_now - cpu, written_now - written, file=out)
os.rename(base + "/used.new", base + "/used")
with open(base + "/go") as go:
    go.readline()
"""
"""Waits for a word, runs a shell script, writes down what that cost, and stays until the next word."""


class Workload:
    """A script that a pane runs when it is told, once, and stays after it."""

    def __init__(self, base: Path, script: str) -> None:
        self.base = base
        base.mkdir()
        os.mkfifo(base / "go")
        (base / "timekeeper.py").write_text(TIMEKEEPER)
        (base / "script.sh").write_text(script)

    @property
    def command(self) -> str:
        """What the pane is to run."""
        return f"exec {sys.executable} -S {self.base}/timekeeper.py {self.base} {self.base}/script.sh"

    def start(self) -> None:
        """Give the word; comes back once it has been heard."""
        (self.base / "go").write_text("go\n")

    @property
    def is_done(self) -> bool:
        return (self.base / "used").exists()

    def used(self) -> float:
        """CPU seconds of the script and of all that was waited for, by the accounts of the one who waited."""
        return float((self.base / "used").read_text().split()[0])

    def written(self) -> int:
        """Bytes that they sent towards storage, by the same accounts."""
        return int((self.base / "used").read_text().split()[1])


class Cgroup:
    """A cgroup of its own for a process and all that it starts from now on."""

    def __init__(self, pid: int, name: str = "test-{}") -> None:
        self._folder = self.root() / name.format(uuid.uuid4())
        self._folder.mkdir()
        (self._folder / "cgroup.procs").write_text(str(pid))

    @classmethod
    def root(cls) -> Path:
        """Where they are made: in cgroup v2, wherever it is mounted."""
        return next((each for each in _FOLDERS if (each / "cgroup.controllers").exists()), _NOWHERE)

    @classmethod
    def possible(cls) -> bool:
        """Whether we may make one, as root."""
        return os.access(cls.root(), os.W_OK)

    def used(self) -> float:
        """CPU seconds of everything that has been in it."""
        (line,) = [
            each
            for each in (self._folder / "cpu.stat").read_text().splitlines()
            if each.startswith("usage_usec ")
        ]
        return int(line.split()[1]) / 1e6

    def members(self) -> list[int]:
        """The pids in it."""
        return [int(each) for each in (self._folder / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """Remove it, once all in it have ended."""
        wait_for(lambda: not (self._folder / "cgroup.procs").read_text(), "the cgroup is empty")
        self._folder.rmdir()


class CpuacctCgroup(Cgroup):
    """One of version 1."""

    @classmethod
    def root(cls) -> Path:
        """The hierarchy that accounts for CPU time."""
        return Path("/sys/fs/cgroup/cpuacct")

    def used(self) -> float:
        """CPU seconds of everything that has been in it."""
        return int((self._folder / "cpuacct.usage").read_text()) / 1e9


class MemoryCgroup(Cgroup):
    """One of version 1 that counts memory."""

    @classmethod
    def root(cls) -> Path:
        """The hierarchy that accounts for memory."""
        return Path("/sys/fs/cgroup/memory")

    def limit(self, size: int) -> None:
        """Let what is in it take so many bytes."""
        (self._folder / "memory.limit_in_bytes").write_text(str(size))
