"""Read small files that other programs write, without trusting owner, type, mode or size."""

import os
import stat
from typing import NamedTuple

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class UntrustedFileError(ValueError):
    """A file that exists but is not trusted; the text says why, without the name of the file."""


def read_guarded(path: str, *, uid: int, limit: int, folder: int | None = None) -> bytes:
    """Read a regular file that belongs to `uid` and that no other user can write.

    `folder` is an open folder; `path` is then relative to it.

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
    """Identity and change times of a file: changes when the name means another file or content. Seconds."""

    device: int
    inode: int
    mode: int
    owner: int
    size: int
    written: float
    changed: float

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder and not a symbolic link."""
        return stat.S_ISDIR(self.mode)


def mark_of(path: str) -> Mark | None:
    """The mark of a file, or of the symbolic link itself; None if it cannot be read."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return Mark(
        found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size, found.st_mtime, found.st_ctime
    )
