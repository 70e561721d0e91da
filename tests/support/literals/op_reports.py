"""Reports of operations, made by hand."""

from tmux_exporter.facts.operations import OperationEnd, OperationReport

STREAM = "0123456789abcdef"


def began(
    sequence: int, name: str = "recovery", *, pid: int = 7, stream: str = STREAM, judged: bool = True
) -> OperationReport:
    """The report of a begin."""
    return OperationReport(pid=pid, stream=stream, sequence=sequence, judged=judged, operation=name, end=None)


def ended(
    sequence: int,
    name: str = "recovery",
    *,
    began: int = 0,
    seconds: float = 0.5,
    failure: str | None = None,
    retries: int = 0,
    memory: int | None = None,
    trace: str = "",
    pid: int = 7,
    stream: str = STREAM,
    judged: bool = True,
) -> OperationReport:
    """The report of an end."""
    end = OperationEnd(
        began=began, seconds=seconds, failure=failure, retries=retries, memory_bytes=memory, trace=trace
    )
    return OperationReport(pid=pid, stream=stream, sequence=sequence, judged=judged, operation=name, end=end)
