"""The line in which a program reports an operation: one datagram, ASCII, versioned, at most LONGEST bytes.

    tmux-op/1 begin STREAM SEQUENCE MARK NAME
    tmux-op/1 end STREAM SEQUENCE MARK NAME BEGAN NANOSECONDS OUTCOME RETRIES MEMORY TRACE

STREAM names one process' run of numbers SEQUENCE = 1, 2, …, of which each report takes one whether it can be
delivered or not: what is missing was lost. MARK is that of the exporter that was meant. BEGAN is the
number of the report of its begin, 0 where there was none. OUTCOME is `ok` or one of FAILURES, MEMORY the
change of resident memory in bytes, TRACE a trace id of 32 hexadecimal digits; `-` stands for unknown.

Programs of users import this file, and `op` starts with it, so it imports nothing and its closed lists are
plain tuples.
"""

from __future__ import annotations

VERSION = "tmux-op/1"
LONGEST = 320

LONGEST_NAME = 48
MOST_RETRIES = 1_000_000
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz")
_REST = _FIRST | frozenset("0123456789_")

CLASSES = ("agent_command", "status_check", "inter_agent_message", "scheduling", "recovery")
"""The operations of every orchestrator; published from 0 even without a report."""

FAILURES = ("exit_status", "timeout", "exception", "refused", "other")
"""Why an operation failed."""

SUCCEEDED = "ok"
UNKNOWN = "-"
NAMELESS = "?"
"""Sent in place of an invalid name: the exporter counts it as malformed."""


def is_name(name: object) -> bool:
    """Whether this names an operation: a-z, 0-9 and `_`, a letter first, at most 48 characters."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= LONGEST_NAME
        and name[0] in _FIRST
        and _REST.issuperset(name)
    )


def is_trace(trace: object) -> bool:
    """Whether this is a trace id of the W3C trace context."""
    return isinstance(trace, str) and len(trace) == 32 and frozenset("0123456789abcdef").issuperset(trace)


def begin_line(stream: str, sequence: int, mark: int, name: str) -> bytes:
    """The report that an operation has begun."""
    return f"{VERSION} begin {stream} {sequence} {mark} {name}\n".encode()


def end_line(
    stream: str,
    sequence: int,
    mark: int,
    name: str,
    *,
    began: int,
    nanoseconds: int,
    failure: str | None,
    retries: int,
    memory_bytes: int | None,
    trace: str | None,
) -> bytes:
    """The report that an operation has finished; `failure` is None where it succeeded."""
    memory = UNKNOWN if memory_bytes is None else memory_bytes
    return (
        f"{VERSION} end {stream} {sequence} {mark} {name} {began} {nanoseconds} {failure or SUCCEEDED}"
        f" {retries} {memory} {trace or UNKNOWN}\n"
    ).encode()
