"""Check each request byte by byte before it is sent: allowed commands and formats only.

One wrong byte can end a tmux server with all its sessions (MALFORMED_MESSAGE). So this shares no code and
no constant with the encoder that it is held against, and it takes the commands of this program only: three
that look, without a target, and formats of plain variables; and one that prints what a pane shows, by its
id.
"""

import re
import struct

_LOOKS = (b"display-message", b"list-clients", b"list-panes")
_FLAGS = (b"-p", b"-F", b"-a")
# No `#(…)`, which runs a shell, and no modifier: `#{E:…}` and `#{T:…}` run what a value holds.
_SCREEN = (b"capture-pane", b"-p", b"-t")
_PANE_ID = re.compile(rb"%[0-9]{1,10}")
_PLAIN_ARGUMENT = re.compile(rb"(?:[ -\"$-~]|#\{[@a-z_-]+\})+")


class UnsafeRequestError(ValueError):
    """A request that must not be sent: our own fault, found before a server could suffer from it."""


def check_request(stream: bytes) -> None:
    """Read a request back, byte by byte; raises UnsafeRequestError unless it is what may be sent."""
    expected = [
        (100, b"\0\0\1\0"),
        (111, b"\0\0\1\0\0\0\0\0"),
        (101, b"dumb\0"),
        (109, b"\0\0\0\0"),
        (102, b"\0"),
        (108, b"/\0"),
        (107, None),
        (106, b""),
        (200, None),
    ]
    offset = 0
    pids = set()
    for kind, fixed in expected:
        if len(stream) - offset < 16:
            raise UnsafeRequestError(f"message {kind} is missing")
        got, length, version, pid = struct.unpack_from("<IIII", stream, offset)
        body = stream[offset + 16 : offset + length]
        if got != kind or version != 8:
            raise UnsafeRequestError(f"message {got}, protocol {version} in the place of message {kind}")
        if not 16 <= length <= 16384 or len(body) != length - 16:
            raise UnsafeRequestError(f"message {kind} has length {length}")
        pids.add(pid)
        if fixed is not None and body != fixed:
            raise UnsafeRequestError(f"message {kind} has a strange body")
        if kind == 107:
            if len(body) != 4:
                raise UnsafeRequestError("the pid has not 4 bytes")
            pids.add(struct.unpack("<i", body)[0])
        if kind == 200:
            _check_command(body)
        offset += length
    if offset != len(stream):
        raise UnsafeRequestError("bytes after the command")
    if len(pids) != 1 or pids.pop() <= 0:
        raise UnsafeRequestError("not one pid throughout")


def _check_command(body: bytes) -> None:
    if len(body) < 6 or body[-1:] != b"\0":
        raise UnsafeRequestError("the command is not terminated")
    arguments = body[4:-1].split(b"\0")
    if struct.unpack_from("<i", body)[0] != len(arguments):
        raise UnsafeRequestError("the command's count of arguments is wrong")
    command: list[bytes] = []
    for argument in (*arguments, b";"):
        if argument == b";":
            _check_one(command)
            command = []
        elif argument.endswith(b";"):
            raise UnsafeRequestError(f"{argument[:40]!r} ends a command")
        else:
            command.append(argument)


def _check_one(command: list[bytes]) -> None:
    if not command:
        raise UnsafeRequestError("a separator without a command")
    if command[0] == _SCREEN[0]:
        # Exactly this: other flags would reach the history, make a buffer, or print escape sequences.
        if tuple(command[:-1]) != _SCREEN or not _PANE_ID.fullmatch(command[-1]):
            raise UnsafeRequestError("capture-pane with more than the id of a pane")
        return
    if command[0] not in _LOOKS:
        raise UnsafeRequestError(f"{command[0][:40]!r} is no command that only reads")
    for argument in command:
        if not _PLAIN_ARGUMENT.fullmatch(argument):
            raise UnsafeRequestError(f"{argument[:40]!r} is more than printable ASCII and plain variables")
        if argument.startswith(b"-") and argument not in _FLAGS:
            raise UnsafeRequestError(f"{argument[:40]!r} is a flag that is not used here")
