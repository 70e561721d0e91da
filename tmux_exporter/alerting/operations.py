"""Alerts about operations that programs report, and about tmux commands seen from outside."""

from tmux_exporter.alerting.base.scope import PERCENT, SERVER, TIME, Rule, Scope
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.operations import ERRORS, MEAN, P99, RATE
from tmux_exporter.alerting.recording.servers import COMMAND_ERRORS

_WHICH = "Operation {{ $labels.operation }} on {{ $labels.instance }}"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        *(make(scope, level) for make in (_slow, _tail, _errors) for level in LEVELS),
        _throughput(scope),
        _lost(scope),
        _commands(scope),
    )


def _often(scope: Scope) -> str:
    """Only where enough of them happen: one of two is no half."""
    return f"and {scope.series(RATE)} * 60 >= {scope.number('operations', 'least_per_minute')}"


def _slow(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxOperationSlow",
        "operation_time",
        f"{scope.series(MEAN)} > {scope.number('operation_time', level)}\n{_often(scope)}",
        level=level,
        summary="An operation takes too long on average.",
        description=f"{_WHICH} takes {TIME} on average.",
    )


def _tail(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxOperationTailSlow",
        "operation_time",
        f"{scope.series(P99)} > {scope.number('operation_time', level)}\n{_often(scope)}",
        level=level,
        summary="One in a hundred of an operation takes too long.",
        description=f"{_WHICH}: one in a hundred takes {TIME} or more.",
    )


def _errors(scope: Scope, level: str) -> Rule:
    return scope.alert(
        "TmuxOperationErrors",
        "operation_errors",
        f"{scope.series(ERRORS)} > {scope.number('operation_errors', level)}\n{_often(scope)}",
        level=level,
        summary="An operation fails too often.",
        description=f"{_WHICH}: {PERCENT} of them fail.",
    )


def _throughput(scope: Scope) -> Rule:
    waiting = scope.series("tmux_operations_in_flight")
    return scope.alert(
        "TmuxThroughputLow",
        "throughput",
        f"60 * sum by (job, instance) ({scope.series(RATE)}) < {scope.number('throughput', 'per_minute')}\n"
        "and sum by (job, instance) "
        f"(avg_over_time({waiting}[{scope.range('throughput', 'over')}])) "
        f"> {scope.number('throughput', 'in_flight')}",
        summary="Fewer operations are finished than are asked for.",
        description="On {{ $labels.instance }} {{ $value | humanize }} operations a minute are "
        "finished while "
        "more are under way than there would be at the promised throughput and time.",
    )


def _lost(scope: Scope) -> Rule:
    within = scope.range("operations_lost", "within")
    lost = scope.series("tmux_exporter_operations_lost_total")
    return scope.alert(
        "TmuxOperationsLost",
        "operations_lost",
        f"sum by (job, instance) (increase({lost}[{within}]))\n"
        f"> {scope.number('operations_lost', 'more_than')}",
        summary="Reports of operations are lost.",
        description="{{ $labels.instance }} has lost about {{ $value | humanize }} reports of "
        "operations within "
        "the hour; figures about operations are that much too small.",
    )


def _commands(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxCommandErrors",
        "command_errors",
        f"{scope.series(COMMAND_ERRORS)} > {scope.number('command_errors', 'ratio')}",
        summary="Many tmux commands fail.",
        description=f"{PERCENT} of the tmux commands for {SERVER} fail.",
    )
