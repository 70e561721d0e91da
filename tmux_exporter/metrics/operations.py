"""Families of the operations that programs report: every class from 0, other names as they come."""

from collections.abc import Iterable

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.facts.report import OperationFigures, Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample
from tmux_exporter.metrics.catalogue.work import ERROR_REASONS, MEMORY_CHANGES


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per name and family; no sample where another exporter gets the reports."""
    every = report.operations.operations if report.operations else ()
    lost = report.operations.lost if report.operations else {}
    return (
        family(
            "tmux_operation_duration_seconds",
            histograms=(Distribution((each.operation,), each.duration) for each in every),
        ),
        family(
            "tmux_operation_errors_total",
            (
                Sample((each.operation, reason), each.errors[reason])
                for each in every
                for reason in ERROR_REASONS
            ),
        ),
        family(
            "tmux_operation_retries_total",
            (Sample((each.operation,), each.retries_total) for each in every),
        ),
        family("tmux_operations_in_flight", (Sample((each.operation,), each.in_flight) for each in every)),
        family("tmux_operation_memory_change_bytes_total", _memory(every)),
        family(
            "tmux_exporter_operations_lost_total",
            (Sample((reason,), lost[reason]) for reason in OperationLoss if reason in lost),
        ),
    )


def _memory(every: Iterable[OperationFigures]) -> Iterable[Sample]:
    for each in every:
        changes = (each.memory_grown_bytes_total, each.memory_shrunk_bytes_total)
        for direction, value in zip(MEMORY_CHANGES, changes, strict=True):
            yield Sample((each.operation, direction), value)
