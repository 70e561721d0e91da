"""Operations and tmux commands."""

from collections.abc import Iterator
from typing import Any

from alerts.cases.parts import LEVELS, OF, RATE, SERVER, percent
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    which = 'operation="status_check"'
    duration = "tmux_operation_duration_seconds"
    same = {"labels": {"operation": "status_check"}, "after": RATE}
    counts = {f"{duration}_count{{{which}}}": (1000, 1000, 1000)}
    slow = f"tmux_operation_slow_total{{{which}}}"
    # They follow from the configuration, whatever happens.
    objective: dict[str, Any] = {
        f"tmux_operation_objective_seconds{{{which}}}": (5, 5, 5),
        f"tmux_operation_objective_ratio{{{which}}}": (0.98, 0.98, 0.98),
    }
    for (level, _, _), part, errors in zip(LEVELS, (0.9, 0.5, 0.25), (0.10, 0.05, 0.02), strict=True):
        at: dict[str, Any] = {"priority": "P3", "hold": "15m", "threshold": level, **same}
        yield Case(
            alert="TmuxOperationSlow",
            series={**counts, slow: (1, 1000 * part + 1, 1000 * part - 1), **objective},
            summary="An operation takes too long.",
            says=f"Operation status_check on a:1: {percent(part + 0.001)} of them take longer than 5s.",
            **at,
        )
        yield Case(
            alert="TmuxOperationErrors",
            series={
                **counts,
                f'tmux_operation_errors_total{{{which}, reason="timeout"}}': (
                    1,
                    1000 * errors + 1,
                    1000 * errors - 1,
                ),
            },
            summary="An operation fails too often.",
            says=f"Operation status_check on a:1: {percent(errors + 0.001)} of them fail.",
            **{**at, "hold": "10m"},
        )
        times = {"emergency": 10, "critical": 5, "warning": 1}[level]
        yield Case(
            alert="TmuxOperationTailSlow",
            series={**counts, slow: (1, 20 * times + 1, 20 * times - 1), **objective},
            summary="More of an operation take too long than may.",
            says=f"Operation status_check on a:1: {times + 0.05:.4g} times as many as its objective allows "
            "take longer than 5s.",
            **at,
        )
    yield Case(
        alert="TmuxThroughputLow",
        series={
            f"{duration}_count{{{which}}}": (50, 24.9, 25.1),
            "tmux_operations_in_flight{" + which + "}": (10, 10, 10),
            **objective,
        },
        priority="P3",
        hold="15m",
        after=RATE,
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 99.6 operations a minute are finished while so many are under way that more would be, "
        "if each took its objective.",
    )
    yield Case(
        alert="TmuxOperationsLost",
        series={
            'tmux_exporter_operations_lost_total{reason="dropped"}': (0, 0.5, 0),
            'tmux_exporter_operations_lost_total{reason="names"}': (0, 0.3, 0),
        },
        priority="P4",
        hold="0s",
        before="61m",
        over="59m45s",
        summary="Reports of operations are lost.",
        says="a:1 has lost about 800m reports of operations within the hour; figures about operations are "
        "that much too small.",
    )
    yield Case(
        alert="TmuxThroughputLow",
        series={
            f"{duration}_count{{{which}}}": (50, 20, 20),
            "tmux_operations_in_flight{" + which + "}": (1, 8.34, 8.32),
            **objective,
        },
        priority="P3",
        hold="15m",
        after="5m",
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 80 operations a minute are finished while so many are under way that more would be, if "
        "each took its objective.",
    )
    few: dict[str, Any] = {
        **{"priority": "P3", "hold": "15m", "threshold": "emergency"},
        **{"before": "6m", "after": "4m30s", "over": "15s", "labels": {"operation": "status_check"}},
    }
    # All fail, a little more than two a minute, and a little less.
    yield Case(
        alert="TmuxOperationErrors",
        series={
            f"{duration}_count{{{which}}}": (0, 0.55, 0.45),
            f'tmux_operation_errors_total{{{which}, reason="timeout"}}': (0, 0.55, 0.45),
        },
        **{**few, "hold": "10m"},
        summary="An operation fails too often.",
        says="Operation status_check on a:1: 100% of them fail.",
    )
    # All take long, a little more than two and than twenty a minute, and a little less.
    for alert, often, says in (
        ("TmuxOperationSlow", (0.55, 0.45), "100% of them"),
        ("TmuxOperationTailSlow", (5.5, 4.5), "50 times as many as its objective allows"),
    ):
        yield Case(
            alert=alert,
            series={f"{duration}_count{{{which}}}": (0, *often), slow: (0, *often), **objective},
            **few,
            summary="An operation takes too long."
            if alert == "TmuxOperationSlow"
            else "More of an operation take too long than may.",
            says=f"Operation status_check on a:1: {says} take longer than 5s.",
        )
    yield Case(
        alert="TmuxCommandErrors",
        series={
            f'tmux_command_duration_seconds_count{{{SERVER}, command="send-keys"}}': (1000, 1000, 1000),
            f'tmux_command_errors_total{{{SERVER}, command="send-keys"}}': (1, 101, 99),
        },
        priority="P3",
        hold="15m",
        after=RATE,
        labels=OF["server"],
        summary="Many tmux commands fail.",
        says="10.1% of the tmux commands for tmux server d on a:1 fail.",
    )
