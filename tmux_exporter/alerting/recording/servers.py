"""tmux servers: how quickly they answer, how near they are to their limits, what is left behind of them."""

from tmux_exporter.alerting.base.growth import record_floor
from tmux_exporter.alerting.base.scope import Rule, Scope

FDS_OF_LIMIT = "server:tmux_server_fds_of_limit:ratio"
QUERY_MEAN = "server:tmux_server_query_duration_seconds:mean_rate5m"
COMMAND_ERRORS = "server:tmux_command_errors:ratio_rate5m"
LEAKED_PROCESSES = "server:tmux_leaked_processes:sum"
LEAKED_MEMORY = "server:tmux_leaked_memory_bytes:sum"

_BY = "job, instance, server"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    fds, limit = (scope.series(f"tmux_server_{what}_fds") for what in ("open", "max"))
    spent, asked = (
        f"sum by ({_BY}) (rate({scope.series(name)}[{scope.range('server_slow', 'over')}]))"
        for name in ("tmux_server_query_duration_seconds_sum", "tmux_server_query_duration_seconds_count")
    )
    failed, ran = (
        f"sum by ({_BY}) (rate({scope.series(name)}[{scope.range('command_errors', 'over')}]))"
        for name in ("tmux_command_errors_total", "tmux_command_duration_seconds_count")
    )
    return (
        scope.record(FDS_OF_LIMIT, f"{fds} / ({limit} > 0)"),
        scope.record(QUERY_MEAN, f"{spent}\n/ ({asked} > 0)"),
        scope.record(COMMAND_ERRORS, f"{failed}\n/ ({ran} > 0)"),
        scope.record(LEAKED_PROCESSES, f"sum by ({_BY}) ({scope.series('tmux_leaked_processes')})"),
        scope.record(LEAKED_MEMORY, f"sum by ({_BY}) ({scope.series('tmux_leaked_memory_bytes')})"),
        record_floor(scope, LEAKED_PROCESSES, "server"),
        record_floor(scope, "tmux_server_history_bytes", "server"),
    )
