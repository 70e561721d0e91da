"""Service levels: of what each is promised, how much went wrong over each window, what is left of 30 days.

availability (99.5 %): seconds of agents that should be there; bad are those in which one is not up, or its
server does not answer. errors (99 %): finished operations; bad are those that failed. latency (99 %):
finished operations; bad are those that took longer than 2 s. throughput (95 %): minutes of exporters in which
there is demand, more under way than there would be at the promised throughput; bad are those in which fewer
operations are finished than are promised. recovery (95 %): agents that came back; bad are those that were
down for longer than 5 minutes. exporter (99.9 %): seconds of exporters; bad are those in which one cannot be
scraped. samples (99.5 %): samples of exporters; bad are partial and failed ones.

An agent should be there while its pane is or while it is declared (`tmux_agent_up` is there), and while its
server's process lives without answering: what was seen of it within the last hour counts then. Of a server
that has ended nobody knows whether it was to end.
"""

from collections.abc import Callable

from tmux_exporter.alerting.base.scope import Rule, Scope, duration

NAMES = ("availability", "errors", "latency", "throughput", "recovery", "exporter", "samples")
RARE = ("errors", "latency", "throughput", "recovery")
"""Those whose events are so rare at times that one bad one is a large part."""

OBJECTIVE = "job:tmux_slo_objective:ratio"
EVENTS = "instance:tmux_slo_events:rate5m"
BAD = "instance:tmux_slo_bad_events:rate5m"
EVENTS_OF_BUDGET = "instance:tmux_slo_events:rate30d"
BUDGET_LEFT = "instance:tmux_slo_budget_left:ratio"

BURNS = ("slo_burn_page", "slo_burn_hours", "slo_burn_day", "slo_burn_days")
"""Tables of the thresholds, quickest first: both windows, and by how much the budget burns too fast."""

_DAY = 86_400
_BY = "job, instance"


def errors(scope: Scope, table: str, key: str) -> str:
    """The recorded part of bad events over a window of the thresholds: named by it, whatever the scale."""
    seconds = scope.thresholds.seconds(table, key)
    window = f"{seconds / _DAY:g}d" if seconds % _DAY == 0 else duration(seconds)
    return f"instance:tmux_slo_errors:ratio_rate{window}"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    return (
        *(_objective(scope, name) for name in NAMES),
        *(rule for name in NAMES for rule in _events(scope, name)),
        *_ratios(scope, lambda seconds: seconds < _DAY),
    )


def rules_of_days(scope: Scope) -> tuple[Rule, ...]:
    """What looks back for days, and so must not be computed every few seconds."""
    return (
        *_ratios(scope, lambda seconds: seconds >= _DAY),
        _events_of_budget(scope),
        _budget_left(scope),
    )


def _ratios(scope: Scope, wanted: Callable[[float], bool]) -> tuple[Rule, ...]:
    """One rule for each window, shortest first; two service levels may share one."""
    windows = [("slo", "budget"), *((table, key) for table in BURNS for key in ("short", "long"))]
    by_length = {scope.thresholds.seconds(*each): each for each in windows}
    return tuple(_ratio(scope, *by_length[length]) for length in sorted(by_length) if wanted(length))


def _objective(scope: Scope, name: str) -> Rule:
    objective = scope.number(f"slo_{name}", "objective")
    return scope.record(OBJECTIVE, f"vector({objective})", job=scope.job, slo=name)


def _events(scope: Scope, name: str) -> tuple[Rule, ...]:
    """All events and the bad ones of one service level, each per second."""
    every, bad = {
        "availability": _agents,
        "errors": _failed,
        "latency": _slow,
        "throughput": _piled_up,
        "recovery": _came_back_late,
        "exporter": _scrapes,
        "samples": _samples,
    }[name](scope)
    return scope.record(EVENTS, every, slo=name), scope.record(BAD, bad, slo=name)


