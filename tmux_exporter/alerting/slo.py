"""Alerts about service levels: a budget of 30 days that burns too fast, or is spent."""

from tmux_exporter.alerting.base.scope import PERCENT, Rule, Scope
from tmux_exporter.alerting.recording.slo import (
    BUDGET_LEFT,
    BURNS,
    EVENTS,
    EVENTS_OF_BUDGET,
    OBJECTIVE,
    errors,
    rare,
)

_PAGE, _HOURS, *_DAYS = BURNS
_WHICH = "service level {{ $labels.slo }} of {{ $labels.instance }}"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        _fast(scope, _PAGE, "critical"),
        _fast(scope, _HOURS, "warning"),
        _slowly(scope),
        _spent(scope),
    )


def _burns(scope: Scope, table: str) -> str:
    """Both windows: the long one says that it matters, the short one that it still goes on."""
    promised = scope.series(OBJECTIVE)
    budget = f"on (job, slo) group_left () ({scope.number(table, 'factor')} * (1 - {promised}))"
    # That an exporter cannot be scraped is told sooner, and by a page, anyway; its restart should not page.
    # That there is demand is concluded from what is under way, which is too little to wake somebody.
    others = ('slo!~"exporter|throughput"',) if table == _PAGE else ()
    long, short = (scope.series(errors(scope, table, key), *others) for key in ("long", "short"))
    window = scope.range(table, "long")
    few = _few(scope, table, f"avg_over_time({rare(scope)}[{window}])")
    return f"{long}\n> {budget}\nand {short}\n> {budget}\n{_known_for(scope, window)}\n{few}"


def _few(scope: Scope, table: str, events: str) -> str:
    """Of a few events a single bad one is a large part."""
    return f"unless\n  {events}\n  < {scope.number(table, 'events_per_hour')} / 3600"


def _known_for(scope: Scope, window: str) -> str:
    """Of one that is seen for minutes only, nobody can say what it does for hours."""
    return f"and {scope.series(EVENTS)} offset {window}"


def _fast(scope: Scope, table: str, level: str) -> Rule:
    return scope.alert(
        "TmuxErrorBudgetBurnsFast",
        table,
        _burns(scope, table),
        level=level,
        summary="A budget of 30 days will be spent within days.",
        description=f"{PERCENT} of the events of {_WHICH} were bad: its budget of 30 days burns "
        f"{scope.number(table, 'factor')} times too fast.",
    )


def _slowly(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxErrorBudgetBurnsSlowly",
        _DAYS[-1],
        "\nor\n".join(f"({_burns(scope, table)})" for table in _DAYS),
        summary="A budget of 30 days will not last for 30 days.",
        description=f"{PERCENT} of the events of {_WHICH} were bad for days: its budget will not last.",
    )


def _spent(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxErrorBudgetSpent",
        "slo_spent",
        f"{scope.series(BUDGET_LEFT)} < {scope.number('slo_spent', 'left')}\n"
        f"{_known_for(scope, scope.range('slo_spent', 'known_for'))}\n"
        f"{_few(scope, 'slo_spent', scope.series(EVENTS_OF_BUDGET))}",
        summary="A budget of 30 days is spent.",
        description=f"Of the budget of 30 days of {_WHICH} {PERCENT} is left: the promise is broken.",
    )
