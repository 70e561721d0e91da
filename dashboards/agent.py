"""The agent board: one page that explains one agent."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.levels import alert_levels
from dashboards.marks import alerts, remediations
from dashboards.queries import AGENT, OF_AGENT
from dashboards.sections import agents, check_ins, cost, leaks, one_agent, states
from dashboards.variables import OF_AGENT as VARIABLES


def agent() -> build.Dashboard:
    """What it does and waits for, what it costs, and what it and its session left behind."""
    return board(
        "tmux-agent",
        "tmux agent",
        "One agent: what it does and waits for, what it costs against its limits, and what is left behind.",
        [
            Section(panels=one_agent.glance()),
            Section(
                number=10,
                title="$agent: what it does",
                panels=(
                    states.state_timeline(11, AGENT, height=6),
                    one_agent.time_by_state(12),
                    one_agent.waiting_for(13),
                    states.cpu_by_state(14, AGENT),
                    one_agent.same_command(15),
                ),
            ),
            Section(
                number=30,
                title="$agent: what it costs",
                panels=cost.panels(cost.AGENTS, alert_levels("agent_memory")),
            ),
            Section(number=50, title="Agents chosen", panels=(agents.table(51, AGENT, VARIABLES, height=6),)),
            Section(
                number=60,
                title="Its session, $session: check-ins and leaks",
                panels=(
                    check_ins.states(61, width=10),
                    check_ins.table(62, VARIABLES, width=14, height=8),
                    leaks.table(63, VARIABLES),
                ),
            ),
        ],
        variables=VARIABLES,
        marks=(alerts(OF_AGENT), remediations()),
    )
