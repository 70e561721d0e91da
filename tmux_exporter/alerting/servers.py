"""Alerts about tmux servers.

`tmux_up` is 0 for a server that hangs or whose socket file is gone, for one that has ended, and for one that
the exporter may not ask. Only one that lives has `tmux_server_start_time_seconds`; whoever may not be asked
counts failures that say so.
"""

from tmux_exporter.alerting.scope import Rule, Scope


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_not_answering(scope), _ended(scope))


_PLACE = "job, instance, server"


def _not_answering(scope: Scope) -> Rule:
    refused = scope.series("tmux_server_query_failures_total", 'reason=~"denied|untrusted"')
    lately = scope.range("server_not_answering", "refused_within")
    return scope.alert(
        "TmuxServerNotAnswering",
        "server_not_answering",
        f"{scope.series('tmux_up')} == 0\n"
        f"and {scope.series('tmux_server_start_time_seconds')}\n"
        f"unless on ({_PLACE})\n  increase({refused}[{lately}]) > 0",
        summary="A tmux server does not answer.",
        description="The tmux server {{ $labels.server }} on {{ $labels.instance }} runs but does not "
        "answer: most likely nobody can attach, and no key and no scheduled check-in arrives.",
    )


def _ended(scope: Scope) -> Rule:
    agents = f"{scope.series('tmux_agent_processes')}[{scope.range('server_ended', 'agents_within')}]"
    return scope.alert(
        "TmuxServerEnded",
        "server_ended",
        f"count by ({_PLACE}) (last_over_time({agents}))\n"
        f"and on ({_PLACE}) ({scope.series('tmux_up')} == 0 "
        f"unless {scope.series('tmux_server_start_time_seconds')})",
        summary="A tmux server ended while agents were in it.",
        description="The tmux server {{ $labels.server }} on {{ $labels.instance }} has ended, and with it "
        "all its sessions. Agents that were there shortly before: {{ $value }}.",
    )
