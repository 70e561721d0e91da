"""The pending schedulers of a Report, for a terminal and as plain data."""

import math
from typing import Any

from tmux_exporter.analysis.schedulers.warnings import REMARKS
from tmux_exporter.commands.views.text_table import UNKNOWN, columns, span, table
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerState

TROUBLE = frozenset({
    SchedulerState.IMMORTAL, SchedulerState.SERVERLESS, SchedulerState.STALE_GENERATION,
    SchedulerState.DANGLING, SchedulerState.MISDIRECTED, SchedulerState.OVERDUE,
})  # fmt: skip
"""States in which the keys will not reach the intended pane."""

_COLUMNS = columns("STATE", "DUE>", "TARGET", "SERVER", "SESSION", "PID>", "WHY")
_NEVER_SECONDS = 36_500 * 86_400.0


def in_trouble(report: Report) -> bool:
    """True if a scheduler will not arrive where it should."""
    return any(each.state in TROUBLE for each in report.schedulers)


def as_dict(report: Report) -> dict[str, Any]:
    """The schedulers as JSON-ready data, soonest due first. Times are seconds since the epoch."""
    return {
        "version": 1,
        "timestamp": report.timestamp,
        "schedulers": [
            {
                "pid": each.process.pid,
                "sleep_pid": each.sleep.pid if each.sleep else None,
                "state": each.state,
                "reason": each.reason,
                "remarks": {remark: REMARKS[remark] for remark in each.remarks},
                "targets": list(each.targets),
                "server": each.server,
                "session": each.session,
                "due_timestamp_seconds": each.due_timestamp_seconds,
                "memory_bytes": each.memory_bytes,
                "cpu_seconds_total": each.cpu_seconds_total,
                "open_fds": each.open_fds,
            }
            for each in _by_due(report)
        ],
    }


def as_text(report: Report) -> str:
    """The schedulers as a table for a terminal, soonest due first, then a line of what is wrong."""
    if not report.schedulers:
        return "no scheduler is pending: no background shell sleeps and then sends keys to a pane"
    rows = [_row(each, report.timestamp) for each in _by_due(report)]
    wrong = sum(each.state in TROUBLE for each in report.schedulers)
    total = f"{len(rows)} pending, {wrong} in trouble" if wrong else f"{len(rows)} pending"
    return "\n".join([*table(_COLUMNS, rows), "", f"  {total}"])


def _by_due(report: Report) -> list[SchedulerReport]:
    return sorted(
        report.schedulers,
        key=lambda each: (
            math.inf if each.due_timestamp_seconds is None else each.due_timestamp_seconds,
            each.process,
        ),
    )


def _row(scheduler: SchedulerReport, now: float) -> tuple[str, ...]:
    why = "; ".join((scheduler.reason, *(REMARKS[remark] for remark in scheduler.remarks)))
    return (
        scheduler.state,
        _due(scheduler, now),
        ", ".join(scheduler.targets) or UNKNOWN,
        scheduler.server or UNKNOWN,
        scheduler.session or UNKNOWN,
        str(scheduler.process.pid),
        why,
    )


def _due(scheduler: SchedulerReport, now: float) -> str:
    if scheduler.due_timestamp_seconds is None:
        return "never" if scheduler.state is SchedulerState.IMMORTAL else UNKNOWN
    left = scheduler.due_timestamp_seconds - now
    if left > _NEVER_SECONDS:
        return "never"
    return f"in {span(left)}" if left >= 0 else f"{span(-left)} ago"
