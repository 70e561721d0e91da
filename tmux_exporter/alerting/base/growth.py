"""Detects steady growth, as opposed to a saw-tooth or a single step.

The floor is compared: the least value within a window, in four windows one after the other. A saw-tooth comes
back to its floor, and a single step raises it between two windows only. A leak raises the floor from each
window to the next. Two steps within three windows can look like it, so each rise must reach the least step.
"""

from tmux_exporter.alerting.base.scope import Rule, Scope

WINDOWS = 4


def floor(series: str, level: str) -> str:
    """The name of the recorded floor of a series."""
    return f"{level}:{series.split(':')[1] if ':' in series else series}:min15m"


def record_floor(scope: Scope, series: str, level: str) -> Rule:
    """The rule that records the floor."""
    return scope.record(floor(series, level), f"min_over_time({series}{{}}[$growth.window])")


def grows(series: str, level: str) -> str:
    """By how much the floor has risen over all windows, where it rose by `$step` from each to the next."""
    recorded = f"{floor(series, level)}{{}}"
    before = [recorded, *(f"{recorded} offset $growth.window*{each}" for each in range(1, WINDOWS))]
    rises = [f"and {before[each]}\n  - {before[each + 1]} > $step" for each in range(WINDOWS - 1)]
    return "\n".join((before[0], f"  - {before[-1]}", *rises))
