"""Alerts about operations that programs report, and about tmux commands seen from outside."""

from tmux_exporter.alerting.base.alert import Alert
from tmux_exporter.alerting.base.scope import PERCENT, SERVER, TIME
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.operations import ERRORS, MEAN, P99, RATE
from tmux_exporter.alerting.recording.servers import COMMAND_ERRORS

_WHICH = "Operation {{ $labels.operation }} on {{ $labels.instance }}"
# Only where enough operations happen: one of two is no half.
_OFTEN = f"and {RATE}{{}} * 60 >= $operations.least_per_minute"
_OFTEN_ENOUGH_FOR_A_TAIL = f"and {RATE}{{}} * 60 >= $operations.tail_least_per_minute"

ALERTS = (
    Alert(
        "TmuxOperationSlow",
        "operation_time",
        f"{MEAN}{{}} > $level\n{_OFTEN}",
        "An operation takes too long on average.",
        f"{_WHICH} takes {TIME} on average.",
        LEVELS,
    ),
    Alert(
        "TmuxOperationTailSlow",
        "operation_time",
        f"{P99}{{}} > $level\n{_OFTEN_ENOUGH_FOR_A_TAIL}",
        "One in a hundred of an operation takes too long.",
        f"{_WHICH}: one in a hundred takes {TIME} or more.",
        LEVELS,
    ),
    Alert(
        "TmuxOperationErrors",
        "operation_errors",
        f"{ERRORS}{{}} > $level\n{_OFTEN}",
        "An operation fails too often.",
        f"{_WHICH}: {PERCENT} of them fail.",
        LEVELS,
    ),
    Alert(
        "TmuxThroughputLow",
        "throughput",
        f"60 * sum without (operation) ({RATE}{{}}) < $per_minute\n"
        "and sum without (operation) (avg_over_time(tmux_operations_in_flight{}[$over])) > $in_flight",
        "Fewer operations are finished than are asked for.",
        "On {{ $labels.instance }} {{ $value | humanize }} operations a minute are finished while more are "
        "under way than there would be at the promised throughput and time.",
    ),
    Alert(
        "TmuxOperationsLost",
        "operations_lost",
        "sum without (reason) (increase(tmux_exporter_operations_lost_total{}[$within]))\n> $more_than",
        "Reports of operations are lost.",
        "{{ $labels.instance }} has lost about {{ $value | humanize }} reports of operations within the "
        "hour; figures about operations are that much too small.",
    ),
    Alert(
        "TmuxCommandErrors",
        "command_errors",
        f"{COMMAND_ERRORS}{{}} > $ratio",
        "Many tmux commands fail.",
        f"{PERCENT} of the tmux commands for {SERVER} fail.",
    ),
)
