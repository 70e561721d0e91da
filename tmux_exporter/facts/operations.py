"""Facts of operations: what programs report of their own, and which reports could not be counted."""

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

    `began` is the number of the report of its begin, 0 where there was none. `trace` is a trace id or empty.
    """

    began: int
    seconds: float
    failure: str | None
    retries: int
    memory_bytes: int | None
    trace: str


class OperationReport(NamedTuple):
    """One report: the begin of an operation, or its end.

    `pid` is the sender's by the kernel, 0 where it is none of our namespace. `stream` and `sequence` are the
    sender's numbering; it is `judged` where the report was meant for this exporter and not for one before it.
    """

    pid: int
    stream: str
    sequence: int
    judged: bool
    operation: str
    end: OperationEnd | None
