"""How an alert is declared: one row, from which its rules are made. How steady growth is detected."""

from collections.abc import Callable
from dataclasses import dataclass

from tmux_exporter.alerting.base.scope import Rule, Scope, duration
from tmux_exporter.alerting.base.text import Text

Made = str | Callable[[Scope], str]
"""A text, or how one is made where it needs the numbers."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, with the priority of its table in the thresholds or, where that has none, of the level.

    `expr` is PromQL as `Scope.promql` takes it, with keys of `table`; `$level` is the number of the level.
    `summary` is one sentence without values, `description` names the thing and its value.
    """

    name: str
    table: str
    expr: Made
    summary: str
    description: Made
    levels: tuple[str, ...] = ("",)

    def rules(self, scope: Scope, text: Text) -> tuple[Rule, ...]:
        """One rule for each level, with what messages about it say."""
        return tuple(self._rule(scope, text, level) for level in self.levels)

    def _rule(self, scope: Scope, text: Text, level: str) -> Rule:
        numbers = scope.thresholds
        priority = numbers.priority(self.table, level)
        hold = numbers.hold(self.table, priority)
        labels = {"severity": numbers.text(priority, "severity"), "priority": priority}
        return {
            "alert": self.name,
            "expr": scope.promql(_made(self.expr, scope), table=self.table, level=level),
            "for": duration(hold, scope.time_scale),
            **self._keeps(scope),
            "labels": labels | ({"threshold": level} if level else {}) | dict(scope.labels),
            "annotations": scope.annotations(self.name, self.summary, _made(self.description, scope))
            | text.annotations(scope, self.table, level, hold),
        }

    def _keeps(self, scope: Scope) -> Rule:
        # Where it fired on, all else of its instance would be inhibited on.
        if not scope.keep_firing or self.table in ("exporter_down", "exporter_away"):
            return {}
        return {"keep_firing_for": scope.promql("$lost_scrapes.over")}


def _made(text: Made, scope: Scope) -> str:
    return text if isinstance(text, str) else text(scope)


def kept(series: str, indent: int = 0, over: str = "$lost_scrapes.over", where: str = "") -> str:
    """A series or, while scrapes fail, what it was before; `where` is a bound, such as ` > $level`.

    A bound within costs half as much as one outside: little is left to be matched.

    What a good scrape does not show has ended. What a failed scrape does not show is unknown: that neither
    ends an alert nor begins its `for` anew.
    """
    lines = (
        "(",
        f"  {series}{where}",
        f"  or last_over_time({series}[{over}]){where}",
        "  and on (job, instance) up{} == 0",
        ")",
    )
    return f"\n{' ' * indent}".join(lines)


WINDOWS = 4


def floor(series: str, level: str) -> str:
    """The name of the recorded floor of a series."""
    return f"{level}:{series.split(':')[1] if ':' in series else series}:min15m"


def record_floor(scope: Scope, series: str, level: str) -> Rule:
    """The rule that records the floor."""
    return scope.record(floor(series, level), f"min_over_time({series}{{}}[$growth.window])")


STEADY = 3


def rises(series: str) -> str:
    """By how much a gauge has risen over three windows of the table, where it rose by `$step` in each."""
    before = [series, *(f"{series} offset $window*{each}" for each in range(1, STEADY + 1))]
    return "\n+ ".join(f"({before[each]}\n  - {before[each + 1]} > $step)" for each in range(STEADY))


def record_rise(scope: Scope, name: str, ratio: str, table: str) -> Rule:
    """The rule that records by how much a ratio has risen in one window of the table, where it is enough."""
    return scope.record(name, f"{ratio}\n- {ratio} offset ${table}.window\n> ${table}.step")


def runs_out(ratio: str, rise: str) -> str:
    """Seconds until a part of a limit is 1 at the pace of the last windows, if it rose in each of them."""
    pace = f"deriv({ratio}[$window*{STEADY}])"
    before = (f"and {rise}{{}} offset $window*{each}" for each in range(1, STEADY))
    return "\n".join(
        (f"(1 - ({ratio} > $used))", f"/ ({pace} > 0)", "< $seconds", f"and {rise}{{}}", *before)
    )


def grows(series: str, level: str) -> str:
    """By how much the floor has risen over all windows, where it rose by `$step` from each to the next.

    A saw-tooth comes back to its floor, the least value within a window. A single step raises the floor
    between two windows only, a leak from each window to the next. Two steps within three windows can look
    like a leak, so each rise must reach the least step.
    """
    recorded = f"{floor(series, level)}{{}}"
    before = [recorded, *(f"{recorded} offset $growth.window*{each}" for each in range(1, WINDOWS))]
    # Of what does not rise in one of them no sum is left.
    rises = [f"({before[each]}\n  - {before[each + 1]} > $step)" for each in range(WINDOWS - 1)]
    return "\n+ ".join(rises)
