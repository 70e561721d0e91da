"""Alerts about sessions and agents near their limits: memory, CPU, file descriptors."""

from tmux_exporter.alerting.base.alert import Alert, grows, kept
from tmux_exporter.alerting.base.scope import AGENT, PERCENT, SESSION, SIZE
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.groups import KINDS, cpu_of_limit, memory_of_limit

_ARTICLE = {"agent": "An agent", "session": "A session"}
_WHICH = {"agent": f"agent {AGENT}", "session": SESSION}


def _near(kind: str) -> tuple[Alert, ...]:
    name, article, which = f"Tmux{kind.title()}Near", _ARTICLE[kind], _WHICH[kind]
    which = which[0].upper() + which[1:]
    return (
        Alert(
            f"{name}MemoryLimit",
            "agent_memory",
            f"{kept(f'{memory_of_limit(kind)}{{}}')} > $level",
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
            f"{kept(f'tmux_{kind}_fd_utilization_ratio{{}}')} > $level",
            f"{article} has a process that is near its limit of file descriptors.",
            f"{which} has a process with {PERCENT} of the file descriptors open that it may have.",
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
        "TmuxAgentFdsGrowing",
        "fds_grow",
        grows("tmux_agent_open_fds", "agent"),
        "An agent opens file descriptors and does not close them.",
        f"Agent {AGENT} has {{{{ $value }}}} more file descriptors open than an hour ago, at its "
        "least, and more in each quarter of the hour.",
    ),
)
