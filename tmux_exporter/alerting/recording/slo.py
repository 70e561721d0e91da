"""Recording rules of service levels: objectives, events, error ratios per window, budget left of 30 days.

availability (99.5 %): seconds of agents that should be there; bad are those in which one is not up, or its
server does not answer. errors (99 %): finished operations; bad are those that failed. latency (99 %):
finished operations that have an objective; bad are those that took longer, each weighed by how many of its
name may.
throughput (95 %): minutes of exporters in which there is demand, more under way than there would be at the
promised throughput; bad are those in which fewer operations are finished than are promised. recovery (95
%): agents that came back; bad are those that were down for longer than 5 minutes. exporter (99.9 %):
seconds of exporters; bad are those in which one cannot be scraped. samples (99.5 %): samples of exporters;
bad are partial and failed ones.

An agent should be there while it is declared, and while what is left of it shows that it crashed; one that
was quit need not be there. It should be there too while its server's process lives without answering: what
was seen of it within the last hour counts then. A server that
has ended does not count: it may have ended on purpose.
"""

from collections.abc import Callable

from tmux_exporter.alerting.base.scope import Rule, Scope, duration
from tmux_exporter.alerting.recording.operations import ALLOWED, DEMAND

NAMES = ("availability", "errors", "latency", "throughput", "recovery", "exporter", "samples")
OBJECTIVE = "job:tmux_slo_objective:ratio"
EVENTS = "instance:tmux_slo_events:rate5m"
BAD = "instance:tmux_slo_bad_events:rate5m"
RARE = f'{EVENTS}{{slo=~"errors|latency|throughput|recovery"}}'
"""The events of the service levels that at times have so few that one bad one is a large part."""
EVENTS_OF_BUDGET = "instance:tmux_slo_events:rate30d"
BUDGET_LEFT = "instance:tmux_slo_budget_left:ratio"

BURNS = ("slo_burn_page", "slo_burn_hours", "slo_burn_day", "slo_burn_days")
"""Tables of the thresholds, quickest first: both windows, and by how much the budget burns too fast."""

_DAY = 86_400
_AGENT = "server, session, agent"


def errors(scope: Scope, table: str, key: str) -> str:
    """The recorded part of bad events over a window of the thresholds: named by it, whatever the scale."""
    seconds = scope.thresholds.seconds(table, key)
    window = f"{seconds / _DAY:g}d" if seconds % _DAY == 0 else duration(seconds)
    return f"instance:tmux_slo_errors:ratio_rate{window}"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    return (
        *(
            scope.record(OBJECTIVE, f"$slo_{name}.objective + 0 * group by (job) (up{{}})", slo=name)
            if scope.several
            else scope.record(OBJECTIVE, f"vector($slo_{name}.objective)", job=scope.job, slo=name)
            for name in NAMES
        ),
        *(rule for name in NAMES for rule in _events(scope, name)),
        *_ratios(scope, lambda seconds: seconds < _DAY),
    )


def rules_of_days(scope: Scope) -> tuple[Rule, ...]:
    """What looks back for days, and so must not be computed every few seconds."""
    return (
        *_ratios(scope, lambda seconds: seconds >= _DAY),
        scope.record(EVENTS_OF_BUDGET, f"avg_over_time({RARE}[$slo.budget])"),
        _budget_left(scope),
    )


def _ratios(scope: Scope, wanted: Callable[[float], bool]) -> tuple[Rule, ...]:
    """One rule for each window, shortest first; two service levels may share one."""
    windows = [("slo", "budget"), *((table, key) for table in BURNS for key in ("short", "long"))]
    by_length = {scope.thresholds.seconds(*each): each for each in windows}
    return tuple(_ratio(scope, *by_length[length]) for length in sorted(by_length) if wanted(length))


