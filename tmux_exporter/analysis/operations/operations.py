"""Counters of reported operations: latency, slow ones, failures, retries, memory, and those in flight."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from tmux_exporter.analysis.histogram import Buckets
from tmux_exporter.analysis.operations.objectives import objective_of
from tmux_exporter.analysis.operations.reporters import Streams
from tmux_exporter.config import ObjectiveConfig
from tmux_exporter.facts.operations import Objective, OperationEnd, OperationLoss, OperationReport
from tmux_exporter.facts.report import Exemplar, OperationFigures, OperationsReport
from tmux_exporter.wire.operation_line import CLASSES, FAILURES

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
"""The thresholds of alerts (2 s, 5 s, 10 s) are bounds, so that the share above each is exact."""


@dataclass(slots=True)
class _NameCounters:
    """The counters of one operation name. A new objective counts for what ends from then on."""

    objective: Objective | None = None
    durations: Buckets = field(default_factory=lambda: Buckets(BOUNDS))
    failures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES, 0))
    retries: int = 0
    slow: int = 0
    grown_bytes: int = 0
    shrunk_bytes: int = 0
    made: OperationFigures | None = None

    def add(self, end: OperationEnd, exemplar: Exemplar | None) -> None:
        self.made = None
        self.durations.add(end.seconds, exemplar)
        if end.failure is not None:
            self.failures[end.failure] += 1
        self.retries += end.retries
        self.slow += self.objective is not None and end.seconds > self.objective.seconds
        if end.memory_bytes is not None:
            self.grown_bytes += max(0, end.memory_bytes)
            self.shrunk_bytes += max(0, -end.memory_bytes)

    def aim(self, objective: Objective | None) -> None:
        """Measure against this from now on."""
        if objective != self.objective:
            self.objective, self.made = objective, None

    def figures(self, name: str, in_flight: int, *, exemplars: bool) -> OperationFigures:
        if self.made is None or self.made.in_flight != in_flight:
            self.made = OperationFigures(
                operation=name,
                duration=self.durations.histogram(exemplars=exemplars),
                errors=dict(self.failures),
                retries_total=self.retries,
                in_flight=in_flight,
                memory_grown_bytes_total=self.grown_bytes,
                memory_shrunk_bytes_total=self.shrunk_bytes,
                slow_total=self.slow if self.objective else None,
                objective_seconds=self.objective.seconds if self.objective else None,
                objective_ratio=self.objective.ratio if self.objective else None,
            )
        return self.made


class OperationCounters:
    """All operations reported since the start.

    The five classes and the configured names exist from the start. Any other name is shown with 0 in the
    first sample that has it, and with its values from the next one on: PromQL sees no increase in a counter
    that starts at 1.
    """

    def __init__(self) -> None:
        self._objectives: Sequence[ObjectiveConfig] = ()
        self._counters: dict[str, _NameCounters] = {name: self._new(name) for name in CLASSES}
        self._shown = set(CLASSES)
        self._declared = frozenset(CLASSES)
        self._streams = Streams()
        self._lost: Counter[OperationLoss] = Counter()
        self._most_names = 0
        self._traced = False

    def configure(
        self,
        names: Iterable[str],
        most_names: int,
        *,
        exemplars: bool,
        objectives: Sequence[ObjectiveConfig] = (),
    ) -> None:
        """Always show these `names`, and at most `most_names` others; `exemplars`: keep trace ids."""
        if objectives != self._objectives:
            self._objectives = objectives
            for name, each in self._counters.items():
                each.aim(objective_of(name, objectives))
        self._declared = frozenset((*CLASSES, *names))
        for name in names:
            if name not in self._counters:
                self._counters[name] = self._new(name)
        self._shown |= self._declared
        self._most_names = most_names
        if exemplars != self._traced:
            self._traced = exemplars
            for each in self._counters.values():
                each.made = None

    def observe(self, report: OperationReport, now: float) -> None:
        """Count one report; `now` is wall time."""
        if not self._streams.accept(report):
            self.lose(OperationLoss.MALFORMED)
            return
        counters = self._counters_of(report.operation)
        if counters is None:
            self.lose(OperationLoss.NAMES)
        elif report.end is not None:
            end = report.end
            traced = self._traced and bool(end.trace)
            exemplar = Exemplar(trace_id=end.trace, value=end.seconds, timestamp=now) if traced else None
            counters.add(end, exemplar)

    def lose(self, reason: OperationLoss) -> None:
        """Count one lost report."""
        self._lost[reason] += 1

    def report(self, running: Set[int] | None, now: float) -> OperationsReport:
        """End a sample at the monotonic time `now`.

        `running` are the pids of all processes, None where they are not known.
        """
        self._lost += self._streams.settle(running, now)
        in_flight = self._streams.under_way()
        shown = tuple(
            (counters if name in self._shown else self._new(name)).figures(
                name, in_flight[name], exemplars=self._traced
            )
            for name, counters in self._counters.items()
        )
        self._shown |= self._counters.keys()
        return OperationsReport(
            operations=shown, lost={reason: self._lost[reason] for reason in OperationLoss}
        )

    def _counters_of(self, name: str) -> _NameCounters | None:
        counters = self._counters.get(name)
        if counters is None and len(self._counters.keys() - self._declared) < self._most_names:
            counters = self._counters[name] = self._new(name)
        return counters

    def _new(self, name: str) -> _NameCounters:
        return _NameCounters(objective=objective_of(name, self._objectives))
