"""tmux's socket protocol without I/O: build the request, parse the answer as it arrives.

A wrong byte can end a server with all its sessions (MALFORMED_MESSAGE and TERMINAL_NAME in
facts/tmux_quirks.py). So the request is one template, `request_check` reads it back before it is sent, and
the only other messages ever sent are "ready for stdout" and "exiting".

A tmux server is not trusted: a stock client reads and writes files that the server names. This client takes
text for stdout and stderr and an exit status; on any other message it closes the connection.

Little endian only: a message without a file descriptor then looks the same in both header layouts
(LONG_LENGTH).
"""

import struct
from collections.abc import Sequence
from enum import IntEnum

from tmux_exporter.facts.tmux import QueryFailure

PROTOCOL_VERSION = 8
MAX_FRAME = 16384
MAX_ANSWER = 16 << 20
"""The limit of bytes of one answer with headers; twice the longest listing."""

_HEADER = struct.Struct("=IIII")
_INT = struct.Struct("=i")
_FD_FLAGS = (0x0000, 0x0001, 0x8000)


class Message(IntEnum):
    """The message types that we send or understand."""

    VERSION = 12
    IDENTIFY_FLAGS = 100
    IDENTIFY_TERM = 101
    IDENTIFY_TTYNAME = 102
    IDENTIFY_DONE = 106
    IDENTIFY_CLIENTPID = 107
    IDENTIFY_CWD = 108
    IDENTIFY_FEATURES = 109
    IDENTIFY_LONGFLAGS = 111
    COMMAND = 200
    DETACH = 201
    DETACHKILL = 202
    EXIT = 203
    EXITING = 205
    LOCK = 206
    SHELL = 209
    SHUTDOWN = 210
    SUSPEND = 214
    EXEC = 217
    READ_OPEN = 300
    READ = 301
    READ_DONE = 302
    WRITE_OPEN = 303
    WRITE = 304
    WRITE_READY = 305
    WRITE_CLOSE = 306
    READ_CANCEL = 307


_UTF8_CLIENT = 0x10000
_IDENTIFICATION: tuple[tuple[Message, bytes], ...] = (
    (Message.IDENTIFY_FLAGS, struct.pack("=i", _UTF8_CLIENT)),
    (Message.IDENTIFY_LONGFLAGS, struct.pack("=Q", _UTF8_CLIENT)),
    (Message.IDENTIFY_TERM, b"dumb\0"),
    (Message.IDENTIFY_FEATURES, struct.pack("=i", 0)),
    (Message.IDENTIFY_TTYNAME, b"\0"),
    (Message.IDENTIFY_CWD, b"/\0"),
)
_DEMANDS = frozenset(
    {
        Message.DETACH,
        Message.DETACHKILL,
        Message.LOCK,
        Message.SHELL,
        Message.SUSPEND,
        Message.EXEC,
        Message.READ_OPEN,
        Message.READ,
        Message.READ_CANCEL,
    }
)
_STREAMS = (1, 2)


def frame(kind: int, body: bytes, pid: int) -> bytes:
    """One message as sent over the socket."""
    return _HEADER.pack(kind, _HEADER.size + len(body), PROTOCOL_VERSION, pid) + body


def request(arguments: Sequence[str], pid: int) -> bytes:
    """The whole request: the identification (a UTF-8 client without a terminal), then one command list."""
    command = _INT.pack(len(arguments)) + b"".join(a.encode("ascii") + b"\0" for a in arguments)
    messages = (
        *_IDENTIFICATION,
        (Message.IDENTIFY_CLIENTPID, _INT.pack(pid)),
        (Message.IDENTIFY_DONE, b""),
        (Message.COMMAND, command),
    )
    return b"".join(frame(kind, body, pid) for kind, body in messages)


