"""A plan and its results as tables."""

import json
from collections.abc import Sequence

from tmux_exporter.commands.views.policy import target_cells
from tmux_exporter.commands.views.text_table import Column, columns, table
from tmux_exporter.config.parsers import format_duration
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.record.log_fields import reason_words

_PLANNED = columns("policy", "kind", "pid>", "server", "session", "name", "steps", "ends", "why", "for>")
_DONE = (*_PLANNED, Column("outcome"))


def planned(orders: Sequence[Order]) -> str:
    """One row per order."""
    return "\n".join(table(_PLANNED, [_row(each) for each in orders]))


def applied(results: Sequence[tuple[Order, bool, str]]) -> str:
    """One row per order, with what came of it."""
    return "\n".join(table(_DONE, [[*_row(order), outcome] for order, _, outcome in results]))


def applied_json(results: Sequence[tuple[Order, bool, str]]) -> str:
    """The same as JSON."""
    return json.dumps(
        {
            "results": [
                {
                    "policy": order.policy.name,
                    "kind": order.target.kind,
                    "processes": order.target.processes,
                    "ended": ended,
                    "outcome": outcome,
                }
                for order, ended, outcome in results
            ]
        },
        indent=2,
    )


def _row(order: Order) -> list[str]:
    steps = ", ".join(f"{each.action} ({each.signal})" for each in order.stages)
    why = "; ".join(reason_words(each, holds=order.culprit is not None) for each in order.reasons)
    held = format_duration(float(round(order.held)))
    return [order.policy.name, *target_cells(order.target), steps, _ends(order), why, held]


def _ends(order: Order) -> str:
    """Which process goes first, where that is not the target's own, and what goes with it."""
    words = "it" if order.culprit in (None, *order.target.processes[:1]) else f"pid {order.first.pid}"
    return f"{words} and all below" if order.with_below else words
