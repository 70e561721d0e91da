"""The soft limit of file descriptors of another process."""

import os
import resource


def soft_limit(pid: int, files: int) -> int:
    """Set it; what it was. The hard one stays, so that it can be set back without any privilege."""
    before, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, hard))
    return before


def no_more_files(pid: int) -> int:
    """Let it open nothing beyond what it has open for long; what its limit was."""
    return soft_limit(pid, min([_lowest_free(pid) for _ in range(50)]))


def _lowest_free(pid: int) -> int:
    taken = {int(each) for each in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(taken) + 1)) - taken)
