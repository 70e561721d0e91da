"""Alerts about operations that programs report, and about tmux commands seen from outside."""

from tmux_exporter.alerting.base.alert import Alert
from tmux_exporter.alerting.base.scope import PERCENT, SERVER
from tmux_exporter.alerting.base.thresholds import LEVELS
from tmux_exporter.alerting.recording.operations import DEMAND, ERRORS, RATE, SLOW, SLOW_BURN
from tmux_exporter.alerting.recording.servers import COMMAND_ERRORS

_WHICH = "Operation {{ $labels.operation }} on {{ $labels.instance }}"
# Only where enough operations happen: one of two is no half.
_OFTEN = f"and {RATE}{{}} * 60 >= $operations.least_per_minute"
# Prometheus asks itself for it when it writes the message.
_OBJECTIVE = (
    "{{ with printf `tmux_operation_objective_seconds{job=%q, instance=%q, operation=%q}` $labels.job "
    "$labels.instance $labels.operation | query }}{{ . | first | value | humanizeDuration }}"
    "{{ else }}its objective{{ end }}"
)
_OFTEN_ENOUGH_FOR_A_TAIL = f"and {RATE}{{}} * 60 >= $operations.tail_least_per_minute"

ALERTS = (
    Alert(
        "TmuxOperationSlow",
        "operation_slow",
        f"{SLOW}{{}} > $level\n{_OFTEN}",
        "An operation takes too long.",
        f"{_WHICH}: {PERCENT} of them take longer than {_OBJECTIVE}.",
        LEVELS,
    ),
    Alert(
        "TmuxOperationTailSlow",
        "operation_tail",
        f"{SLOW_BURN}{{}} > $level\n{_OFTEN_ENOUGH_FOR_A_TAIL}",
        "More of an operation take too long than may.",
        f"{_WHICH}: {{{{ $value | humanize }}}} times as many as its objective allows take longer than "
        f"{_OBJECTIVE}.",
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
        f"60 * sum without (operation) ({RATE}{{}}) < $per_minute\nand {DEMAND} > $per_second",
        "Fewer operations are finished than are asked for.",
        "On {{ $labels.instance }} {{ $value | humanize }} operations a minute are finished while so "
        "many are under way that more would be, if each took its objective.",
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
