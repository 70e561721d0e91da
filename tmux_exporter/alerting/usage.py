"""Alerts about what sessions and agents use of what they may use: memory, CPU, file descriptors."""

from tmux_exporter.alerting.base.growth import grows
from tmux_exporter.alerting.base.scope import AGENT, PERCENT, SESSION, SIZE, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.groups import KINDS, cpu_of_limit, memory_of_limit

_NAME = {"agent": "Agent", "session": "Session"}
_WHICH = {"agent": f"Agent {AGENT}", "session": SESSION[0].upper() + SESSION[1:]}
_ARTICLE = {"agent": "An agent", "session": "A session"}


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        *(_near(scope, kind, what, level) for kind in KINDS for what in _USES for level in LEVELS),
        *(_memory_grows(scope, kind) for kind in KINDS),
        _fds_grow(scope),
    )


_USES = ("memory", "cpu", "fds")


def _near(scope: Scope, kind: str, what: str, level: str) -> Rule:
    name, table, series, summary, says = {
        "memory": (
            f"Tmux{_NAME[kind]}NearMemoryLimit",
            "agent_memory",
            memory_of_limit(kind),
            "is near its memory limit",
            f"uses {PERCENT} of the memory that it may use",
        ),
        "cpu": (
            f"Tmux{_NAME[kind]}NearCpuLimit",
            "cpu",
            cpu_of_limit(kind),
            "uses nearly all the CPU that it may use",
            f"uses {PERCENT} of the CPU that it may use",
        ),
        "fds": (
            f"Tmux{_NAME[kind]}NearFdLimit",
            "fds",
            f"tmux_{kind}_fd_utilization_ratio",
            "has a process that is near its limit of file descriptors",
            f"has a process with {PERCENT} of the file descriptors open that it may have",
        ),
    }[what]
    return scope.alert(
        name,
        table,
        f"{scope.series(series)} > {scope.number(table, level)}",
        level=level,
        summary=f"{_ARTICLE[kind]} {summary}.",
        description=f"{_WHICH[kind]} {says}.",
    )


def _memory_grows(scope: Scope, kind: str) -> Rule:
    return scope.alert(
        f"Tmux{_NAME[kind]}MemoryGrowing",
        "memory_grows",
        grows(scope, f"tmux_{kind}_memory_bytes", kind, "memory_grows"),
        summary=f"The memory of {_ARTICLE[kind].lower()} grows without end.",
        description=f"The least memory of {_WHICH[kind][0].lower()}{_WHICH[kind][1:]} has grown by {SIZE} "
        "within the last hour, in each quarter of it: neither a step nor a saw-tooth.",
    )


def _fds_grow(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxAgentFdsGrowing",
        "fds_grow",
        grows(scope, "tmux_agent_open_fds", "agent", "fds_grow"),
        summary="An agent opens file descriptors and does not close them.",
        description=f"Agent {AGENT} has {{{{ $value }}}} more file descriptors open than an hour ago, at its "
        "least, and more in each quarter of the hour.",
    )
