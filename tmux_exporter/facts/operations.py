"""Facts about operations that programs report, and tmux commands seen through exec events; lost ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class OperationLoss(StrEnum):
    """Why a report of an operation could not be counted (closed list, a label)."""

    DROPPED = "dropped"
    MALFORMED = "malformed"
    VERSION = "version"
    FOREIGN = "foreign"
    NAMES = "names"
    OVERFLOW = "overflow"
    UNFINISHED = "unfinished"


class OperationEnd(NamedTuple):
    """How an operation ended: `failure` is None for success, `memory_bytes` None where it was not measured.

    `began` is the sequence number of its begin report, 0 without one. `trace` is a trace id or empty.
    """

    began: int
    seconds: float
    failure: str | None
    retries: int
    memory_bytes: int | None
    trace: str


class Objective(NamedTuple):
    """How long operations of one name may take, and which part of them has to be done within it."""

    seconds: float
    ratio: float


class OperationReport(NamedTuple):
    """One report: the begin of an operation, or its end.

    `pid` is the sender's, from the kernel; 0 where it is not in our pid namespace. `stream` and `sequence`
    are the sender's numbering; `judged`: the report was sent to this exporter, not to an earlier one.
    """

    pid: int
    stream: str
    sequence: int
    judged: bool
    operation: str
    end: OperationEnd | None


class CommandLoss(StrEnum):
    """Why a tmux command may not have been counted (closed list, a label).

    RATE counts programs of any user that were started beyond `operations.max_execs_per_second` and not read.
    VANISHED counts programs of this user that ended before they could be read. Any of both may have been
    tmux. OVERRUN counts dropped events of the kernel's buffer and the commands then in flight. OVERFLOW
    counts commands beyond the number that is tracked at once.
    """

    RATE = "rate"
    VANISHED = "vanished"
    OVERRUN = "overrun"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One tmux client from its exec to its exit, by the kernel's clock.

    `socket` is the server's socket as given to the client, not canonical; None where it is not known.
    `command` is a name of tmux's command table or `other`. `failed` is any wait status but 0.
    """

    socket: str | None
    command: str
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandBatch:
    """Commands that ended since the last batch, and losses since the start; `listening`: events arrive."""

    runs: tuple[CommandRun, ...]
    lost: Mapping[CommandLoss, int]
    listening: bool
