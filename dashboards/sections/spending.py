"""What agents spend: money, tokens, context and quota, by session, agent, model and state."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CALM, CRITICAL, NUMBERS, WARNING, WATCH, none_is_calm, steps
from dashboards.links import to_agent, to_session
from dashboards.panels import tile
from dashboards.queries import (
    AGENT,
    HOST,
    SESSION,
    Query,
    or_zero,
    rate,
    select,
)
from dashboards.sections.states import BY_AGENT, TEXTS, state_of
from dashboards.tables import Figure, Label, rows
from dashboards.variables import OF_AGENT

EMPTY = "No agent here writes down what it spends in a file that is surely its own: see docs/spending.md."
NO_QUOTA = (
    "No program here was told of a quota: Codex is, and Claude Code with a subscription and `statusline`."
)
CONTEXT = steps("green", [(NUMBERS.number("agent_context", key="ratio"), WATCH)])
SMOOTH = "1m"
"""Requests come one by one: a rate over less is a comb."""
IDLE = 'state=~"idle|waiting"'


def glance() -> Sequence[Builder[dashboard.Panel]]:
    """Six tiles."""
    cost, tokens = (
        select("tmux_session_cost_dollars_total", SESSION),
        select("tmux_agent_tokens_total", AGENT),
    )
    limited = select("tmux_agent_waiting_since_timestamp_seconds", AGENT, 'reason="usage_limit"')
    return (
        tile(
            1,
            "Spent",
            "US dollars within the time range, as programs say, else (an estimate) by the table of "
            "prices. Who has a subscription pays none of it: it is what the same would cost by the token.",
            Query(expr=f"sum(increase({cost}[$__range]))"),
            steps=steps(CALM),
            unit="currencyUSD",
            decimals=2,
            empty="not known",
        ),
        tile(
            2,
            "Dollars an hour",
            "How fast money goes now. The alert is about that of a whole hour.",
            Query(expr=f"3600 * sum({rate(cost)})"),
            steps=steps(CALM, [(NUMBERS.number("spend", key="more_than"), WATCH)]),
            unit="currencyUSD",
            decimals=2,
            empty="not known",
        ).interval(SMOOTH),
        tile(
            3,
            "Tokens a minute",
            "All kinds together, those read from a cache too.",
            Query(expr=or_zero(f"60 * sum({rate(tokens)})", select("tmux_agent_usage_source_info", AGENT))),
            steps=steps(CALM),
            unit="short",
            empty="not known",
        ).interval(SMOOTH),
        tile(
            4,
            "Input from a cache",
            "Which part of the input within the time range a cache had: it costs a tenth. A low part means "
            "conversations that are begun anew, or that rest for longer than their cache lives.",
            Query(expr=_cache_share("increase", "$__range")),
            steps=steps(CALM),
            unit="percentunit",
            empty="not known",
        ),
        tile(
            5,
            "Fullest context",
            "How full the context window of the fullest agent is, where its program says how large it is.",
            Query(expr=f"max({context()})"),
            steps=steps(CALM, [(NUMBERS.number("agent_context", key="ratio"), WATCH)]),
            unit="percentunit",
            empty="not known",
        ),
        tile(
            6,
            "At a usage limit",
            "Agents that do nothing until their quota is reset; the table below says when that is.",
            Query(expr=or_zero(f"count({limited})", select("tmux_agent_info", AGENT))),
            steps=none_is_calm(WARNING),
            empty="no agent",
        ),
    )


def context() -> str:
    """How full the context window of each agent is."""
    filled, window = (select(f"tmux_agent_context_{each}", AGENT) for each in ("tokens", "window_tokens"))
    return f"{filled} / {window}"


def _cache_share(function: str, over: str, by: str = "") -> str:
    read, all_input = (
        f"sum {by}({function}({select('tmux_agent_tokens_total', AGENT, kind)}[{over}]))"
        for kind in ('kind="cache_read"', 'kind!="output"')
    )
    return f"{read} / ({all_input} > 0)"


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each agent whose file is known."""
    cost, tokens = (select(f"tmux_agent_{each}_total", AGENT) for each in ("cost_dollars", "tokens"))
    idle = select("tmux_agent_state_cost_dollars_total", AGENT, IDLE)
    ends = select("tmux_agent_usage_limit_reset_timestamp_seconds", AGENT)
    known = select("tmux_agent_usage_source_info", AGENT)
    return rows(
        number,
        "Agents, the dearest first",
        "What each agent has spent within the time range, how much of it while it idled or waited, what it "
        "spends now, and how full its context window is. Without a row: an agent whose file is not known for "
        "sure.",
        [
            Label(name="agent", title="Agent", width=140, link=to_agent(OF_AGENT)),
            Label(name="session", title="Session", link=to_session(OF_AGENT)),
            Label(name="server", title="Server", width=70),
            Label(name="instance", title="Host", width=125),
            Figure(title="", expr=f"group {BY_AGENT} ({known})", hidden=True),
            Figure(
                title="State",
                expr=f"({state_of(AGENT)})\nand on (instance, server, session, agent) {known}",
                width=75,
                texts=TEXTS,
            ),
            Figure(
                title="Spent",
                expr=f"sum {BY_AGENT} (increase({cost}[$__range]))",
                unit="currencyUSD",
                decimals=2,
                bar=True,
            ),
            Figure(
                title="Idle",
                expr=f"sum {BY_AGENT} (increase({idle}[$__range]))",
                unit="currencyUSD",
                decimals=2,
                width=80,
            ),
            Figure(
                title="$ an hour",
                expr=f"3600 * sum {BY_AGENT} ({rate(cost)})",
                unit="currencyUSD",
                decimals=2,
                width=90,
            ),
            Figure(
                title="Tokens",
                expr=f"sum {BY_AGENT} (increase({tokens}[$__range]))",
                unit="short",
                decimals=1,
                width=85,
            ),
            Figure(
                title="From a cache",
                expr=_cache_share("increase", "$__range", f"{BY_AGENT} "),
                unit="percentunit",
                decimals=0,
                width=100,
            ),
            Figure(
                title="Context",
                expr=f"max {BY_AGENT} ({context()})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=CONTEXT,
            ),
            Figure(
                title="Goes on", expr=f"1000 * max {BY_AGENT} ({ends})", unit="dateTimeFromNow", width=120
            ),
        ],
        sort=[("Spent", True)],
        empty=EMPTY,
        height=9,
    )


