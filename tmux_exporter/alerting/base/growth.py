"""Growth that goes on, told from saw-teeth and steps.

What is compared is the floor: the least value within a window, in four windows one after the other. A
saw-tooth comes back to its floor, and a single step raises it between two windows only. What leaks raises the
floor from each window to the next. Two steps within three windows can look like it; that is why the least
step is asked for each time.
"""

from tmux_exporter.alerting.base.scope import Rule, Scope

WINDOWS = 4


def floor(series: str, level: str) -> str:
    """The name of the recorded floor of a series."""
    return f"{level}:{series.split(':')[1] if ':' in series else series}:min15m"


def record_floor(scope: Scope, series: str, level: str) -> Rule:
    """The rule that records it."""
    return scope.record(
        floor(series, level), f"min_over_time({scope.series(series)}[{scope.range('growth', 'window')}])"
    )


def grows(scope: Scope, series: str, level: str, table: str) -> str:
    """By how much the floor has risen over all windows, where it rose by `step` from each to the next."""
    recorded = scope.series(floor(series, level))
    seconds = scope.thresholds.seconds("growth", "window")
    step = scope.number(table, "step")

    def before(windows: int) -> str:
        return recorded + (f" offset {scope.duration(windows * seconds)}" if windows else "")

    rises = [f"and {before(each)}\n  - {before(each + 1)} > {step}" for each in range(WINDOWS - 1)]
    return "\n".join((before(0), f"  - {before(WINDOWS - 1)}", *rises))
