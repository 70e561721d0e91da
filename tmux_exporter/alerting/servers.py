"""Alerts about tmux servers.

`tmux_up` is 0 for a server that hangs and for one that has ended. Its process tells them apart: only a living
one has `tmux_server_start_time_seconds`.
"""

from tmux_exporter.alerting.scope import Rule, Scope


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_not_answering(scope), _ended(scope))


def _not_answering(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxServerNotAnswering",
        "server_not_answering",
        f"{scope.series('tmux_up')} == 0\nand {scope.series('tmux_server_start_time_seconds')}",
        summary="A tmux server does not answer.",
        description="The tmux server {{ $labels.server }} on {{ $labels.instance }} runs but does not "
        "answer: nobody can attach, no key and no scheduled check-in arrives.",
    )


def _ended(scope: Scope) -> Rule:
    place = "job, instance, server"
    agents = f"{scope.series('tmux_agent_processes')}[{scope.range('server_ended', 'agents_within')}]"
    return scope.alert(
        "TmuxServerEnded",
        "server_ended",
        f"count by ({place}) (last_over_time({agents}))\n"
        f"and on ({place}) ({scope.series('tmux_up')} == 0 "
        f"unless {scope.series('tmux_server_start_time_seconds')})",
        summary="A tmux server ended while agents were in it.",
        description="The tmux server {{ $labels.server }} on {{ $labels.instance }} has ended, and with it "
        "all its sessions. Agents that were there shortly before: {{ $value }}.",
    )
