"""Find mounted file systems whose space can be read without waiting for an unreachable server.

A disk that is mounted below a network file system can block too. So only mounts are read whose own type,
and the type of every mount above, is in these lists: types that the kernel serves by itself.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tmux_exporter.facts.host import FileSystem
from tmux_exporter.sources.common.opened import opened

DISKS = frozenset(
    {
        *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "nilfs2"),
        *("ntfs3", "reiserfs", "vfat", "xfs", "zfs"),
    }
)
"""File system types on a disk of this machine."""

VOLATILE = frozenset({"overlay", "ramfs", "tmpfs"})
"""Types in memory or on top of others: only read if one of our paths is on them."""

_WALKED = DISKS | VOLATILE | {"devtmpfs", "erofs", "rootfs", "squashfs"}
# One mount for each container, with a name that is used once.
_OF_CONTAINERS = (b"/var/lib/docker/", b"/var/lib/containers/", b"/var/lib/kubelet/")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_ID = re.compile(rb"^mnt_id:\t(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of mountinfo. `device` is the file system, whole or in part: `root` is what of it is shown."""

    id: int
    parent: int
    device: bytes
    root: bytes
    point: bytes
    kind: str


def parse_mounts(raw: bytes) -> tuple[Mount, ...]:
    r"""Parse /proc/PID/mountinfo (proc_pid_mountinfo(5)); ValueError for a malformed line.

    In a path blank, TAB, newline and backslash, and since Linux 5.18 `#`, are octal escapes; other bytes
    are unescaped, so lines end at newlines only and words at blanks only.
    """
    return tuple(_parse_mount(line) for line in raw.split(b"\n") if line)


def _parse_mount(line: bytes) -> Mount:
    words = line.split(b" ")
    try:
        separator = words.index(b"-", 6)
        return Mount(
            id=int(words[0]),
            parent=int(words[1]),
            device=words[2],
            root=_unescape(words[3]),
            point=_unescape(words[4]),
            kind=words[separator + 1].decode("ascii", "replace"),
        )
    except (IndexError, ValueError) as error:
        raise ValueError(f"mountinfo: {error}") from error


def _unescape(word: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), word)


def local_mounts(mounts: Iterable[Mount], places: Iterable[bytes]) -> tuple[Mount, ...]:
    """The mounts to read, the best one first if several show the same file system.

    All of DISKS, and those of VOLATILE that one of the `places` (absolute paths) is on, as the paths are
    spelled: resolving a symbolic link could block.
    """
    tree = _Tree(mounts)
    holders = (tree.holder(place) for place in places)
    wanted = {mount.id: mount for mount in holders if mount and mount.kind in DISKS | VOLATILE}
    for mount in tree.mounts:
        if mount.kind in DISKS and not mount.point.startswith(_OF_CONTAINERS) and tree.is_on_top(mount):
            wanted[mount.id] = mount
    return tuple(
        sorted(
            (mount for mount in wanted.values() if tree.is_local(mount)),
            key=lambda mount: (mount.device, mount.root != b"/", len(mount.point), mount.point),
        )
    )


class _Tree:
    """All mounts, and the mount of each path."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self.mounts = tuple(mounts)
        self._by_id = {mount.id: mount for mount in self.mounts}
        self._by_point: dict[bytes, list[Mount]] = {}
        # The root of all is its own parent.
        self._mounted = {(mount.parent, mount.point) for mount in self.mounts if mount.parent != mount.id}
        for mount in self.mounts:
            self._by_point.setdefault(mount.point, []).append(mount)

    def holder(self, place: bytes) -> Mount | None:
        """The mount that a path is on."""
        for point in (place, *_above(place)):
            for mount in self._by_point.get(point, ()):
                if self.is_on_top(mount):
                    return mount
        return None

    def is_on_top(self, mount: Mount) -> bool:
        """Whether its mount point leads to it, and not to a mount over it or over a folder on the way."""
        # An older mount has the same parent as the one that covers it; a younger one is its child.
        return (mount.id, mount.point) not in self._mounted and not any(
            (each.parent, point) in self._mounted
            for each in self._line(mount)
            for point in _above(each.point)
        )

    def is_local(self, mount: Mount) -> bool:
        """Whether neither it nor a mount above needs a server."""
        return all(each.kind in _WALKED for each in self._line(mount))

    def _line(self, mount: Mount) -> Iterator[Mount]:
        """The mount and all above it."""
        seen: set[int] = set()
        current: Mount | None = mount
        while current is not None and current.id not in seen:
            yield current
            seen.add(current.id)
            current = self._by_id.get(current.parent)


def _above(path: bytes) -> Iterator[bytes]:
    """Every folder above an absolute path, the nearest first."""
    while path != (path := posixpath.dirname(path)):
        yield path


def space(mount: Mount, proc_root: str) -> FileSystem | None:
    """Read the space of a mount; None if it cannot be read or another mount is there now."""
    try:
        with opened(mount.point, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW) as descriptor:
            with open(f"{proc_root}/self/fdinfo/{descriptor}", "rb") as stream:
                found = _MOUNT_ID.search(stream.read())
            if found is None or int(found[1]) != mount.id:
                return None
            asked = os.fstatvfs(descriptor)
    except OSError:
        return None
    if not asked.f_blocks:
        return None
    return FileSystem(
        size_bytes=asked.f_blocks * asked.f_frsize,
        available_bytes=asked.f_bavail * asked.f_frsize,
        inodes=asked.f_files or None,
        available_inodes=asked.f_favail if asked.f_files else None,
    )
