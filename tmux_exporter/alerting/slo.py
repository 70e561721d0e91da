"""Alerts about service levels: an error budget of 30 days that burns too fast, or is spent."""

from tmux_exporter.alerting.base.alert import Alert, kept
from tmux_exporter.alerting.base.scope import PERCENT, Rule, Scope
from tmux_exporter.alerting.recording.slo import (
    BUDGET_LEFT,
    BURNS,
    EVENTS,
    EVENTS_OF_BUDGET,
    OBJECTIVE,
    RARE,
    errors,
)

_PAGE, _HOURS, *_DAYS = BURNS
_WHICH = "service level {{ $labels.slo }} of {{ $labels.instance }}"


_TOLD = "instance:tmux_slo_told:count"
_CAUSES = {
    "availability": "TmuxAgentAbsent|TmuxAgentsAllAbsent|TmuxAgentOomKilled|TmuxServerNotAnswering",
    "samples": "TmuxExporterBlind|TmuxServerNotAnswering",
}


def recorded(scope: Scope) -> tuple[Rule, ...]:
    """Of which service levels somebody is paged for the cause, will be if it lasts, or was an hour ago.

    The long window still has what is over: a minute more of it would page again.
    """
    return tuple(
        scope.record(
            _TOLD,
            f"""
            count by (job, instance) (
              last_over_time(ALERTS{{alertstate="firing",
                alertname=~"{causes}"}}[${_PAGE}.long])
              or ALERTS{{alertstate="pending",
                alertname=~"{causes}"}}
            )
            """,
            slo=slo,
        )
        for slo, causes in _CAUSES.items()
    )


def _burns(scope: Scope, table: str) -> str:
    """Both windows: the long one says that it matters, the short one that it still goes on."""
    # For an exporter that cannot be scraped another alert pages sooner; its restart should not page.
    # Demand is concluded from what is under way, which is too little to wake somebody.
    others = 'slo!~"exporter|throughput"' if table == _PAGE else ""
    budget = f"on (job, slo) group_left () (${table}.factor * (1 - {OBJECTIVE}{{}}))"
    long, short = (f"{errors(scope, table, key)}{{{others}}}" for key in ("long", "short"))
    short = kept(short, over="$slo_gap.over")
    window = f"${table}.long"
    few = _few(table, f"avg_over_time({RARE}[{window}])")
    told = f"\nunless on (job, instance, slo) {_TOLD}{{}}" if table == _PAGE else ""
    return f"{long}\n> {budget}\nand {short}\n> {budget}\n{_known_for(window)}\n{few}{told}"


def _few(table: str, events: str) -> str:
    """Of a few events a single bad one is a large part."""
    return f"unless\n  {events}\n  < ${table}.events_per_hour / 3600"


def _known_for(window: str) -> str:
    """A service level that is seen for minutes says nothing about hours; a gap back then neither."""
    return f"and last_over_time({EVENTS}{{}}[{window}] offset {window})"


def _fast(table: str, level: str) -> Alert:
    return Alert(
        "TmuxErrorBudgetBurnsFast",
        table,
        lambda scope: _burns(scope, table),
        "A budget of 30 days will be spent within days.",
        lambda scope: (
            f"{PERCENT} of the events of {_WHICH} were bad: its budget of 30 days burns "
            f"{scope.number(table, 'factor')} times too fast."
        ),
        (level,),
    )


ALERTS = (
    _fast(_PAGE, "critical"),
    _fast(_HOURS, "warning"),
    Alert(
        "TmuxErrorBudgetBurnsSlowly",
        _DAYS[-1],
        lambda scope: "\nor\n".join(f"({_burns(scope, table)})" for table in _DAYS),
        "A budget of 30 days will not last for 30 days.",
        f"{PERCENT} of the events of {_WHICH} were bad for days: its budget will not last.",
    ),
    Alert(
        "TmuxErrorBudgetSpent",
        "slo_spent",
        f"{BUDGET_LEFT}{{}} < $left\n{_known_for('$known_for')}\n"
        + _few("slo_spent", f"{EVENTS_OF_BUDGET}{{}}"),
        "A budget of 30 days is spent.",
        f"Of the budget of 30 days of {_WHICH} {PERCENT} is left: the promise is broken.",
    ),
)
