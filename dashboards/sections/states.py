"""The state of every agent: one number for each state, so that one series shows it."""

from collections.abc import Mapping

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, FINE, RESTING, RESTING_TEXT, UNKNOWN, WARNING
from dashboards.panels import graph, timeline
from dashboards.queries import Query, at_end, ever, rate, select

STATES = ("idle", "working", "unknown", "waiting", "exited")
"""By their number, from 1 on; of several agents the one that needs somebody is the higher."""

COLORS: Mapping[str, str] = {
    "idle": RESTING,
    "working": FINE,
    "waiting": WARNING,
    "exited": CRITICAL,
    "unknown": UNKNOWN,
}
_LETTERS = {"idle": RESTING_TEXT}
TEXTS = {str(number): (state, _LETTERS.get(state, COLORS[state])) for number, state in enumerate(STATES, 1)}
WORDS = {str(number): (state, COLORS[state]) for number, state in enumerate(STATES, 1)}
"""The same for areas, which may be paler than letters."""
NO_AGENT = (
    "No coding agent is seen here. One that is not recognised can be taught: agents.signatures in the "
    "configuration."
)
AGENT_NAME = "{{agent}} · {{session}}"
"""More of it would fill the panel: with the same names on several hosts, choose one."""
_BANDS = 8
"""In one timeline: the names of more would overlap."""
BY_AGENT = "by (instance, server, session, agent)"


def state_of(scope: tuple[str, ...]) -> str:
    """The number of every agent's state."""
    # Every state has a series, and all but one are 0: a sum is quicker than `or` where there are hundreds.
    return "\n+ ".join(
        f"{number} * max {BY_AGENT} ({in_state(scope, state)})" for number, state in enumerate(STATES, 1)
    )


def in_state(scope: tuple[str, ...], state: str) -> str:
    """1 for every agent in a state, 0 for every other."""
    return select("tmux_agent_state", scope, f'state="{state}"')


def state_timeline(number: int, scope: tuple[str, ...], *, height: int = 6) -> Builder[dashboard.Panel]:
    """The states over time, with the agents that changed most on show."""
    since = select("tmux_agent_state_since_timestamp_seconds", scope)
    changes = f"sum {BY_AGENT} ({at_end('changes', since)})"
    return timeline(
        number,
        "What the agents did",
        "The state of every agent over time: working, idle, waiting for somebody (for a permission, an "
        "answer, its limit), exited, or unknown where its program tells nothing (the page about agents says "
        f"how to let it). Shown are the {_BANDS} that changed most.",
        Query(expr=f"({state_of(scope)})\nand topk({_BANDS}, {changes})", legend=AGENT_NAME),
        texts=WORDS,
        empty=NO_AGENT,
        height=height,
    )


def cpu_by_state(number: int, scope: tuple[str, ...]) -> Builder[dashboard.Panel]:
    """Whether CPU goes where work is."""
    counted = select("tmux_agent_state_cpu_seconds_total", scope)
    used, ever_used = (f"sum by (state) ({each})" for each in (rate(counted), at_end("rate", counted)))
    return graph(
        number,
        "CPU by state of the agents",
        "Cores that the agents used, by the state that they were in. CPU while waiting or idle does no work "
        "that anybody asked for.",
        [Query(expr=ever(used, ever_used), legend="{{state}}")],
        unit="none",
        empty=NO_AGENT,
        stacked=True,
        colors=COLORS,
    )
