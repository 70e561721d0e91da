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
    for (level, _, _), mark, errors in zip(LEVELS, (10, 5, 2), (0.10, 0.05, 0.02), strict=True):
        at: dict[str, Any] = {"priority": "P3", "hold": "15m", "threshold": level, **same}
        yield Case(
            alert="TmuxOperationSlow",
            series={
                **counts,
                f"{duration}_sum{{{which}}}": (100, 1000 * (mark + 0.01), 1000 * (mark - 0.01)),
            },
            summary="An operation takes too long on average.",
            says=f"Operation status_check on a:1 takes {mark + 0.01:.4g}s on average.",
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
        # One in a hundred is in the bucket above the mark; a little more or less moves the quantile in it.
        below, above = {10: (10, 30), 5: (5, 10), 2: (2, 5)}[mark]
        buckets = {
            f'{duration}_bucket{{{which}, le="0.1"}}': (1000, 900, 900),
            f'{duration}_bucket{{{which}, le="{below}.0"}}': (1000, 989.9, 990.1),
            f'{duration}_bucket{{{which}, le="{above}.0"}}': (1000, 1000, 1000),
            f'{duration}_bucket{{{which}, le="+Inf"}}': (1000, 1000, 1000),
        }
        quantile = below + (above - below) * 0.1 / 10.1
        yield Case(
            alert="TmuxOperationTailSlow",
            series={**counts, **buckets},
            summary="One in a hundred of an operation takes too long.",
            says=f"Operation status_check on a:1: one in a hundred takes {quantile:.4g}s or more.",
            **at,
        )
    yield Case(
        alert="TmuxThroughputLow",
        series={
            f"{duration}_count{{{which}}}": (50, 24.9, 25.1),
            "tmux_operations_in_flight{" + which + "}": (4, 4, 4),
        },
        priority="P3",
        hold="15m",
        after=RATE,
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 99.6 operations a minute are finished while more are under way than there would be "
        "at the promised throughput and time.",
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
            "tmux_operations_in_flight{" + which + "}": (1, 3.34, 3.32),
        },
        priority="P3",
        hold="15m",
        after="5m",
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 80 operations a minute are finished while more are under way than there would be at "
        "the promised throughput and time.",
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
    # All take long, a little more than twenty a minute, and a little less.
    yield Case(
        alert="TmuxOperationTailSlow",
        series={
            f"{duration}_count{{{which}}}": (0, 5.5, 4.5),
            f'{duration}_bucket{{{which}, le="10.0"}}': (0, 0, 0),
            f'{duration}_bucket{{{which}, le="30.0"}}': (0, 5.5, 4.5),
            f'{duration}_bucket{{{which}, le="+Inf"}}': (0, 5.5, 4.5),
        },
        **few,
        summary="One in a hundred of an operation takes too long.",
        says="Operation status_check on a:1: one in a hundred takes 29.8s or more.",
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
