"""Small files that somebody else writes, read as if an enemy had put them there."""

import os
import stat
from typing import NamedTuple

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class UntrustedFileError(ValueError):
    """A file that is there and not to be believed; the text says why, without its name."""


def read_guarded(path: str, *, uid: int, limit: int, folder: int | None = None) -> bytes:
    """The content of a plain file that belongs to `uid` and that nobody else can write.

    `folder` is the open folder that `path` is looked up in, where that is not to be looked up again.

    Raises FileNotFoundError where there is none, UntrustedFileError for a link, a folder, a pipe, a file of
    another user, one that others can write, one of more than `limit` bytes and one that cannot be read.
    """
    try:
        descriptor = os.open(path, _OPEN, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        is_link = _is_link(path, folder)
        raise UntrustedFileError("is a link" if is_link else f"cannot be read ({error.strerror})") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedFileError("is no plain file")
        if found.st_uid != uid:
            raise UntrustedFileError("belongs to another user")
        if found.st_mode & 0o022:
            raise UntrustedFileError("can be written by others")
        content = os.read(descriptor, limit + 1)
    except OSError as error:
        raise UntrustedFileError(f"cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise UntrustedFileError(f"is larger than {limit} bytes")
    return content


def _is_link(path: str, folder: int | None) -> bool:
    try:
        return stat.S_ISLNK(os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


class Mark(NamedTuple):
    """What changes whenever a name leads to another file or to another content; times in seconds."""

    device: int
    inode: int
    mode: int
    owner: int
    size: int
    written: float
    changed: float

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        return stat.S_ISDIR(self.mode)


def mark_of(path: str) -> Mark | None:
    """The mark of a file, or of the link that is there in its place; None where nothing is to be seen."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return Mark(
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_size,
        found.st_mtime,
        found.st_ctime,
    )
