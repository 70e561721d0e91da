"""Open a file or a folder by its descriptor, for the time of a block."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened(path: str | bytes, flags: int = FOLDER, folder: int | None = None) -> Iterator[int]:
    """The descriptor of `path`, relative to an open `folder` if one is given. Raises OSError."""
    descriptor = os.open(path, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
