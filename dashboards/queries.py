"""PromQL of the boards: selectors that follow the variables, and only the largest of many series."""

from dataclasses import dataclass

from tmux_exporter.alerting.base.thresholds import PRIORITIES

HOST = ('job=~"$job"', 'instance=~"$instance"')
SERVER = (*HOST, 'server=~"$server"')
SESSION = (*SERVER, 'session=~"$session"')
AGENT = (*SESSION, 'agent=~"$agent"')
ALERT = tuple(f'{each[:-1]}|"' for each in SESSION)
"""Alerts about a host have no `server`, those about a server no `session`: the empty label passes too."""
OF_SESSION = (*ALERT[:3], SESSION[3])
OF_AGENT = (*OF_SESSION, f'{AGENT[4][:-1]}|"')
"""What concerns an agent: alerts about it, and those about its session that name no agent."""

OUR_ALERTS = 'alertname=~"Tmux.+"'
SAME_THING = "alertname, job, instance, server, session, agent"

LARGEST = 6
"""Series in one graph. More colours than these look alike, and more names fill the panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question of a panel. `legend` may hold `{{label}}`."""

    expr: str
    legend: str = ""


def select(name: str, scope: tuple[str, ...], *matchers: str) -> str:
    """A selector of one family within a scope, narrowed by matchers such as `state="dangling"`."""
    return f"{name}{{{', '.join((*scope, *matchers))}}}"


def rate(selector: str, over: str = "$__rate_interval") -> str:
    """The increase of a counter per second."""
    return f"rate({selector}[{over}])"


def largest(now: str, ranked: str, count: int = LARGEST) -> str:
    """Those series of `now` that are the largest by `ranked`, which must not change within the time range.

    A plain topk chooses anew at every step, so that a graph of ten ends up with many more.
    """
    return f"{now}\nand topk({count}, {ranked})"


def at_end(function: str, selector: str) -> str:
    """A function over the whole time range, the same at every step of a graph."""
    return f"{function}({selector}[$__range] @ end())"


def or_zero(count: str, known: str) -> str:
    """A count that is 0 where `known` has series, and no value where that is not known."""
    return f"{count}\nor 0 * count({known})"


def ever(now: str, largest_of_range: str) -> str:
    """The series that were not 0 all the time, whole: without its zeros a line is drawn across them."""
    return f"{now}\nand {largest_of_range} > 0"


def none_is_zero(figure: str, counted: str) -> str:
    """A figure of things that is 0 where there are none, and has no value where it is not known."""
    return f"({figure}\nor {counted} == 0)"


def or_none(events: str, known: str, label: str) -> str:
    """Events by a label; while there are none, and `known` has series, one line at 0 whose name says so."""
    return f'{events} > 0\nor on () label_replace(0 * sum({known}), "{label}", "none", "", "")'


def memory_of_limit(scope: tuple[str, ...], family: str = "tmux_agent") -> str:
    """What every agent or session uses of the memory that it may use, as the alerts count it."""
    memory, swap, limit = (
        select(f"{family}_{what}_bytes", scope) for what in ("memory", "swap_memory", "memory_limit")
    )
    # A kernel without swap shows none, and then the sum has no series.
    return f"({memory} + {swap} or {memory})\n/ {limit}"


def firing(scope: tuple[str, ...] = ALERT) -> str:
    """What fires, once for each thing, at its most urgent priority, as Alertmanager reports it."""
    parts = []
    for place, priority in enumerate(PRIORITIES):
        each = select("ALERTS", scope, OUR_ALERTS, 'alertstate="firing"', f'priority="{priority}"')
        worse = "|".join(PRIORITIES[:place])
        hidden = select("ALERTS", scope, OUR_ALERTS, 'alertstate="firing"', f'priority=~"{worse}"')
        parts.append(f"{each} unless on ({SAME_THING}) {hidden}" if worse else each)
    return "\nor ".join(parts)
