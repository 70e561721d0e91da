"""Colours by severity, at the thresholds of the alerts."""

from collections.abc import Iterable

from grafana_foundation_sdk.models import dashboard

from tmux_exporter.alerting.base import thresholds

NUMBERS = thresholds.load()

FINE = "green"
CALM = "rgba(115, 191, 105, 0.25)"
"""Background of a tile without a problem: unobtrusive in the dark and in the light theme."""
WATCH = "yellow"
WATCH_TEXT = "dark-yellow"
"""The same as letters: yellow ones cannot be read on white."""
WARNING = "orange"
CRITICAL = "red"
PLAIN = "blue"
"""A size that is neither good nor bad."""
UNKNOWN = "purple"
"""Not known is not calm."""

RESTING = "#8e8e8ea0"
"""There is nothing to do, and nothing to see."""
RESTING_TEXT = "#7b7b7b"
"""The same as letters, which must be read on black and on white."""

Steps = list[dashboard.Threshold]

_COLOR = {"warning": WATCH, "critical": WARNING, "emergency": CRITICAL}


def steps(base: str, above: Iterable[tuple[float, str]] = ()) -> Steps:
    """Thresholds: a colour from the lowest value up, and others from each number on."""
    return [
        dashboard.Threshold(value=None, color=base),
        *(dashboard.Threshold(value=value, color=color) for value, color in above),
    ]


def alert_levels(table: str, base: str = FINE) -> Steps:
    """The levels of an alert that has several, mildest first."""
    return steps(base, ((NUMBERS.number(table, level), color) for level, color in _COLOR.items()))


def none_is_calm(trouble: str, base: str = CALM) -> Steps:
    """For counts of which one is one too many."""
    return steps(base, [(1, trouble)])
