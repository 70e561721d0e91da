"""Alerts about tmux servers.

`tmux_up` is 0 for a server that hangs or whose socket file is gone, for one that has ended, and for one that
the exporter may not ask. Only one that lives has `tmux_server_start_time_seconds`; whoever may not be asked
counts failures that say so.
"""

from tmux_exporter.alerting.base.growth import grows
from tmux_exporter.alerting.base.scope import PERCENT, SERVER, SIZE, TIME, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.servers import FDS_OF_LIMIT, QUERY_MEAN


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        _not_answering(scope),
        _ended(scope),
        _slow(scope),
        *(_near_fd_limit(scope, level) for level in LEVELS),
        _history(scope),
    )


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
        "answer: most likely nobody can attach, and no keys arrive, those of schedulers included.",
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


def _slow(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxServerSlow",
        "server_slow",
        f"{scope.series(QUERY_MEAN)} > {scope.number('server_slow', 'seconds')}",
        summary="A tmux server answers slowly.",
        description=f"The {SERVER} takes {TIME} to answer on average: so long every key waits.",
    )


def _near_fd_limit(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxServerNearFdLimit",
        "fds",
        f"{scope.series(FDS_OF_LIMIT)} > {scope.number('fds', level)}",
        level=level,
        summary="A tmux server is near its limit of file descriptors.",
        description=f"The {SERVER} has {PERCENT} of the file descriptors open that it may have; at "
        f"100 % no pane "
        "can be opened and nobody can attach.",
    )


def _history(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxHistoryGrowing",
        "history_grows",
        grows(scope, "tmux_server_history_bytes", "server", "history_grows"),
        summary="The scroll-back of a tmux server grows without end.",
        description=f"The scroll-back of the {SERVER} has grown by {SIZE} within the last hour, in "
        f"each quarter "
        "of it.",
    )
