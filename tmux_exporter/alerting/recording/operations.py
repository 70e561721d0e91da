"""Recording rules of reported operations: rate, duration and errors by name."""

from tmux_exporter.alerting.base.scope import Rule, Scope

RATE = "operation:tmux_operations:rate5m"
ERRORS = "operation:tmux_operation_errors:ratio_rate5m"
MEAN = "operation:tmux_operation_duration_seconds:mean_rate5m"
P99 = "operation:tmux_operation_duration_seconds:p99_rate5m"

_BY = "job, instance, operation"
_DURATION = "tmux_operation_duration_seconds"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The recorded series of this subject."""

    def rate(name: str, by: str = _BY) -> str:
        return f"sum by ({by}) (rate({name}{{}}[$operations.over]))"

    count = rate(f"{_DURATION}_count")
    # Without any operation there is no ratio, no mean and no quantile: 0 / 0 is left out.
    some = f"({count} > 0)"
    return (
        scope.record(RATE, count),
        scope.record(ERRORS, f"{rate('tmux_operation_errors_total')}\n/ {some}"),
        scope.record(MEAN, f"{rate(f'{_DURATION}_sum')}\n/ {some}"),
        scope.record(
            P99, f"histogram_quantile(\n  0.99,\n  {rate(f'{_DURATION}_bucket', f'{_BY}, le')}\n)\nand {some}"
        ),
    )
