"""Parse kernel process events (`linux/cn_proc.h`) from netlink messages; pure.

A message is a netlink header (16 bytes), a connector header (20) and an event: what, cpu, nanoseconds since
boot, and its data.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_NETLINK = struct.Struct("=IHHII")
_CONNECTOR = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQ")
_PAIR = struct.Struct("=II")
_EXIT = struct.Struct("=III")
_WORD = struct.Struct("=I")
_NLMSG_DONE = 3
_CN_IDX_PROC = 1
_LISTEN = 1

_NONE = 0
EXEC = 0x2
EXIT = 0x8000_0000


class Acknowledged(NamedTuple):
    """The kernel's answer to a request: 0, or an error number."""

    error: int


class Started(NamedTuple):
    """A process has begun to run another program; times are nanoseconds since boot."""

    pid: int
    at: int


class Exited(NamedTuple):
    """A process has ended, with its wait status."""

    pid: int
    at: int
    status: int


ProcessEvent = Acknowledged | Started | Exited


def request(port: int, *, only: int | None = None) -> bytes:
    """The request for events; `only` is a mask of wanted events, ignored before Linux 6.6."""
    words = (_LISTEN,) if only is None else (_LISTEN, only)
    wanted = b"".join(_WORD.pack(word) for word in words)
    connector = _CONNECTOR.pack(_CN_IDX_PROC, _CN_IDX_PROC, 0, 0, len(wanted), 0) + wanted
    return _NETLINK.pack(_NETLINK.size + len(connector), _NLMSG_DONE, 0, 0, port) + connector


def parse(message: bytes) -> Iterator[ProcessEvent]:
    """The events in one received message, without other kinds and cut ones."""
    offset = 0
    while offset + _NETLINK.size <= len(message):
        length = _NETLINK.unpack_from(message, offset)[0]
        if length < _NETLINK.size or offset + length > len(message):
            return
        event = _event(message[offset + _NETLINK.size : offset + length])
        if event is not None:
            yield event
        # Each message begins at a multiple of 4.
        offset += (length + 3) & ~3


def _event(body: bytes) -> ProcessEvent | None:
    payload = body[_CONNECTOR.size :]
    if len(payload) < _EVENT.size + _EXIT.size or _CONNECTOR.unpack_from(body)[0] != _CN_IDX_PROC:
        return None
    what, _, at = _EVENT.unpack_from(payload)
    if what == _NONE:
        return Acknowledged(_WORD.unpack_from(payload, _EVENT.size)[0])
    if what == EXEC:
        _, group = _PAIR.unpack_from(payload, _EVENT.size)
        return Started(group, at)
    if what == EXIT:
        thread, group, status = _EXIT.unpack_from(payload, _EVENT.size)
        # The end of a thread is not the end of the program.
        return Exited(group, at, status) if thread == group else None
    return None
