"""Parse datagrams into reports of operations; refuse every other line."""

import re

from tmux_exporter.facts.operations import OperationEnd, OperationReport
from tmux_exporter.wire.operation_line import (
    FAILURES,
    LONGEST,
    MOST_RETRIES,
    SUCCEEDED,
    UNKNOWN,
    VERSION,
    is_name,
    is_trace,
)

MOST_NANOSECONDS = 10 * 366 * 86400 * 10**9
MOST_MEMORY = 2**50

_STREAM = re.compile(r"[0-9a-f]{16}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")
_SIGNED = re.compile(r"0|-?[1-9][0-9]{0,19}")
_ANY_VERSION = re.compile(rb"tmux-op/[0-9]{1,4} ")
_OURS = f"{VERSION} ".encode()
_WORDS = {"begin": 6, "end": 12}


class OtherVersionError(ValueError):
    """A line of a version that this exporter does not read."""


def parse(datagram: bytes, pid: int, mark: int) -> OperationReport:
    """Parse one datagram that `pid` sent to the sockets with this mark. Raises ValueError."""
    if len(datagram) > LONGEST or not datagram.endswith(b"\n"):
        raise ValueError("not one line of ours")
    if not datagram.startswith(_OURS):
        if _ANY_VERSION.match(datagram):
            raise OtherVersionError("of another version")
        raise ValueError("not a line of ours")
    words = datagram[:-1].decode("ascii").split(" ")
    if len(words) != _WORDS.get(words[1]):
        raise ValueError("not so many words")
    _, kind, stream, sequence, meant, name, *rest = words
    if not _STREAM.fullmatch(stream) or not is_name(name):
        raise ValueError("no stream, or no name")
    number = _number(sequence, 2**63)
    if number == 0:
        raise ValueError("numbers begin with 1")
    return OperationReport(
        pid=pid,
        stream=stream,
        sequence=number,
        judged=_number(meant, 2**64) == mark,
        operation=name,
        end=_end(rest) if kind == "end" else None,
    )


def _end(words: list[str]) -> OperationEnd:
    began, nanoseconds, outcome, retries, memory, trace = words
    if outcome != SUCCEEDED and outcome not in FAILURES:
        raise ValueError("no outcome")
    if trace != UNKNOWN and not is_trace(trace):
        raise ValueError("no trace id")
    return OperationEnd(
        began=_number(began, 2**63),
        seconds=_number(nanoseconds, MOST_NANOSECONDS) / 1e9,
        failure=None if outcome == SUCCEEDED else outcome,
        retries=_number(retries, MOST_RETRIES),
        memory_bytes=None if memory == UNKNOWN else _signed(memory),
        trace="" if trace == UNKNOWN else trace,
    )


def _number(text: str, most: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise ValueError("no number")
    return int(text)


def _signed(text: str) -> int:
    if not _SIGNED.fullmatch(text) or abs(int(text)) > MOST_MEMORY:
        raise ValueError("no amount of memory")
    return int(text)
