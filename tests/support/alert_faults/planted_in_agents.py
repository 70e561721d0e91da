"""Faults of agents and of what they use, on the server FLEET."""

from tests.support.alert_faults.planted import ALL, CPU, SECONDS, Planted, agent, server, thresholds

IN_AGENTS: tuple[Planted, ...] = (
    *thresholds("Memory", "memory", "agents that hold 82, 92.5 and 98 % of 64 MiB"),
    *thresholds("Fd", "files", "agents with 82, 93 and 98 of 100 descriptors open"),
    *(
        Planted(
            alert=f"Tmux{owner}NearCpuLimit",
            fault="an agent that computes without end",
            labels=agent("burning"),
            levels=ALL,
            number=CPU,
        )
        for owner in ("Session", "Agent")
    ),
    *(
        Planted(
            alert=f"Tmux{owner}MemoryGrowing",
            fault="an agent that keeps 1.5 MiB more each second",
            labels=agent("leaking"),
        )
        for owner in ("Session", "Agent")
    ),
    Planted(
        alert="TmuxAgentFdsGrowing",
        fault="an agent that keeps four more descriptors each second",
        labels=agent("opening"),
    ),
    Planted(
        alert="TmuxAgentWaiting",
        fault="an agent whose session file says that it waits for a permission",
        labels={**agent("asking"), "reason": "permission"},
        number=SECONDS,
    ),
    Planted(
        alert="TmuxAgentExited",
        fault="an agent ended, and its shell left",
        labels=agent("ending"),
        ends=False,
    ),
    Planted(
        alert="TmuxAgentAbsent",
        fault="an agent declared that was never started",
        labels={**agent("work"), "agent": "absent"},
        ends=False,
    ),
    Planted(
        alert="TmuxAgentStuck",
        fault="an agent whose session file says that it works, and that sleeps",
        labels=agent("stuck"),
    ),
    Planted(
        alert="TmuxAgentIdleBurn",
        fault="an agent whose session file says that it is idle, and that computes",
        labels=agent("burning"),
    ),
    Planted(
        alert="TmuxAgentRestarting",
        fault="an agent that ends after 1.5 s and is started again each time",
        labels=agent("short"),
        ends=False,
    ),
    Planted(
        alert="TmuxAgentRecoverySlow",
        fault="an agent that comes back after 8 s each time",
        labels=server("back"),
        number=SECONDS,
        ends=False,
    ),
)