def _events(scope: Scope, name: str) -> tuple[Rule, ...]:
    """All events and the bad ones of one service level, each per second."""
    every, bad = {
        "availability": _agents,
        "errors": lambda: (
            _rate("tmux_operation_duration_seconds_count", "operation"),
            _rate("tmux_operation_errors_total", "operation, reason"),
        ),
        "latency": _slow,
        "throughput": _piled_up,
        "recovery": _away_for_long,
        "exporter": _scrapes,
        "samples": _samples,
    }[name]()
    return scope.record(EVENTS, every, slo=name), scope.record(BAD, bad, slo=name)


def _agents() -> tuple[str, str]:
    on = "on (job, instance, server)"
    every = f'{EVENTS}{{slo="availability"}}'
    good = f"count without ({_AGENT}) (\n  tmux_agent_up{{}} == 1 and {on} tmux_up{{}} == 1\n)"
    return (
        # Who was quit is not missing; who was declared, or has crashed, is.
        f"""
        count without ({_AGENT}) (
          tmux_agent_up{{}} == 1
          or tmux_agent_declared{{}}
          or tmux_agent_crashed{{}}
          or (
            last_over_time(tmux_agent_up{{}}[$slo_availability.remember]) == 1
            and {on} (
              tmux_up{{}} == 0 and tmux_server_start_time_seconds{{}}
            )
          )
        )
        """,
        # Where none is well, all are bad.
        f"{every}\n- ignoring (slo) {good}\nor ignoring (slo) {every}",
    )


def _piled_up() -> tuple[str, str]:
    waiting = "tmux_operations_in_flight{}"
    of_all = "sum without (operation)"
    demand = f"{DEMAND} > bool $throughput.per_second"
    # The rate of a counter that does not exist for the whole window is too low.
    known = f"and {of_all} ({waiting})\nand {of_all} ({waiting} offset $slo.over)"
    done = f"60 * {_rate('tmux_operation_duration_seconds_count', 'operation')}"
    # In minutes, as what is promised is: 30 of them weigh as much as 30 operations.
    every = f"(\n{demand}\n{known}\n) / 60"
    return every, f"{every}\n* ({done} < bool $throughput.per_minute)"


def _slow() -> tuple[str, str]:
    slow = "rate(tmux_operation_slow_total{}[$slo.over])"
    every = f"rate(tmux_operation_duration_seconds_count{{}}[$slo.over])\n  and {slow}"
    # Of one whose objective is 95 % five may be slow where of another it is one.
    bad = f"(1 - $slo_latency.objective)\n* sum without (operation) (\n  {slow}\n  / (1 - {ALLOWED})\n)"
    return f"sum without (operation) (\n  {every}\n)", bad


def _away_for_long() -> tuple[str, str]:
    every = _rate("tmux_agent_outage_seconds_count", "server")
    # Prometheus 3 may write the bound 300.0 where 300 was scraped, and the other way round.
    bound = 'le=~"$agent_recovery.seconds(\\\\.0)?"'
    return every, f"{every}\n- {_rate('tmux_agent_outage_seconds_bucket', 'server, le', bound)}"


def _scrapes() -> tuple[str, str]:
    # A host that may sleep has promised nothing.
    up = 'up{always_on="yes"}'
    return f"1 + 0 * {up}", f"1 - {up}"


def _samples() -> tuple[str, str]:
    name = "tmux_exporter_samples_total"
    return _rate(name, "result"), _rate(name, "result", 'result!="complete"')


def _rate(name: str, of: str, matcher: str = "") -> str:
    """Of all that it has of these labels; those of its target stay."""
    return f"sum without ({of}) (rate({name}{{{matcher}}}[$slo.over]))"


def _ratio(scope: Scope, table: str, key: str) -> Rule:
    bad, every = (f"sum_over_time({name}{{}}[${table}.{key}])" for name in (BAD, EVENTS))
    # Each second weighs as much as happened in it. Without any event there is no ratio.
    return scope.record(errors(scope, table, key), f"{bad}\n/ ({every} > 0)")


def _budget_left(scope: Scope) -> Rule:
    spent = errors(scope, "slo", "budget")
    expr = f"1 - {spent}{{}}\n/ on (job, slo) group_left () (1 - {OBJECTIVE}{{}})"
    return scope.record(BUDGET_LEFT, expr)
