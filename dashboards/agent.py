"""The agent board: one page that explains one agent."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.levels import alert_levels
from dashboards.marks import alerts, remediations
from dashboards.queries import AGENT, OF_AGENT
from dashboards.sections import agents, cost, left_behind, one_agent, states
from dashboards.variables import OF_AGENT as VARIABLES


def agent() -> build.Dashboard:
    """What it does and waits for, what it costs, and what it and its session left behind."""
    return board(
        "tmux-agent",
        "tmux agent",
        "One agent: what it does and waits for, what it costs against its limits, and what is left behind.",
        [
            Section(
                panels=(
                    *one_agent.glance(),
                    states.state_timeline(11, AGENT),
                    agents.table(51, AGENT, VARIABLES, height=8),
                    *left_behind.lists(62, VARIABLES),
                )
            ),
            Section(
                number=10,
                title="$agent: what it does over time",
                panels=(
                    one_agent.time_by_state(12),
                    one_agent.waiting_for(13),
                    states.cpu_by_state(14, AGENT),
                    one_agent.same_command(15),
                    one_agent.helpers(16),
                    one_agent.helpers_memory(17),
                ),
            ),
            Section(
                number=30,
                title="$agent: what it costs over time",
                panels=cost.panels(cost.AGENTS, alert_levels("agent_memory")),
            ),
            Section(
                number=60,
                title="Its session, $session: schedulers and leaks over time",
                panels=left_behind.over_time(61, 64),
            ),
        ],
        variables=VARIABLES,
        marks=(alerts(OF_AGENT), remediations()),
    )
