"""Bad days that begin otherwise than the row of their alert, as they come in practice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alerts.days.bad import (
    BURNS,
    OF_AGENT,
    OF_SERVER,
    SERVER,
    WORKS,
    Bad,
    adds,
    climbs,
    during,
    jumps,
    shown,
)
from alerts.days.bad_agents import AGENT
from alerts.days.world import HOUR, MINUTE, Doing


def _others() -> Iterator[Bad]:
    lasts = 10.2 * HOUR
    yield Bad(
        alert="TmuxAgentNearFdLimit",
        level="critical",
        priority="P2",
        who=OF_AGENT,
        how="leaks slowly",
        faults={
            f"tmux_agent_open_fds{{{AGENT}}}": climbs(40, 900 / (10 * HOUR)),
            f"tmux_agent_fd_utilization_ratio{{{AGENT}}}": climbs(0.04, 0.88 / (10 * HOUR)),
        },
        lasts=lasts,
        within=9.9 * HOUR,
        beside=("TmuxAgentFdsGrowing", "TmuxAgentNearFdLimit"),
        until=20 * HOUR,
    )
    # Every sample lacks what the server would tell.
    yield Bad(
        alert="TmuxServerNotAnswering",
        priority="P1",
        who=OF_SERVER,
        how="is stopped",
        does=Doing(state="unknown", cores=0.15),
        faults={
            f"tmux_up{{{SERVER}}}": during(0),
            f'tmux_server_query_failures_total{{{SERVER}, reason="hung"}}': adds(1 / 60),
            'tmux_exporter_samples_total{result="partial"}': adds(0.2),
            'tmux_exporter_samples_total{result="complete"}': adds(-0.2),
        },
        beside=(BURNS, "TmuxSamplesPartial"),
    )
    begin, end = 1.0 * HOUR, 1.75 * HOUR
    yield Bad(
        alert="TmuxExporterClockWrong",
        priority="P3",
        how="by ten minutes",
        host={"clock": lambda time: -600.0 if begin <= time < end else 0.0},
    )
    yield Bad(
        alert="TmuxExporterClockWrong",
        priority="P3",
        how="by an hour ahead",
        host={"clock": lambda time: 3600.0 if begin <= time < end else 0.0},
    )
    # It dies in its pane, and nobody starts it again.
    yield Bad(
        alert="TmuxAgentOomKilled",
        priority="P1",
        who=OF_AGENT,
        how="in a build",
        does=Doing(state="exited", cores=0),
        faults={
            f"tmux_agent_crashed{{{AGENT}}}": shown(1),
            f"tmux_agent_oom_kills_total{{{AGENT}}}": jumps(),
            "tmux_host_oom_kills_total": jumps(),
        },
        beside=(BURNS, "TmuxAgentExited"),
    )
    # The build of one agent has the host to itself, and the other one goes on.
    yield Bad(
        alert="TmuxAgentNearMemoryLimit",
        level="critical",
        priority="P2",
        who=OF_AGENT,
        how="with all that the host has",
        does=replace(WORKS, memory=0.92 * 16 * 2**30, processes=60, cores=7),
        faults={"tmux_host_memory_available_bytes": during(0.09 * 32 * 2**30)},
        beside=("TmuxAgentNearCpuLimit", "TmuxSessionNearCpuLimit"),
        lasts=20 * MINUTE,
    )


MAKERS = (_others,)
