"""Sessions and agents near their limits."""

from collections.abc import Iterator
from typing import Any

from alerts.cases.parts import LEVELS, OF, RATE, SET, WHO, percent
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    yield Case(
        alert="TmuxAgentManyProcesses",
        series={f"tmux_agent_processes{{{SET['agent']}}}": (10, 1001, 1000)},
        priority="P3",
        hold="5m",
        labels=OF["agent"],
        summary="An agent has very many processes.",
        says="Agent x in session s of tmux server d on a:1 has 1001 processes.",
    )
    yield Case(
        alert="TmuxAgentOomKilled",
        series={f"tmux_agent_oom_kills_total{{{SET['agent']}}}": (0, 1, 0)},
        priority="P1",
        hold="0s",
        over="9m45s",
        labels=OF["agent"],
        summary="The kernel has killed a process of an agent for memory.",
        says="The kernel has killed about 1 processes of agent x in session s of tmux server d on a:1 "
        "for memory within ten minutes.",
    )
    marks = {"emergency": 0.95, "critical": 0.90, "warning": 0.75}
    cores = {"emergency": 0.95, "critical": 0.85, "warning": 0.70}
    for kind, (level, priority, hold) in ((kind, each) for kind in ("agent", "session") for each in LEVELS):
        start = f"Tmux{kind.capitalize()}Near"
        who = {"agent": "An agent", "session": "A session"}[kind]
        same: dict[str, Any] = {"priority": priority, "hold": hold, "threshold": level, "labels": OF[kind]}
        bad = marks[level] + 0.001
        yield Case(
            alert=f"{start}MemoryLimit",
            series={
                f"tmux_{kind}_memory_bytes{{{SET[kind]}}}": (100, 1000 * bad - 50, 1000 * marks[level] - 50),
                f"tmux_{kind}_swap_memory_bytes{{{SET[kind]}}}": (50, 50, 50),
                f"tmux_{kind}_memory_limit_bytes{{{SET[kind]}}}": (1000, 1000, 1000),
            },
            summary=f"{who} is near its memory limit.",
            says=f"{WHO[kind]} uses {percent(bad)} of the memory that it may use.",
            **same,
        )
        yield Case(
            alert=f"{start}FdLimit",
            series={f"tmux_{kind}_fd_utilization_ratio{{{SET[kind]}}}": (0.1, bad, marks[level])},
            summary=f"{who} has a process that is near its limit of file descriptors.",
            says=f"{WHO[kind]} has a process with {percent(bad)} of the file descriptors open that it may "
            "have.",
            **same,
        )
        part = {"emergency": 0.75, "critical": 0.50, "warning": 0.25}[level]
        yield Case(
            alert=f"{start}PidLimit",
            series={
                f"tmux_{kind}_threads{{{SET[kind]}}}": (10, 1000 * part + 1, 1000 * part),
                "tmux_host_user_pids_limit": (4000, 4000, 4000),
                "tmux_host_cgroup_pids_limit": (1000, 1000, 1000),
            },
            summary=f"{who} has many of the processes that its user may have.",
            says=f"{WHO[kind]} has {percent(part + 0.001)} of the processes and threads that its user may "
            "have.",
            **same,
        )
        mark = cores[level]
        yield Case(
            alert=f"{start}CpuLimit",
            series={
                f"tmux_{kind}_cpu_seconds_total{{{SET[kind]}}}": (
                    1,
                    30 * (mark + 0.001),
                    30 * (mark - 0.001),
                ),
                f"tmux_{kind}_cpu_limit_cores{{{SET[kind]}}}": (2, 2, 2),
            },
            after=RATE,
            summary=f"{who} uses nearly all the CPU that it may use.",
            says=f"{WHO[kind]} uses {percent(mark + 0.001)} of the CPU that it may use.",
            **{**same, "priority": "P4", "hold": "30m"},
        )
