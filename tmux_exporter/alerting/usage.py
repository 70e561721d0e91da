"""Alerts about sessions and agents near their limits: memory, CPU, file descriptors."""

from collections.abc import Callable, Mapping

from tmux_exporter.alerting.base.alert import Alert, grows, kept, runs_out
from tmux_exporter.alerting.base.scope import AGENT, PERCENT, SESSION, SIZE, TIME, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.groups import KINDS, cpu_of_limit, memory_of_limit, pids_of_limit

_ARTICLE = {"agent": "An agent", "session": "A session"}
_WHICH = {"agent": f"agent {AGENT}", "session": SESSION}


_OF_LIMIT: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "memory": ("agent_memory", lambda kind: f"{memory_of_limit(kind)}{{}}"),
    "fds": ("fds", lambda kind: f"tmux_{kind}_fd_utilization_ratio{{}}"),
    "pids": ("pids", lambda kind: f"{pids_of_limit(kind)}{{}}"),
}


def _near_limit(kind: str, what: str) -> str:
    """The recorded part of a limit, where it is above the mildest level: few are, so levels cost little."""
    return f"{kind}:tmux_{kind}_{what}_near_limit:ratio"


def recorded(scope: Scope) -> tuple[Rule, ...]:
    """Who is near a limit."""
    return tuple(
        scope.record(_near_limit(kind, what), kept(ratio(kind), where=f" > ${table}.warning"))
        for kind in KINDS
        for what, (table, ratio) in _OF_LIMIT.items()
    )


def _near(kind: str) -> tuple[Alert, ...]:
    name, article, which = f"Tmux{kind.title()}Near", _ARTICLE[kind], _WHICH[kind]
    which = which[0].upper() + which[1:]
    return (
        Alert(
            f"{name}MemoryLimit",
            "agent_memory",
            f"{_near_limit(kind, 'memory')}{{}} > $level",
            f"{article} is near its memory limit.",
            f"{which} uses {PERCENT} of the memory that it may use.",
            LEVELS,
        ),
        Alert(
            f"{name}CpuLimit",
            "cpu",
            f"{cpu_of_limit(kind)}{{}} > $level",
            f"{article} uses nearly all the CPU that it may use.",
            f"{which} uses {PERCENT} of the CPU that it may use.",
            LEVELS,
        ),
        Alert(
            f"{name}FdLimit",
            "fds",
            f"{_near_limit(kind, 'fds')}{{}} > $level",
            f"{article} has a process that is near its limit of file descriptors.",
            f"{which} has a process with {PERCENT} of the file descriptors open that it may have.",
            LEVELS,
        ),
        Alert(
            f"{name}PidLimit",
            "pids",
            f"{_near_limit(kind, 'pids')}{{}} > $level",
            f"{article} has many of the processes that its user may have.",
            f"{which} has {PERCENT} of the processes and threads that its user may have.",
            LEVELS,
        ),
    )


def _memory_grows(kind: str) -> Alert:
    return Alert(
        f"Tmux{kind.title()}MemoryGrowing",
        "memory_grows",
        grows(f"tmux_{kind}_memory_bytes", kind),
        f"The memory of {_ARTICLE[kind].lower()} grows without end.",
        f"The least memory of {_WHICH[kind]} has grown by {SIZE} "
        "within the last hour, in each quarter of it: neither a step nor a saw-tooth.",
    )


ALERTS = (
    *(alert for kind in KINDS for alert in _near(kind)),
    *map(_memory_grows, KINDS),
    Alert(
        "TmuxAgentManyProcesses",
        "many_processes",
        kept("tmux_agent_processes{}", where=" > $more_than"),
        "An agent has very many processes.",
        f"Agent {AGENT} has {{{{ $value }}}} processes.",
    ),
    Alert(
        "TmuxAgentOomKilled",
        "agent_oom",
        "increase(tmux_agent_oom_kills_total{}[$within]) > 0",
        "The kernel has killed a process of an agent for memory.",
        f"The kernel has killed about {{{{ $value | humanize }}}} processes of agent {AGENT} for memory "
        "within ten minutes.",
    ),
    Alert(
        "TmuxAgentFdsRunOut",
        "agent_fds_run_out",
        runs_out("tmux_agent_fd_utilization_ratio{}"),
        "An agent will have used up its file descriptors soon.",
        f"At the pace of the last three minutes a process of agent {AGENT} has opened all the file "
        f"descriptors that it may have in {TIME}.",
    ),
    Alert(
        "TmuxAgentMemoryRunsOut",
        "agent_memory_runs_out",
        runs_out(f"{memory_of_limit('agent')}{{}}"),
        "An agent will have used up its memory soon.",
        f"At the pace of the last three minutes agent {AGENT} has used up the memory that it may use "
        f"in {TIME}.",
    ),
    Alert(
        "TmuxAgentFdsGrowing",
        "fds_grow",
        grows("tmux_agent_open_fds", "agent"),
        "An agent opens file descriptors and does not close them.",
        f"Agent {AGENT} has {{{{ $value }}}} more file descriptors open than an hour ago, at its "
        "least, and more in each quarter of the hour.",
    ),
)
