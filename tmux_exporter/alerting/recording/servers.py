"""Recording rules of tmux servers: time to answer, use of limits, leaks."""

from tmux_exporter.alerting.base.alert import record_floor
from tmux_exporter.alerting.base.scope import Rule, Scope

FDS_OF_LIMIT = "server:tmux_server_fds_of_limit:ratio"
QUERY_MEAN = "server:tmux_server_query_duration_seconds:mean_rate5m"
COMMAND_ERRORS = "server:tmux_command_errors:ratio_rate5m"
LEAKED_PROCESSES = "server:tmux_leaked_processes:sum"
LEAKED_MEMORY = "server:tmux_leaked_memory_bytes:sum"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""
    spent, asked = (
        f"rate(tmux_server_query_duration_seconds_{what}{{}}[$server_slow.over])" for what in ("sum", "count")
    )
    failed, ran = (
        f"sum without (command) (rate(tmux_command_{what}{{}}[$command_errors.over]))"
        for what in ("errors_total", "duration_seconds_count")
    )
    return (
        scope.record(FDS_OF_LIMIT, "tmux_server_open_fds{} / (tmux_server_max_fds{} > 0)"),
        scope.record(QUERY_MEAN, f"{spent}\n/ ({asked} > 0)"),
        scope.record(COMMAND_ERRORS, f"{failed}\n/ ({ran} > 0)"),
    )


def slow_rules(scope: Scope) -> tuple[Rule, ...]:
    """What only alerts read that may take their time."""
    leaked, held = (
        f"sum without (session, kind) (tmux_leaked_{what}{{}})" for what in ("processes", "memory_bytes")
    )
    return (
        scope.record(LEAKED_PROCESSES, leaked),
        # Without leaks there is no series of their memory.
        scope.record(LEAKED_MEMORY, f"{held}\nor {LEAKED_PROCESSES}{{}} == 0"),
        record_floor(scope, LEAKED_PROCESSES, "server"),
        record_floor(scope, "tmux_server_history_bytes", "server"),
    )
