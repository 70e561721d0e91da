"""Receive many messages of a socket with one system call (`recvmmsg`), into the same memory each time."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

_MESSAGES = 128
_DONT_WAIT = 0x40
_VECTOR = struct.Struct("@PN")
# What the kernel has received is in the last word but padding. A `0P` pads to the size of a pointer.
_HEADER = struct.Struct("@PIPNPNi0PI0P")


class ReceiveMany:
    """Messages of a socket in slots of `size` bytes; a longer one is cut, a shorter one ends in old bytes."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._slots = bytearray(_MESSAGES * size)
        self._view = memoryview(self._slots)
        first = _address(self._slots)
        each = range(_MESSAGES)
        self._vectors = bytearray(b"".join(_VECTOR.pack(first + at * size, size) for at in each))
        place = _address(self._vectors)
        self._headers = bytearray(
            b"".join(_HEADER.pack(0, 0, place + at * _VECTOR.size, 1, 0, 0, 0, 0) for at in each)
        )
        call = ctypes.CDLL(None, use_errno=True).recvmmsg
        call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        self._call = call
        self._place = _address(self._headers)

    def batches(self) -> Iterator[memoryview]:
        """All that has come, many at a time, each valid until the next. Raises OSError if some were lost."""
        received = _MESSAGES
        while received == _MESSAGES:
            received = self._call(self._descriptor, self._place, _MESSAGES, _DONT_WAIT, None)
            if received < 0 and ctypes.get_errno() == errno.EAGAIN:
                return
            if received < 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
            yield self._view[: received * self._size]


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
