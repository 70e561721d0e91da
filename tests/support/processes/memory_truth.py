"""What memory a pane really holds: by the accounts of a memory cgroup of its own."""

import os
import uuid
from pathlib import Path

from tests.support.wait import wait_for

_V2 = Path("/sys/fs/cgroup")
_V1 = Path("/sys/fs/cgroup/memory")


def _folder() -> Path | None:
    """Where a cgroup with a memory controller can be made: version 1, or version 2 that hands it down."""
    if (_V1 / "memory.stat").exists() and os.access(_V1, os.W_OK):
        return _V1
    handed_down = _V2 / "cgroup.subtree_control"
    if handed_down.exists() and "memory" in handed_down.read_text().split() and os.access(_V2, os.W_OK):
        return _V2
    return None


class MemoryCgroup:
    """A memory cgroup of its own for a process and all that it starts from now on."""

    def __init__(self, pid: int) -> None:
        root = _folder()
        assert root is not None
        self._is_v1 = root == _V1
        self._folder = root / f"test-{uuid.uuid4()}"
        self._folder.mkdir()
        (self._folder / "cgroup.procs").write_text(str(pid))

    @staticmethod
    def possible() -> bool:
        """Whether we may make one."""
        return _folder() is not None

    def held(self) -> int:
        """Bytes of anonymous and shared memory that are charged to it; page cache of files is not in it."""
        figures = self._figures("memory.stat")
        # Version 1 calls anonymous memory `rss`.
        return figures["rss" if self._is_v1 else "anon"] + figures["shmem"]

    def swapped(self) -> int:
        """Bytes of it in swap."""
        if self._is_v1:
            return self._figures("memory.stat")["swap"]
        return int((self._folder / "memory.swap.current").read_text())

    def limit(self, size: int) -> None:
        """Let it keep so many bytes in memory; what is more is pushed out."""
        name = "memory.limit_in_bytes" if self._is_v1 else "memory.high"
        (self._folder / name).write_text(str(size))

    def close(self) -> None:
        """Remove it, once all in it have ended."""
        wait_for(lambda: not (self._folder / "cgroup.procs").read_text(), "the memory cgroup is empty", 30)
        self._folder.rmdir()

    def _figures(self, name: str) -> dict[str, int]:
        lines = (self._folder / name).read_text().splitlines()
        return {key: int(value) for key, value in (line.split() for line in lines)}
