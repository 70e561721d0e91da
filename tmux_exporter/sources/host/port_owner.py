"""Find the process that listens on a TCP port, by the inode in /proc/net/tcp and the links in /proc/PID/fd.

For commands only, not for sampling.
"""

import os
import pwd
from collections.abc import Iterator

_LISTEN = "0A"


def who_listens(port: int, root: str = "/proc") -> str | None:
    """`NAME (pid N)`, or `a process of user NAME` if its fds cannot be read; None if nothing listens."""
    listeners = dict(_listeners(port, root))
    owners = _owners(set(listeners), root)
    if owners:
        return " and ".join(f"{_program(pid, root)} (pid {pid})" for pid in sorted(owners))
    users = sorted({_user(uid) for uid in listeners.values()})
    return f"a process of user {' or '.join(users)}" if users else None


def listening_uids(port: int, root: str = "/proc") -> set[int]:
    """The users whose processes listen on a port; empty if none does or that cannot be read."""
    return {uid for _, uid in _listeners(port, root)}


def _listeners(port: int, root: str) -> Iterator[tuple[str, int]]:
    """Inode and uid of every listening TCP socket with this port."""
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{root}/net/{table}", encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                yield row[9], int(row[7])


def _owners(inodes: set[str], root: str) -> set[int]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return {
        int(pid)
        for pid in (os.listdir(root) if wanted else ())
        if pid.isdecimal() and not wanted.isdisjoint(_open_files(pid, root))
    }


def _open_files(pid: str, root: str) -> Iterator[str]:
    folder = f"{root}/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:
            continue


def _program(pid: int, root: str) -> str:
    try:
        with open(f"{root}/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            name = comm.read().removesuffix("\n")
    except OSError:
        return "a process"
    # A process names itself, and this goes to a terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
