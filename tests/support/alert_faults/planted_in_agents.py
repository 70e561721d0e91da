"""Faults of agents and of what they use, on the server FLEET."""

from tests.support.alert_faults.planted import ALL, CPU, SECONDS, Planted, agent, server, thresholds

IN_AGENTS: tuple[Planted, ...] = (
    *thresholds("Memory", "memory", "agents that hold 82, 92.5 and 98 % of 64 MiB"),
    *thresholds("Fd", "files", "agents with 82, 93 and 98 of 100 descriptors open"),
    *(
        Planted(
            f"Tmux{owner}NearCpuLimit",
            "an agent that computes without end",
            agent("burning"),
            levels=ALL,
            number=CPU,
        )
        for owner in ("Session", "Agent")
    ),
    *(
        Planted(f"Tmux{owner}MemoryGrowing", "an agent that keeps 1.5 MiB more each second", agent("leaking"))
        for owner in ("Session", "Agent")
    ),
    Planted("TmuxAgentFdsGrowing", "an agent that keeps four more descriptors each second", agent("opening")),
    Planted("TmuxAgentWaiting", "an agent whose session file says that it waits for a permission",
        {**agent("asking"), "reason": "permission"}, number=SECONDS),
    Planted("TmuxAgentExited", "an agent ended for whose shell a scheduler waits", agent("ending"),
        ends=False),
    Planted("TmuxAgentAbsent", "an agent declared that was never started",
        {**agent("work"), "agent": "absent"}, ends=False),
    Planted("TmuxAgentStuck", "an agent whose session file says that it works, and that sleeps",
        agent("stuck")),
    Planted("TmuxAgentIdleBurn", "an agent whose session file says that it is idle, and that computes",
        agent("burning")),
    Planted("TmuxAgentRestarting", "an agent that ends after 1.5 s and is started again each time",
        agent("short"), ends=False),
    Planted("TmuxAgentRecoverySlow", "a declared agent that comes back after 8 s each time", server("back"),
        number=SECONDS, ends=False),
)  # fmt: skip
