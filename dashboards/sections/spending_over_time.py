"""What agents spend over time: money, tokens, context and quota; what idling and leaks cost."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.panels import NAME_PATTERN, graph
from dashboards.queries import AGENT, HOST, SESSION, Query, at_end, largest, or_zero, rate, select
from dashboards.sections.spending import CONTEXT, EMPTY, IDLE, NO_QUOTA, SMOOTH, context
from dashboards.sections.states import AGENT_NAME, BY_AGENT, COLORS

_SESSION_NAME = "{{session}} · {{server}} · {{instance}}"


def burn(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """How fast money and tokens go, by who spends them."""
    return tuple(each.interval(SMOOTH) for each in _burn(first))


def _burn(first: int) -> Sequence[timeseries.Panel]:
    by_session = select("tmux_session_cost_dollars_total", SESSION)
    by_agent = select("tmux_agent_cost_dollars_total", AGENT)
    by_state = select("tmux_agent_state_cost_dollars_total", AGENT)
    tokens = select("tmux_agent_tokens_total", AGENT)
    each_session, each_agent = "sum by (instance, server, session)", f"sum {BY_AGENT}"
    return (
        graph(
            first,
            "Dollars an hour by session",
            "The burn rate of the six sessions that spent most.",
            [
                Query(
                    expr=largest(
                        f"3600 * {each_session} ({rate(by_session)})",
                        f"{each_session} ({at_end('increase', by_session)})",
                    ),
                    legend=_SESSION_NAME,
                )
            ],
            unit="currencyUSD",
            empty=EMPTY,
            rename=NAME_PATTERN,
        ),
        graph(
            first + 1,
            "Dollars an hour by agent",
            "The burn rate of the six agents that spent most.",
            [
                Query(
                    expr=largest(
                        f"3600 * {each_agent} ({rate(by_agent)})",
                        f"{each_agent} ({at_end('increase', by_agent)})",
                    ),
                    legend=AGENT_NAME,
                )
            ],
            unit="currencyUSD",
            empty=EMPTY,
        ),
        graph(
            first + 2,
            "Dollars an hour by state",
            "What was spent while agents were in each state. Much while they wait or idle means background "
            "work, retries, or an agent whose state is not seen.",
            [Query(expr=f"3600 * sum by (state) ({rate(by_state)})", legend="{{state}}")],
            unit="currencyUSD",
            empty=EMPTY,
            stacked=True,
            colors=COLORS,
        ),
        graph(
            first + 3,
            "Tokens a minute by model",
            "All kinds together, of the six models that got most.",
            [
                Query(
                    expr=largest(
                        f"60 * sum by (model) ({rate(tokens)})",
                        f"sum by (model) ({at_end('increase', tokens)})",
                    ),
                    legend="{{model}}",
                )
            ],
            unit="short",
            empty=EMPTY,
            stacked=True,
        ),
        graph(
            first + 4,
            "Tokens a minute by kind",
            "Kinds are disjoint: input is what no cache had, output has the reasoning. A write into a cache "
            "costs more than input, a read a tenth of it.",
            [Query(expr=f"60 * sum by (kind) ({rate(tokens)})", legend="{{kind}}")],
            unit="short",
            empty=EMPTY,
            stacked=True,
        ),
        graph(
            first + 5,
            "Context window filled",
            "Of the six agents that filled most of it. A fall is a new conversation, or a summary in the "
            "place of the old one. The dashed line is where the alert is.",
            [
                Query(
                    expr=largest(
                        context(), at_end("max_over_time", select("tmux_agent_context_tokens", AGENT))
                    ),
                    legend=AGENT_NAME,
                )
            ],
            unit="percentunit",
            empty=EMPTY,
            steps=CONTEXT,
            top=1,
        ),
    )


def waste(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """What nobody has anything of: idling, and what is left behind."""
    money = select("tmux_agent_state_cost_dollars_total", AGENT, IDLE)
    idle_cpu = select("tmux_agent_state_cpu_seconds_total", AGENT, IDLE)
    leaked_cpu = select("tmux_leaked_cpu_seconds_total", SESSION)
    idle_memory = (
        f"{select('tmux_agent_memory_bytes', AGENT)}\nand on (instance, server, session, agent) "
        f"({select('tmux_agent_state', AGENT, IDLE)} == 1)"
    )
    agents, sessions = select("tmux_agent_info", AGENT), select("tmux_session_info", SESSION)
    quota = select("tmux_agent_quota_used_ratio", HOST)
    return (
        graph(
            first,
            "CPU cores of idling and of leaks",
            "Cores that agents use while they idle or wait, and those of leaked processes.",
            [
                Query(expr=or_zero(f"sum({rate(idle_cpu)})", agents), legend="agents that idle or wait"),
                Query(expr=or_zero(f"sum({rate(leaked_cpu)})", sessions), legend="leaked processes"),
            ],
            unit="none",
            empty="Nothing idles here, and nothing is left behind.",
        ),
        graph(
            first + 1,
            "Memory of idling and of leaks",
            "Memory that agents hold while they idle or wait, and that of leaked processes.",
            [
                Query(expr=or_zero(f"sum({idle_memory})", agents), legend="agents that idle or wait"),
                Query(
                    expr=or_zero(f"sum({select('tmux_leaked_memory_bytes', SESSION)})", sessions),
                    legend="leaked processes",
                ),
            ],
            unit="bytes",
            empty="Nothing idles here, and nothing is left behind.",
        ),
        graph(
            first + 2,
            "Dollars an hour while idle or waiting, by agent",
            "Of the six agents that spent most then.",
            [
                Query(
                    expr=largest(
                        f"3600 * sum {BY_AGENT} ({rate(money)})",
                        f"sum {BY_AGENT} ({at_end('increase', money)})",
                    ),
                    legend=AGENT_NAME,
                )
            ],
            unit="currencyUSD",
            empty="Nobody has spent anything while it idled or waited.",
        ).interval(SMOOTH),
        graph(
            first + 3,
            "Quota used",
            "Of each window of each account. After a reset nothing is known until the next request.",
            [
                Query(
                    expr=f"max by (program, account, window) ({quota})",
                    legend="{{program}} {{account}} · {{window}}",
                )
            ],
            unit="percentunit",
            empty=NO_QUOTA,
            top=1,
        ),
    )
