"""`shapes.py NAME FOLDER`: take memory, descriptors or write bytes in one way, say so in FOLDER/go, and stay.

It runs inside the panes that are measured, with the standard library only.
"""

import ctypes
import mmap
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

MIB = 1 << 20
SIZE = 100 * MIB
LARGE = 300 * MIB
WRITTEN = 32 * MIB
_PAGE = mmap.PAGESIZE
_CLONE_FILES = 0x400
_CLONE_NUMBERS = {"x86_64": 56, "aarch64": 220}
_SHM_CREATE = 0o1600
_kept: list[object] = []


def rest() -> NoReturn:
    while True:
        signal.pause()


def touch(area: mmap.mmap, size: int, start: int = 0) -> None:
    for at in range(start, size, _PAGE):
        area[at] = 1


def anonymous(size: int, flags: int = mmap.MAP_PRIVATE) -> mmap.mmap:
    area = mmap.mmap(-1, size, flags=flags | mmap.MAP_ANONYMOUS)
    touch(area, size)
    _kept.append(area)
    return area


def fork(work: Callable[[], None]) -> int:
    """A child that does its work, says so, and stays; comes back once it has."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        work()
        os.write(writing, b".")
        os.close(writing)
        rest()
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return pid


def nothing() -> None:
    """What a fork without work of its own does."""


def heap() -> None:
    _kept.append(bytearray(b"x" * SIZE))


def lists() -> None:
    _kept.append([[number] for number in range(500_000)])


def huge_pages() -> None:
    area = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_HUGEPAGE)
    touch(area, SIZE)
    _kept.append(area)


def given_back() -> None:
    anonymous(SIZE).madvise(mmap.MADV_DONTNEED, 0, SIZE // 2)


def free_when_needed() -> None:
    anonymous(SIZE).madvise(mmap.MADV_FREE, 0, SIZE // 2)


def locked() -> None:
    area = anonymous(32 * MIB)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ctypes.CDLL(None).mlock(ctypes.c_void_p(address), ctypes.c_size_t(32 * MIB))


def many_threads() -> None:
    anonymous(SIZE // 2)
    for _ in range(200):
        threading.Thread(target=threading.Event().wait, daemon=True).start()


def forks() -> None:
    anonymous(SIZE)
    for _ in range(6):
        fork(nothing)


def large_forks() -> None:
    anonymous(LARGE)
    for _ in range(6):
        fork(nothing)


def forks_that_write() -> None:
    area = anonymous(SIZE)
    for _ in range(4):
        fork(lambda: touch(area, SIZE // 2))


def forks_of_forks() -> None:
    anonymous(SIZE)
    fork(lambda: (fork(lambda: (fork(nothing), None)[1]), None)[1])


def forks_without_parent() -> None:
    anonymous(SIZE // 4)

    def parent() -> None:
        anonymous(SIZE)
        for _ in range(4):
            fork(nothing)

    os.kill(fork(parent), signal.SIGKILL)


def forks_that_exec() -> None:
    anonymous(SIZE)
    for _ in range(6):
        os.posix_spawn("/bin/sleep", ["sleep", "100000"], os.environ)


def shared() -> None:
    anonymous(SIZE, mmap.MAP_SHARED)


def shared_by_five() -> None:
    area = anonymous(SIZE, mmap.MAP_SHARED)
    for _ in range(4):
        fork(lambda: touch(area, SIZE))


def system_v() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, ctypes.c_size_t(SIZE), _SHM_CREATE)
    address = libc.shmat(number, None, 0)
    libc.shmctl(number, 0, None)
    ctypes.memset(address, 1, SIZE)


def memory_file(name: str) -> int:
    descriptor = os.memfd_create(name)
    os.ftruncate(descriptor, SIZE)
    return descriptor


def memory_file_mapped() -> None:
    area = mmap.mmap(memory_file("mapped"), SIZE)
    touch(area, SIZE)
    _kept.append(area)


def memory_file_written() -> None:
    write(memory_file("written"), SIZE)


def write(descriptor: int, size: int) -> None:
    block = b"x" * MIB
    for _ in range(size // MIB):
        os.write(descriptor, block)


@contextmanager
def file_of(folder: str, size: int) -> Iterator[int]:
    path = Path(folder) / f"shape-{os.getpid()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write(descriptor, size)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        path.unlink()


def deleted_in_memory() -> None:
    with file_of("/dev/shm", SIZE):
        pass


def private_file() -> None:
    with file_of("/var/tmp", SIZE) as descriptor:
        area = mmap.mmap(descriptor, SIZE, flags=mmap.MAP_PRIVATE)
        touch(area, SIZE)
        _kept.append(area)


def read_file() -> None:
    """Pages of a file that are only read belong to nobody: what counts is the little beside them."""
    anonymous(SIZE // 2)
    with file_of("/var/tmp", SIZE) as descriptor:
        area = mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ)
        _kept.append((area, sum(area[at] for at in range(0, SIZE, _PAGE))))


def descriptors() -> None:
    """Twenty each of files, pipes, sockets, epoll, events and memory files."""
    for number in range(20):
        _kept.append((os.open(os.devnull, os.O_RDONLY), os.pipe(), socket.socketpair(), select.epoll()))
        _kept.append((os.memfd_create(f"m{number}"), os.eventfd(0)))


def descriptors_inherited() -> None:
    descriptors()
    for _ in range(3):
        fork(nothing)


def descriptors_of_deleted_files() -> None:
    for _ in range(50):
        with file_of("/var/tmp", MIB):
            pass


def descriptors_shared() -> None:
    """Two processes with one table of descriptors."""
    descriptors()
    call = ctypes.CDLL(None).syscall
    if call(_CLONE_NUMBERS[os.uname().machine], _CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        rest()


def written() -> None:
    with file_of("/var/tmp", WRITTEN) as descriptor:
        os.fsync(descriptor)


def copied(copy: Callable[[int, int, int], int]) -> None:
    with file_of("/dev/shm", WRITTEN) as source:
        target = os.open(f"/var/tmp/shape-to-{os.getpid()}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        left = WRITTEN
        while left:
            left -= copy(source, target, left)
        os.fsync(target)
        os.unlink(f"/var/tmp/shape-to-{os.getpid()}")


def sent() -> None:
    copied(lambda source, target, left: os.sendfile(target, source, None, left))


def spliced() -> None:
    reading, writing = os.pipe()

    def copy(source: int, target: int, left: int) -> int:
        moved = os.splice(source, writing, min(left, 1 << 16))
        done = moved
        while done:
            done -= os.splice(reading, target, done)
        return moved

    copied(copy)


def mapped_and_synced() -> None:
    descriptor = os.open(f"/var/tmp/shape-{os.getpid()}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(f"/var/tmp/shape-{os.getpid()}")
    os.ftruncate(descriptor, WRITTEN)
    area = mmap.mmap(descriptor, WRITTEN)
    touch(area, WRITTEN)
    area.flush()


SHAPES: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        *(heap, lists, huge_pages, given_back, free_when_needed, locked, many_threads, forks, large_forks),
        *(forks_that_write, forks_of_forks, forks_without_parent, forks_that_exec, shared, shared_by_five),
        *(system_v, memory_file_mapped, memory_file_written, deleted_in_memory, private_file, read_file),
        *(descriptors, descriptors_inherited, descriptors_of_deleted_files, descriptors_shared),
        *(written, sent, spliced, mapped_and_synced),
    )
}


def main() -> None:
    name, folder = sys.argv[1:]
    SHAPES[name]()
    (Path(folder) / "ready").write_text("ready\n")
    rest()


if __name__ == "__main__":
    main()
