"""Read the text of a configuration file; refuse early what cannot be one."""

import errno
import os
import re
import stat

from tmux_exporter.config.nodes import Position, Problems

LARGEST = 2**20

_START = Position(1, 1)
_DEV_NULL = os.makedev(1, 3)
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FIXES = {
    errno.ENOENT: "name an existing file, or none to run with the defaults",
    errno.EACCES: "make it readable for this user",
    errno.ELOOP: "name the file itself",
}


def read_text(problems: Problems) -> str | None:
    """The text of `problems.path`, or None with the problem noted.

    The file is read once as a whole, so an editor that replaces it cannot mix two versions.
    """
    data = _read_bytes(problems)
    return None if data is None else _decode(data, problems)


def _read_bytes(problems: Problems) -> bytes | None:
    try:
        # O_NONBLOCK: opening a FIFO without a writer would block.
        handle = os.open(problems.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            piped = stat.S_ISFIFO(about.st_mode)
            if not (stat.S_ISREG(about.st_mode) or piped or about.st_rdev == _DEV_NULL):
                problems.add(_START, "this is no regular file and no pipe; name a YAML file")
                return None
            os.set_blocking(handle, True)
            data = bytearray()
            while len(data) <= LARGEST and (chunk := file.read(LARGEST + 1 - len(data))):
                data += chunk
    except IsADirectoryError:
        problems.add(_START, "this is a folder; name the file in it")
        return None
    except OSError as error:
        mend = _FIXES.get(error.errno or 0, "name a readable file")
        problems.add(_START, f"cannot read this file: {os.strerror(error.errno or 0)}; {mend}")
        return None
    if piped and not data:
        problems.add(_START, "nothing wrote into this pipe; check the command that should")
        return None
    if len(data) > LARGEST:
        problems.add(_START, "the file is larger than 1 MiB; name a configuration file")
        return None
    return bytes(data)


def _decode(data: bytes, problems: Problems) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        problems.add(
            _position(before), f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        )
        return None
    if match := _NOT_PRINTABLE.search(text):
        problems.add(
            _position(text[: match.start()]),
            f"control character U+{ord(match.group()):04X} is not allowed; remove it",
        )
        return None
    return text


def _position(before: str) -> Position:
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
