"""End of a lease in a scope: moves what is in it back to the cgroup that it came from; a program of its own.

A transient timer of the user's systemd runs it by its path, isolated: standard library only. The same timer
lifts the bounds of the scope after it, whatever comes of it.
"""

import sys
from collections.abc import Sequence

ROUNDS = 10
"""How often it looks again: a process may start another one while it is moved."""


def main(words: Sequence[str]) -> None:
    """Move the processes of one cgroup.procs file into another one."""
    origin, target = words
    for _ in range(ROUNDS):
        pids = _pids(origin)
        if not pids:
            return
        for each in pids:
            try:
                # One process for each write, or the kernel refuses it.
                with open(target, "w", encoding="ascii") as stream:
                    stream.write(each)
            except ProcessLookupError:
                continue


def _pids(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().split()
    except FileNotFoundError:
        # The scope went with its last process.
        return []


if __name__ == "__main__":
    main(sys.argv[1:])
