"""What agents do."""

from collections.abc import Iterator

from alerts.cases.parts import AGENT, OF, SERVER, SESSION, WHO
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    yield Case(
        alert="TmuxAgentExited",
        series={
            f'tmux_agent_state{{{AGENT}, state="exited"}}': (0, 1, 0),
            f'tmux_schedulers{{{SESSION}, state="armed"}}': (1, 1, 1),
        },
        priority="P3",
        hold="5m",
        labels={**OF["agent"], "state": "exited"},
        summary="An agent has failed, or has ended while keys are on their way to it.",
        says=f"{WHO['agent']} has ended; its pane is still there. It failed, or schedulers of its session "
        "are armed: what is typed into it goes to a shell.",
    )
    yield Case(
        alert="TmuxAgentRestarting",
        series={f"tmux_agent_restarts_total{{{AGENT}}}": (0, 0.5, 0.05)},
        priority="P3",
        hold="0s",
        before="61m",
        after="1m30s",
        lasts="3m",
        over="58m15s",
        labels=OF["agent"],
        summary="An agent is started again and again.",
        says=f"{WHO['agent']} was restarted about 3.5 times within the hour.",
    )
    yield Case(
        alert="TmuxAgentRecoverySlow",
        series={
            f"tmux_agent_outage_seconds_sum{{{SERVER}}}": (1, 301, 299),
            f"tmux_agent_outage_seconds_count{{{SERVER}}}": (1, 1, 1),
        },
        priority="P3",
        hold="1m",
        before="15s",
        labels=OF["server"],
        summary="Agents are down for long before they are up again.",
        says="Agents of tmux server d on a:1 that are declared or had crashed were up again after 5m 1s on "
        "average; five minutes are promised.",
    )
