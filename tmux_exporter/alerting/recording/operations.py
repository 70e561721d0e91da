"""Recording rules of reported operations: rate, errors, slow ones and mean duration by name."""

from tmux_exporter.alerting.base.scope import Rule, Scope

RATE = "operation:tmux_operations:rate5m"
ERRORS = "operation:tmux_operation_errors:ratio_rate5m"
MEAN = "operation:tmux_operation_duration_seconds:mean_rate5m"
SLOW = "operation:tmux_operation_slow:ratio_rate5m"
SLOW_BURN = "operation:tmux_operation_slow:burn_rate5m"
"""How many times as many are slow as their objective allows."""

ALLOWED = "last_over_time(tmux_operation_objective_ratio{}[$operations.over])"
"""The part that has to be in time, also while scrapes fail."""
DEMAND = (
    "sum without (operation) (\n  avg_over_time(tmux_operations_in_flight{}[$throughput.over])\n"
    "  / last_over_time(tmux_operation_objective_seconds{}[$throughput.over])\n)"
)
"""How many a second would be finished if each that is under way took its objective."""

_DURATION = "tmux_operation_duration_seconds"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""

    def rate(name: str) -> str:
        return f"rate({name}{{}}[$operations.over])"

    count = rate(f"{_DURATION}_count")
    # Without any operation there is no ratio and no mean: 0 / 0 is left out.
    some = f"({count} > 0)"
    return (
        scope.record(RATE, count),
        scope.record(ERRORS, f"sum without (reason) ({rate('tmux_operation_errors_total')})\n/ {some}"),
        scope.record(MEAN, f"{rate(f'{_DURATION}_sum')}\n/ {some}"),
        scope.record(SLOW, f"{rate('tmux_operation_slow_total')}\n/ {some}"),
        scope.record(SLOW_BURN, f"{SLOW}{{}}\n/ (1 - {ALLOWED})"),
    )
