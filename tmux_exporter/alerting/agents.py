"""Alerts about coding agents."""

from tmux_exporter.alerting.scope import Rule, Scope
from tmux_exporter.alerting.thresholds import LEVELS

MEMORY_OF_LIMIT = "agent:tmux_agent_memory_of_limit:ratio"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_memory_of_limit(scope), *(_near_memory_limit(scope, level) for level in LEVELS))


def _memory_of_limit(scope: Scope) -> Rule:
    memory, swap, limit = (
        scope.series(f"tmux_agent_{what}_bytes") for what in ("memory", "swap_memory", "memory_limit")
    )
    # A kernel without swap shows none, and then the sum has no series.
    return scope.record(MEMORY_OF_LIMIT, f"(\n  {memory} + {swap}\n  or {memory}\n)\n/ {limit}")


def _near_memory_limit(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxAgentNearMemoryLimit",
        "agent_memory",
        f"{scope.series(MEMORY_OF_LIMIT)} > {scope.number('agent_memory', level)}",
        level=level,
        summary="An agent is near its memory limit.",
        description="Agent {{ $labels.agent }} in session {{ $labels.session }} of tmux server "
        "{{ $labels.server }} on {{ $labels.instance }} uses {{ $value | humanizePercentage }} of the memory "
        "that it may use.",
    )
