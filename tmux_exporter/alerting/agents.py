"""Alerts about coding agents."""

from tmux_exporter.alerting.recording.groups import memory_of_limit
from tmux_exporter.alerting.scope import Rule, Scope
from tmux_exporter.alerting.thresholds import LEVELS


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return tuple(_near_memory_limit(scope, level) for level in LEVELS)


def _near_memory_limit(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxAgentNearMemoryLimit",
        "agent_memory",
        f"{scope.series(memory_of_limit('agent'))} > {scope.number('agent_memory', level)}",
        level=level,
        summary="An agent is near its memory limit.",
        description="Agent {{ $labels.agent }} in session {{ $labels.session }} of tmux server "
        "{{ $labels.server }} on {{ $labels.instance }} uses {{ $value | humanizePercentage }} of the memory "
        "that it may use.",
    )
