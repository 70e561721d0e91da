"""Figures for `when:` of a policy: names of `/metrics` and their place in the report of a target.

Those of usage are rows of the catalogue (`UsageRow.in_policies`); any other name stands here once. Units are
in the names. Counters are only asked for how fast they grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter

from tmux_exporter.config.parsers import SIZE_UNITS, parse_duration, parse_size, shown
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import (
    AgentReport,
    LeakReport,
    PaneReport,
    SchedulerReport,
    ServerReport,
    TreeProcess,
)
from tmux_exporter.metrics.catalogue.usage import policy_figures
from tmux_exporter.remediator.policies.policy import IDLE_TIME

Subject = SchedulerReport | AgentReport | LeakReport | PaneReport | ServerReport
"""The report of one target."""

_OF_ONE = frozenset(each.name for each in fields(TreeProcess)) - {"process", "parent", "name"}
_WORST = "fd_utilization_ratio"
_SIZES = tuple(SIZE_UNITS)
_AGES = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of one kind of target; `path` is its place in the target's report.

    An age is the time since what is at that place, which /metrics shows as a time.
    """

    name: str
    kind: TargetKind
    path: str
    is_age: bool = False

    @property
    def is_counter(self) -> bool:
        """Whether it only grows."""
        return self.name.endswith("_total")

    @property
    def is_idle_time(self) -> bool:
        """Whether it is for how long an agent has been idle."""
        return self.is_age and self.kind is TargetKind.AGENT

    @property
    def is_held(self) -> bool:
        """Whether single processes of an agent hold it: as a part of the sum, or as the worst of all."""
        return self.kind is TargetKind.AGENT and self.path.removeprefix("usage.") in _OF_ONE

    @property
    def is_worst(self) -> bool:
        """Whether it is that of the worst process, and no sum."""
        return self.path.endswith(_WORST)

    def read_one(self, process: TreeProcess) -> float | None:
        """What one process of an agent has of it; None where that could not be read."""
        value: float | None = getattr(process, self.path.removeprefix("usage."))
        return value

    def read(self, subject: Subject, wall: float) -> float | None:
        """The figure at a wall time; None where it could not be read."""
        value: float | None = attrgetter(self.path)(subject)
        if not self.is_age:
            return value
        if isinstance(subject, AgentReport) and subject.state is not AgentState.IDLE:
            return None if subject.state is AgentState.UNKNOWN else 0.0
        return None if value is None else max(0.0, wall - value)

    def parse(self, text: str) -> float:
        """A bound in the figure's own unit. Raises ValueError with the mend."""
        base = self.name.removesuffix("_total")
        if base.endswith("_bytes"):
            return float(parse_size(text))
        return parse_duration(text) if base.endswith("_seconds") else parse_number(text)

    def parse_rate(self, text: str) -> float:
        """A bound on its growth a second: `20MiB/min`, `1/min`. Raises ValueError with the mend."""
        amount, slash, per = text.partition("/")
        if not slash or per not in _SECONDS:
            raise ValueError(f"{shown(text)} is no rate; write by how much it grows, then /s, /min or /h")
        return self.parse(amount) / _SECONDS[per]

    @property
    def words(self) -> str:
        """What it is called in a sentence: `memory`, `open fds`, `server resident memory`."""
        base = self.name.removesuffix("_total").removeprefix("tmux_")
        if self.kind is not TargetKind.SERVER:
            base = base.partition("_")[2]
        for unit in ("_bytes", "_seconds", "_ratio"):
            base = base.removesuffix(unit)
        return base.replace("_", " ")

    def told(self, value: float, *, rate: bool = False) -> str:
        """A value as a person writes it, by the minute where it is how much the figure grows a second."""
        if self.is_age:
            unit, size = next((each for each in _AGES if value >= each[1]), _AGES[-1])
            return f"{_digits(value / size)}{unit}"
        amount = value * 60.0 if rate else value
        base, unit = self.name.removesuffix("_total"), ""
        if base.endswith("_bytes"):
            unit = next((each for each in reversed(_SIZES) if abs(amount) >= SIZE_UNITS[each]), "B")
            amount /= SIZE_UNITS[unit]
        elif base.endswith("_seconds"):
            unit = "s"
        digits = _digits(amount)
        return f"{digits}{unit} per min" if rate else f"{digits}{unit}"


def _digits(amount: float) -> str:
    return f"{amount:.0f}" if abs(amount) >= 100 else f"{amount:.3g}"


def parse_number(text: str) -> float:
    """A plain number: `20`, `0.8`, `80%`. Raises ValueError with the mend."""
    digits = text.removesuffix("%")
    parts = digits.split(".")
    if len(text) > 12 or len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{shown(text)} is not a number; write one such as 20, 0.8 or 80%")
    return float(digits) / (100.0 if text.endswith("%") else 1.0)


_SERVER = (
    *("sessions", "windows", "panes", "clients", "history_bytes", "resident_memory_bytes"),
    *("cpu_seconds_total", "open_fds"),
)
_ONE_PROCESS = ("memory_bytes", "cpu_seconds_total", "open_fds")

_ROWS: tuple[tuple[TargetKind, str, tuple[str, ...]], ...] = (
    (TargetKind.AGENT, "usage.", policy_figures()),
    (TargetKind.AGENT, "", ("restarts_total", "same_command_processes")),
    (TargetKind.PANE, "usage.", policy_figures(common_only=True)),
    (TargetKind.PANE, "", ("history_bytes", "history_lines")),
    (TargetKind.SERVER, "", _SERVER),
    (TargetKind.LEAKED_PROCESS, "", _ONE_PROCESS),
    (TargetKind.SCHEDULER, "", _ONE_PROCESS),
)

_PREFIX = {TargetKind.LEAKED_PROCESS: "leaked"}

_AGE_ROWS = (
    (TargetKind.AGENT, IDLE_TIME, "state_since_timestamp_seconds"),
    (TargetKind.LEAKED_PROCESS, "tmux_leaked_age_seconds", "start_time_seconds"),
    (TargetKind.SCHEDULER, "tmux_scheduler_age_seconds", "start_time_seconds"),
    (TargetKind.PANE, "tmux_pane_age_seconds", "usage.oldest_process_start_time_seconds"),
)

FIGURES: Mapping[str, Figure] = {
    (name := f"tmux_{_PREFIX.get(kind, kind)}_{field}"): Figure(name=name, kind=kind, path=where + field)
    for kind, where, fields in _ROWS
    for field in fields
} | {name: Figure(name=name, kind=kind, path=path, is_age=True) for kind, name, path in _AGE_ROWS}
"""All figures by name. Those of leaks and schedulers are of the one target, not the exported sum."""