def quotas(number: int) -> Builder[dashboard.Panel]:
    """One row for each window of each account."""
    used, reset, told = (
        select(f"tmux_agent_quota_{each}", HOST)
        for each in ("used_ratio", "reset_timestamp_seconds", "observed_timestamp_seconds")
    )
    by = "by (instance, program, account, window)"
    return rows(
        number,
        "Quotas, and when they are reset",
        "How much of each window of an account's quota is used, as its program was told last, and when it is "
        "reset. `account` is the number of a configuration folder: 0 is the usual one. All agents of an "
        "account stop together.",
        [
            Label(name="program", title="Program", width=80),
            Label(name="account", title="Account", width=80),
            Label(name="window", title="Window", width=80),
            Label(name="instance", title="Host"),
            Figure(
                title="Used",
                expr=f"max {by} ({used})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=steps("green", [(NUMBERS.number("quota_pace", key="used"), WATCH), (1, CRITICAL)]),
            ),
            Figure(title="Reset", expr=f"1000 * max {by} ({reset})", unit="dateTimeFromNow", width=110),
            Figure(title="Told", expr=f"1000 * max {by} ({told})", unit="dateTimeFromNow", width=120),
        ],
        sort=[("Used", True)],
        empty=NO_QUOTA,
        height=7,
        width=12,
    )


def sessions(number: int) -> Builder[dashboard.Panel]:
    """One row for each session."""
    by = "by (instance, server, session)"
    cost, tokens, unpriced = (
        select(f"tmux_session_{each}_total", SESSION)
        for each in ("cost_dollars", "tokens", "unpriced_tokens")
    )
    return rows(
        number,
        "Sessions, the dearest first",
        "What the agents of each session have spent within the time range, those that are gone too. Tokens "
        "without a price are of models that the table of prices does not know.",
        [
            Label(name="session", title="Session", link=to_session(OF_AGENT)),
            Label(name="server", title="Server", width=70),
            Label(name="instance", title="Host", width=125),
            Figure(
                title="Spent",
                expr=f"sum {by} (increase({cost}[$__range]))",
                unit="currencyUSD",
                decimals=2,
                bar=True,
            ),
            Figure(
                title="Tokens",
                expr=f"sum {by} (increase({tokens}[$__range]))",
                unit="short",
                decimals=1,
                width=75,
            ),
            Figure(
                title="No price",
                expr=f"sum {by} (increase({unpriced}[$__range]))",
                unit="short",
                decimals=1,
                width=75,
            ),
        ],
        sort=[("Spent", True)],
        empty=EMPTY,
        height=7,
        width=12,
    )
