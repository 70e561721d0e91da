"""Facts about operations that programs report: latency, failure, retries, memory; and lost reports."""

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
