"""What a metric family is: its declaration (`Spec`) and one sample's values under it (`Family`)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from tmux_exporter.facts.report import Histogram

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class MetricType(StrEnum):
    """How a family's values behave.

    An INFO is always 1 and says something with its labels: `info` in OpenMetrics, a gauge in the text format.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class FamilyStatus(StrEnum):
    """Whether `/metrics` can show the family today, or its name is only reserved."""

    BUILT = "built"
    PLANNED = "planned"


_SUFFIX = {MetricType.COUNTER: "_total", MetricType.INFO: "_info"}
_UNITS = ("seconds", "bytes", "lines", "cores", "ratio")


COMMANDS_OPTION = "operations.watch_commands"
"""The setting that adds the families of tmux commands."""

LINEAGE_OPTION = "processes.lineage"
"""The setting that adds the families of fork events."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One family as it is promised to users; a row of a table of families.

    `name` is what PromQL sees (a counter's with `_total`). Kind and unit follow from it, but for a histogram.
    `unit` is the end of the name before `_total`, empty for plain numbers; `base` is the name in OpenMetrics.
    `closed` lists every value that a label can have; a label that is not in it is open, and lists of labels
    that only other rows of the table have are left out. `option` is the setting that has to be true for the
    family to be shown, `switch` the one that has to be false for it not to be. `figure` is the field of the
    report that holds the value, empty where it has the rest of the name after `tmux_<subject>_`. A `sparse`
    family has series only for those members of its closed lists under which something is; every other one
    has a series for each, from 0. A declaration that contradicts itself raises ValueError.
    """

    name: str
    help: str
    _: KW_ONLY
    subject: str
    labels: tuple[str, ...] = ()
    histogram: bool = False
    status: FamilyStatus = FamilyStatus.BUILT
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    option: str = ""
    switch: str = ""
    figure: str = ""
    sparse: bool = False
    kind: MetricType = field(init=False)
    base: str = field(init=False)
    unit: str = field(init=False)

    def __post_init__(self) -> None:
        by_name = (kind for kind, suffix in _SUFFIX.items() if self.name.endswith(suffix))
        kind = MetricType.HISTOGRAM if self.histogram else next(by_name, MetricType.GAUGE)
        base = self.name.removesuffix(_SUFFIX.get(kind, ""))
        closed = {label: values for label, values in self.closed.items() if label in self.labels}
        unit = next((unit for unit in _UNITS if base.endswith(f"_{unit}")), "")
        for name, value in (("kind", kind), ("base", base), ("unit", unit), ("closed", closed)):
            object.__setattr__(self, name, value)
        for problem in self._problems():
            raise ValueError(f"{self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        if not all(_NAME.fullmatch(name) for name in (self.name, *self.labels)):
            yield "names are lower case letters, digits and underscores"
        if len(set(self.labels)) != len(self.labels) or "le" in self.labels:
            yield "a label is declared twice"
        if not self.help.endswith(".") or "\n" in self.help:
            yield "help is one line of whole sentences"
        if self.histogram and self.name.endswith(tuple(_SUFFIX.values())):
            yield "the end of the name belongs to another kind"
        if self.sparse and not self.closed:
            yield "only a family with a closed list is sparse"


class Sample(NamedTuple):
    """One series' value; label values in the order of `Spec.labels`."""

    labels: tuple[str, ...]
    value: float


class Distribution(NamedTuple):
    """One histogram; label values in the order of `Spec.labels`."""

    labels: tuple[str, ...]
    histogram: Histogram


_LABELS = itemgetter(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One sample's values of one family: `histograms` for a histogram, `samples` for every other kind.

    `series` is how many series this makes in Prometheus. Values that do not fit the declaration raise
    ValueError: a shifted label would be a wrong series.
    """

    spec: Spec
    samples: tuple[Sample, ...] = ()
    histograms: tuple[Distribution, ...] = ()
    series: int = field(init=False, compare=False, repr=False)

    def labels(self) -> Iterator[tuple[str, ...]]:
        """The label values of each sample, or of each histogram."""
        return map(_LABELS, self.samples or self.histograms)

    def __post_init__(self) -> None:
        series = len(self.samples) + sum(len(each.histogram.bounds) + 3 for each in self.histograms)
        object.__setattr__(self, "series", series)
        if self.samples if self.spec.kind is MetricType.HISTOGRAM else self.histograms:
            raise ValueError(f"{self.spec.name}: these are not the values of a {self.spec.kind}")
        width = len(self.spec.labels)
        # Without a loop of Python: it runs for thousands of samples.
        if others := set(map(len, self.labels())) - {width}:
            raise ValueError(f"{self.spec.name}: {others.pop()} label values for {width} labels")
        for _, histogram in self.histograms:
            if len(histogram.bounds) != len(histogram.counts) or min(histogram.bounds, default=0.0) < 0:
                raise ValueError(f"{self.spec.name}: one count for each bound, and no bound below 0")
