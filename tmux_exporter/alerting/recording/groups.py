"""Recording rules of sessions and agents: memory and CPU as a part of their limits."""

from tmux_exporter.alerting.base.alert import record_floor
from tmux_exporter.alerting.base.scope import Rule, Scope
from tmux_exporter.alerting.recording.hosts import CORES

KINDS = ("session", "agent")


def memory_of_limit(kind: str) -> str:
    """The recorded memory and swap of a session or an agent as a part of its limit."""
    return f"{kind}:tmux_{kind}_memory_of_limit:ratio"


def cpu_of_limit(kind: str) -> str:
    """The recorded CPU of a session or an agent as a part of the cores that it may use."""
    return f"{kind}:tmux_{kind}_cpu_of_limit:ratio_rate5m"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    return tuple(_memory_of_limit(scope, kind) for kind in KINDS)


def slow_rules(scope: Scope) -> tuple[Rule, ...]:
    """What only alerts read that may take their time."""
    return (
        *(make(scope, kind) for kind in KINDS for make in (_cpu_of_limit, _floor)),
        record_floor(scope, "tmux_agent_open_fds", "agent"),
    )


def _floor(scope: Scope, kind: str) -> Rule:
    return record_floor(scope, f"tmux_{kind}_memory_bytes", kind)


def _memory_of_limit(scope: Scope, kind: str) -> Rule:
    # A kernel without swap shows none, and then the sum has no series.
    return scope.record(
        memory_of_limit(kind),
        f"""
        (
          tmux_{kind}_memory_bytes{{}} + tmux_{kind}_swap_memory_bytes{{}}
          or tmux_{kind}_memory_bytes{{}}
        )
        / (tmux_{kind}_memory_limit_bytes{{}} > 0)
        """,
    )


def _cpu_of_limit(scope: Scope, kind: str) -> Rule:
    used = f"rate(tmux_{kind}_cpu_seconds_total{{}}[$cpu.over])"
    # Where no limit is known, the cores of the host are one.
    return scope.record(
        cpu_of_limit(kind),
        f"{used} / (tmux_{kind}_cpu_limit_cores{{}} > 0)\nor\n"
        f"{used}\n/ on (job, instance) group_left () ({CORES}{{}} > 0)",
    )
