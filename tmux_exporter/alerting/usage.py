"""Alerts about sessions and agents near their limits: memory, CPU, file descriptors."""

from tmux_exporter.alerting.base.alert import Alert, grows, kept, record_rise, runs_out
from tmux_exporter.alerting.base.scope import AGENT, PERCENT, SESSION, SIZE, TIME, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.groups import KINDS, cpu_of_limit, memory_of_limit
from tmux_exporter.alerting.recording.hosts import PIDS_LIMIT

_ARTICLE = {"agent": "An agent", "session": "A session"}
_WHICH = {"agent": f"agent {AGENT}", "session": SESSION}


def _near_limit(kind: str, what: str) -> str:
    """The recorded part of a limit, where it is above the mildest level: few are, so levels cost little."""
    return f"{kind}:tmux_{kind}_{what}_near_limit:ratio"


_FDS_RISE = "agent:tmux_agent_fds_rise:ratio"
_MEMORY_RISE = "agent:tmux_agent_memory_rise:ratio"
_FDS = "tmux_agent_fd_utilization_ratio{}"
_MEMORY = f"{memory_of_limit('agent')}{{}}"


def recorded(scope: Scope) -> tuple[Rule, ...]:
    """Who is near a limit, and what rises fast: few, of which all levels are told."""
    return (
        *(rule for kind in KINDS for rule in _all_near(scope, kind)),
        record_rise(scope, _FDS_RISE, _FDS, "agent_fds_run_out"),
        record_rise(scope, _MEMORY_RISE, _MEMORY, "agent_memory_runs_out"),
    )


def _all_near(scope: Scope, kind: str) -> tuple[Rule, ...]:
    memory, fds = f"{memory_of_limit(kind)}{{}}", f"tmux_{kind}_fd_utilization_ratio{{}}"
    threads, limit = kept(f"tmux_{kind}_threads{{}}"), kept(f"{PIDS_LIMIT}{{}}")
    pids = f"{threads}\n/ on (job, instance) group_left () {limit}\n> $pids.warning"
    return (
        scope.record(_near_limit(kind, "memory"), kept(memory, where=" > $agent_memory.warning")),
        scope.record(_near_limit(kind, "fds"), kept(fds, where=" > $fds.warning")),
        scope.record(_near_limit(kind, "pids"), pids),
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
        runs_out(_FDS, _FDS_RISE),
        "An agent will have used up its file descriptors soon.",
        f"At the pace of the last three minutes a process of agent {AGENT} has opened all the file "
        f"descriptors that it may have in {TIME}.",
    ),
    Alert(
        "TmuxAgentMemoryRunsOut",
        "agent_memory_runs_out",
        runs_out(_MEMORY, _MEMORY_RISE),
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