def _agents(scope: Scope) -> tuple[str, str]:
    up, server = scope.series("tmux_agent_up"), scope.series("tmux_up")
    on = "on (job, instance, server)"
    hangs = f"(\n      {server} == 0 and {scope.series('tmux_server_start_time_seconds')}\n    )"
    lately = f"last_over_time({up}[{scope.range('slo_availability', 'remember')}])"
    every = scope.series(EVENTS, 'slo="availability"')
    good = f"count by ({_BY}) (\n  {up} == 1 and {on} {server} == 1\n)"
    return (
        f"count by ({_BY}) (\n  {up}\n  or (\n    {lately}\n    and {on} {hangs}\n  )\n)",
        # Where none is well, all are bad.
        f"{every}\n- ignoring (slo) {good}\nor ignoring (slo) {every}",
    )


def _failed(scope: Scope) -> tuple[str, str]:
    return (
        _rate(scope, "tmux_operation_duration_seconds_count"),
        _rate(scope, "tmux_operation_errors_total"),
    )


def _slow(scope: Scope) -> tuple[str, str]:
    return _longer(scope, "tmux_operation_duration_seconds", scope.number("slo_latency", "seconds"))


def _piled_up(scope: Scope) -> tuple[str, str]:
    over = scope.range("slo", "over")
    waiting = scope.series("tmux_operations_in_flight")
    demand = (
        f"sum by ({_BY}) (avg_over_time({waiting}[{over}])) > bool {scope.number('throughput', 'in_flight')}"
    )
    # The rate of a counter that is not there for the whole window is too low.
    known = f"and sum by ({_BY}) ({waiting})\n  and sum by ({_BY}) ({waiting} offset {over})"
    done = f"60 * {_rate(scope, 'tmux_operation_duration_seconds_count')}"
    # In minutes, as what is promised is: 30 of them weigh as much as 30 operations.
    every = f"(\n  {demand}\n  {known}\n) / 60"
    return every, f"{every}\n* ({done} < bool {scope.number('throughput', 'per_minute')})"


def _came_back_late(scope: Scope) -> tuple[str, str]:
    return _longer(scope, "tmux_agent_recovery_seconds", scope.number("agent_recovery", "seconds"))


def _longer(scope: Scope, histogram: str, seconds: str) -> tuple[str, str]:
    """All that a histogram has counted, and what took longer than one of its bounds."""
    every = _rate(scope, f"{histogram}_count")
    # Prometheus 3 may write the bound 2.0 where 2 was scraped, and the other way round.
    bound = f'le=~"{seconds}(\\\\.0)?"'
    return every, f"{every}\n- {_rate(scope, f'{histogram}_bucket', bound)}"


def _scrapes(scope: Scope) -> tuple[str, str]:
    up = scope.series("up")
    return f"count by ({_BY}) ({up})", f"count by ({_BY}) ({up}) - sum by ({_BY}) ({up})"


def _samples(scope: Scope) -> tuple[str, str]:
    name = "tmux_exporter_samples_total"
    return _rate(scope, name), _rate(scope, name, 'result!="complete"')


def _rate(scope: Scope, name: str, *matchers: str) -> str:
    over = scope.range("slo", "over")
    return f"sum by ({_BY}) (rate({scope.series(name, *matchers)}[{over}]))"


def _ratio(scope: Scope, table: str, key: str) -> Rule:
    window = scope.range(table, key)
    bad, every = (f"sum_over_time({scope.series(name)}[{window}])" for name in (BAD, EVENTS))
    # Each second weighs as much as happened in it. Without any event there is no ratio.
    return scope.record(errors(scope, table, key), f"{bad}\n/ ({every} > 0)")


def rare(scope: Scope) -> str:
    """The events of the service levels that may have few."""
    return scope.series(EVENTS, f'slo=~"{"|".join(RARE)}"')


def _events_of_budget(scope: Scope) -> Rule:
    return scope.record(EVENTS_OF_BUDGET, f"avg_over_time({rare(scope)}[{scope.range('slo', 'budget')}])")


def _budget_left(scope: Scope) -> Rule:
    spent, promised = scope.series(errors(scope, "slo", "budget")), scope.series(OBJECTIVE)
    return scope.record(BUDGET_LEFT, f"1 - {spent}\n/ on (job, slo) group_left () (1 - {promised})")