class Conversation:
    """One answer, fed in pieces of any size.

    `done` becomes true at the end of the answer, with its `exit_status`, or at the first message that a
    server must not send; `failure` and `detail` then say which.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pending = bytearray()
        self._taken = 0
        self._open: set[int] = set()
        self._output = {1: bytearray(), 2: bytearray()}
        self.done = False
        self.exit_status: int | None = None
        self.failure: QueryFailure | None = None
        self.detail = ""

    @property
    def stdout(self) -> bytes:
        """The stdout of the commands so far."""
        return bytes(self._output[1])

    @property
    def stderr(self) -> bytes:
        """The stderr of the commands so far, and the text of the exit message."""
        return bytes(self._output[2])

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the server; returns the bytes to send back, maybe none."""
        if self.done:
            return b""
        self._taken += len(data)
        if self._taken > MAX_ANSWER:
            # Not MALFORMED: that would make the other transport query the same flood again.
            self._fail(QueryFailure.UNTRUSTED, f"more than {MAX_ANSWER >> 20} MiB of answer")
            return b""
        self._pending += data
        replies = bytearray()
        while (message := self._next()) is not None:
            replies += self._take(*message)
        return bytes(replies)

    def end(self) -> None:
        """The server closed the connection."""
        if not self.done:
            self._fail(
                QueryFailure.PARTIAL, "the server closed the connection before its answer was complete"
            )

    def _next(self) -> tuple[int, int, bytes] | None:
        """The next whole message: type, protocol version, body."""
        if self.done or len(self._pending) < _HEADER.size:
            return None
        kind, length, version, _ = _HEADER.unpack_from(self._pending)
        length, flags = length & 0xFFFF, length >> 16
        if flags not in _FD_FLAGS or not _HEADER.size <= length <= MAX_FRAME:
            self._fail(QueryFailure.MALFORMED, f"a message of {length} bytes, flags {flags:#x}")
            return None
        if len(self._pending) < length:
            return None
        body = bytes(self._pending[_HEADER.size : length])
        del self._pending[:length]
        return kind, version & 0xFF, body

    def _fail(self, failure: QueryFailure, detail: str) -> None:
        self.failure, self.detail, self.done = failure, detail, True
        self._pending.clear()

    def _take(self, kind: int, version: int, body: bytes) -> bytes:
        if kind == Message.VERSION or version != PROTOCOL_VERSION:
            self._fail(QueryFailure.PROTOCOL, f"the server speaks protocol {version}, not {PROTOCOL_VERSION}")
        elif kind == Message.WRITE_OPEN:
            return self._take_open(body)
        elif kind in (Message.WRITE, Message.WRITE_CLOSE):
            self._take_output(kind, body)
        elif kind == Message.EXIT:
            return self._take_exit(body)
        elif kind == Message.SHUTDOWN:
            self._fail(QueryFailure.PARTIAL, "the server is shutting down")
        elif kind in _DEMANDS:
            self._fail(QueryFailure.UNTRUSTED, f"the server demands {Message(kind).name.lower()}")
        else:
            self._fail(QueryFailure.PROTOCOL, f"message type {kind} is not known")
        return b""

    def _take_open(self, body: bytes) -> bytes:
        if len(body) < 12:
            self._fail(QueryFailure.MALFORMED, "a short request to write")
            return b""
        stream, descriptor, flags = struct.unpack_from("=iii", body)
        if len(body) > 12 or stream not in _STREAMS or descriptor != stream or flags or stream in self._open:
            self._fail(
                QueryFailure.UNTRUSTED, "the server demands to write elsewhere than to stdout and stderr"
            )
            return b""
        self._open.add(stream)
        return frame(Message.WRITE_READY, struct.pack("=ii", stream, 0), self._pid)

    def _take_output(self, kind: int, body: bytes) -> None:
        if len(body) < _INT.size:
            self._fail(QueryFailure.MALFORMED, "output without a stream")
            return
        stream = _INT.unpack_from(body)[0]
        if stream not in _STREAMS:
            self._fail(QueryFailure.UNTRUSTED, "the server writes to a stream that we did not offer")
        elif stream not in self._open:
            self._fail(QueryFailure.MALFORMED, "output before its stream was opened")
        elif kind == Message.WRITE:
            self._output[stream] += body[_INT.size :]

    def _take_exit(self, body: bytes) -> bytes:
        if 0 < len(body) < _INT.size:
            self._fail(QueryFailure.MALFORMED, "a short exit message")
            return b""
        self.exit_status = _INT.unpack_from(body)[0] if body else 0
        if text := body[_INT.size :].rstrip(b"\0"):
            self._output[2] += text + b"\n"
        self.done = True
        return frame(Message.EXITING, b"", self._pid)
