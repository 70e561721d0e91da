"""The remediator: whether it runs, what it did or would do, what it refused, and why."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CALM, CRITICAL, FINE, PLAIN, RESTING, UNKNOWN, WARNING, WATCH, steps
from dashboards.panels import graph, tile
from dashboards.queries import HOST, Query, rate, select
from dashboards.tables import Figure, Label, rows

_LIST_HEIGHT = 5
_TABLE_WIDTH = 14
"""Of 24: beside it is what was left alone."""

_NONE_RUNS = "none runs"
_NO_REMEDIATOR = "No remediator has run here: `tmux-remediator run` observes until it is set to enforce."
_OUTCOMES = {
    "would": PLAIN,
    "done": FINE,
    "survived": WARNING,
    "vanished": RESTING,
    "refused": WATCH,
    "failed": CRITICAL,
}
_MODES = {
    "-2": ("no audit", CRITICAL),
    "-1": ("blind", UNKNOWN),
    "0": ("down", CRITICAL),
    "1": ("observes", CALM),
    "2": ("recommends", CALM),
    "3": ("enforces", CALM),
}
_MODES_AS_TEXT = {
    value: (text, "text" if color == CALM else color) for value, (text, color) in _MODES.items()
}


def graphs(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """Actions, what the policies match and hold, and memory reclaimed, numbered from `first` on."""
    return (_actions(first), _matches(first + 3), _held(first + 5), _reclaimed(first + 1))


def mode(number: int) -> Builder[dashboard.Panel]:
    """Whether it runs, and what it may do."""
    return tile(
        number,
        "Remediator",
        "In which mode the remediator runs; only one that enforces signals anything. down: it has run and "
        "does not now, or is stuck. blind: it cannot list processes and does nothing. no audit: it cannot "
        "write its record and does nothing. Of several, the one in trouble.",
        Query(expr=f"min({_state()})"),
        steps=steps(CALM),
        texts=_MODES,
        empty=_NONE_RUNS,
    )


def _state() -> str:
    """One number for each remediator: the lower, the worse."""

    def of(name: str, *matchers: str) -> str:
        return select(f"tmux_remediator_{name}", HOST, *matchers)

    modes = "\nor ".join(
        f"max by (job, instance) ({place} * ({of('mode', matcher)} == 1))"
        for place, matcher in enumerate(('mode="observe"', 'mode="recommend"', 'mode="enforce"'), 1)
    )
    return (
        f"max by (job, instance) ({of('audit_healthy')} == 0) - 2\n"
        f"or max by (job, instance) ({of('blind')} == 1) - 2\n"
        f"or max by (job, instance) ({of('up')} == 0)\n"
        f"or {modes}"
    )


def _actions(number: int) -> Builder[dashboard.Panel]:
    # A warning that was given has ended nothing.
    acted = select("tmux_remediator_actions_total", HOST, 'action!~"warn|snapshot"')
    return graph(
        number,
        "What it did, or would do",
        "Actions per minute by what came of them, without warnings. would: it only observes; what stays is "
        "counted again and again, Matches says how much there is. done: it had its effect. "
        "survived: signalled in vain. vanished: it ended by itself before. refused: a safety rule forbade "
        "it at the last moment. failed: the machine did not let us.",
        [Query(expr=f"60 * sum by (outcome) ({rate(acted)}) > 0", legend="{{outcome}}")],
        unit="none",
        empty="The remediator did nothing in this time, and would have done nothing.",
        stacked=True,
        events=True,
        colors=_OUTCOMES,
        width=6,
    )


def _reclaimed(number: int) -> Builder[dashboard.Panel]:
    bytes_gone = select("tmux_remediator_reclaimed_bytes_total", HOST)
    return graph(
        number,
        "Memory reclaimed",
        "Bytes that were measured before an act of the remediator and gone after it. memory: of processes "
        "that it ended; history: of panes, which the tmux server uses again.",
        [Query(expr=f"sum by (source) (increase({bytes_gone}[$__rate_interval]))", legend="{{source}}")],
        unit="bytes",
        empty=_NO_REMEDIATOR,
        events=True,
        shades=PLAIN,
        soft_top=2**20,
        width=6,
    )


def _held(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_remediator_leases", HOST)
    return graph(
        number,
        "Throttles in force",
        "Throttles that are in force, by policy and by what holds them: a scope of systemd, or a pause. Each "
        "ends by itself with its lease.",
        [Query(expr=f"sum by (policy, means) ({now})", legend="{{policy}} ({{means}})")],
        unit="none",
        empty=_NO_REMEDIATOR,
        shades=PLAIN,
        width=6,
    )


def refusals(number: int) -> Builder[dashboard.Panel]:
    """Why it left things alone."""
    refused = select("tmux_remediator_refusals_total", HOST)
    return rows(
        number,
        "Left alone, by reason",
        "How often something that a policy matches came to be left alone within the time range, by the "
        "safety rule that forbade to touch it. docs/remediator.md says what to do about each reason.",
        [
            Label(name="policy", title="Policy"),
            Label(name="reason", title="Reason"),
            Figure(
                title="Left alone",
                expr=f"round(sum by (policy, reason) (increase({refused}[$__range]))) > 0",
                bar=True,
            ),
        ],
        sort=[("Left alone", True)],
        empty="Nothing that a policy matches was left alone in this time.",
        height=_LIST_HEIGHT,
        width=24 - _TABLE_WIDTH,
    )


def _matches(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_remediator_matches", HOST)
    return graph(
        number,
        "What its policies match",
        "Things that each policy matched in the last cycle, whether or not it may act on them.",
        [Query(expr=f"sum by (policy) ({now})", legend="{{policy}}")],
        unit="none",
        empty=_NO_REMEDIATOR,
        shades=PLAIN,
        width=6,
    )


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each host that has one."""
    last = select("tmux_remediator_last_cycle_timestamp_seconds", HOST)
    done = select("tmux_remediator_actions_total", HOST, 'action=~"stop|kill"', 'outcome="done"')
    until = select("tmux_remediator_lease_end_timestamp_seconds", HOST)
    culprits = select("tmux_remediator_culprits_total", HOST)
    by = "by (instance)"
    return rows(
        number,
        "Remediators",
        "One for each host and user that runs one. Matches are what its policies are about now, ended is "
        "what it has ended in the time range. Held are throttles in force, until the first of them ends. "
        "Culprits are processes of agents that held a figure and were throttled or ended for it.",
        [
            Label(name="instance", title="Host"),
            Figure(title="Mode", expr=f"min {by} ({_state()})", width=130, texts=_MODES_AS_TEXT),
            Figure(title="Last cycle", expr=f"1000 * max {by} ({last})", unit="dateTimeFromNow", width=150),
            Figure(title="Matches", expr=f"sum {by} ({select('tmux_remediator_matches', HOST)})", width=100),
            Figure(title="Held", expr=f"sum {by} ({select('tmux_remediator_leases', HOST)})", width=100),
            Figure(title="Until", expr=f"1000 * min {by} ({until})", unit="dateTimeFromNow", width=130),
            Figure(title="Culprits", expr=f"round(sum {by} (increase({culprits}[$__range])))", width=100),
            Figure(title="Ended", expr=f"round(sum {by} (increase({done}[$__range])))", width=100),
        ],
        sort=[("Mode", False)],
        empty=_NO_REMEDIATOR,
        height=_LIST_HEIGHT,
        width=_TABLE_WIDTH,
    )
