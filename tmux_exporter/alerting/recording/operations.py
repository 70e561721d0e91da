"""Recording rules of reported operations: rate, duration and errors by name."""

from tmux_exporter.alerting.base.scope import Rule, Scope

RATE = "operation:tmux_operations:rate5m"
ERRORS = "operation:tmux_operation_errors:ratio_rate5m"
MEAN = "operation:tmux_operation_duration_seconds:mean_rate5m"
P99 = "operation:tmux_operation_duration_seconds:p99_rate5m"

_DURATION = "tmux_operation_duration_seconds"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""

    def rate(name: str) -> str:
        return f"rate({name}{{}}[$operations.over])"

    count = rate(f"{_DURATION}_count")
    # Without any operation there is no ratio, no mean and no quantile: 0 / 0 is left out.
    some = f"({count} > 0)"
    return (
        scope.record(RATE, count),
        scope.record(ERRORS, f"sum without (reason) ({rate('tmux_operation_errors_total')})\n/ {some}"),
        scope.record(MEAN, f"{rate(f'{_DURATION}_sum')}\n/ {some}"),
        scope.record(P99, f"histogram_quantile(\n  0.99,\n  {rate(f'{_DURATION}_bucket')}\n)\nand {some}"),
    )
