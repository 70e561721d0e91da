"""The rules with which real faults are told within minutes: all durations shortened, a few numbers lowered.

Numbers are lowered where a fault of the true size would harm the machine, or where a number is a duration
that the time scale does not reach.
"""

import os
from collections.abc import Mapping

from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import Thresholds
from tmux_exporter.alerting.rules import Content, rule_file

SCALE = 1 / 60
"""Of an hour it makes a minute; the shortest windows, of five seconds, still hold two scrapes."""

_CORES = os.cpu_count() or 1
_LITTLE_CPU = {"warning": 0.06 / _CORES, "critical": 0.08 / _CORES, "emergency": 0.1 / _CORES}

LOWERED: Mapping[str, Mapping[str, object]] = {
    "agent_waiting": {"seconds": 600 * SCALE}, "agent_recovery": {"seconds": 300 * SCALE},
    "leak_old": {"seconds": 10}, "leaked_memory": {"bytes": 32 * 2**20}, "history_grows": {"step": 2**20},
    "cpu": _LITTLE_CPU, "host_cpu": _LITTLE_CPU,
    "host_memory": {"warning": 0.001, "critical": 0.002, "emergency": 0.003},
    "host_limit": {"warning": 0.01, "critical": 0.012, "emergency": 0.014}, "host_disk_busy": {"ratio": 0.02},
    "slo_burn_hours": {"long": "2h"}, "slo_burn_day": {"long": "2h", "short": "1h"},
    "slo_spent": {"known_for": "1h"}, "remediator_holds_long": {"within": "1h"},
}  # fmt: skip
"""By table of `thresholds.toml`: what holds here instead."""


def lowered(
    tables: Mapping[str, Mapping[str, object]], changes: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """The tables with these numbers instead. Raises KeyError for one that is not there."""
    for table, numbers in changes.items():
        for key in numbers:
            tables[table][key]
    return {name: {**numbers, **changes.get(name, {})} for name, numbers in tables.items()}


def quick_rules() -> Content:
    """All rules, quicker, with the lowered numbers."""
    tables = lowered(thresholds.load().tables, LOWERED)
    return rule_file(Scope(thresholds=Thresholds(tables=tables), time_scale=SCALE))
