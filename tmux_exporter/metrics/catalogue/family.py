"""What a metric family is: its declaration (`Spec`) and one sample's values under it (`Family`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One family as it is promised to users.

    `name` is what PromQL sees (a counter's with `_total`). `unit` is the end of the name before `_total`,
    empty for plain numbers. `closed` lists every value that a label can have; a label that is not in it is
    open. `option` is the setting that has to be true for the family to be shown, `switch` the one that has
    to be false for it not to be. `figure` is the field of the report that holds the value, empty where it has
    the rest of the name after `tmux_<subject>_`. A `sparse` family has series only for those members of its
    closed lists under which something is; every other one has a series for each, from 0. A declaration that
    contradicts itself raises ValueError.
    """

    name: str
    kind: MetricType
    help: str
    subject: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    status: FamilyStatus = FamilyStatus.BUILT
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    option: str = ""
    switch: str = ""
    figure: str = ""
    sparse: bool = False

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(f"{self.name}: {problem}")

    def _problems(self) -> list[str]:
        found = []
        if not all(_NAME.fullmatch(name) for name in (self.name, *self.labels)):
            found.append("names are lower case letters, digits and underscores")
        if len(set(self.labels)) != len(self.labels) or "le" in self.labels:
            found.append("a label is declared twice")
        if not self.help.endswith(".") or "\n" in self.help:
            found.append("help is one line of whole sentences")
        for kind, suffix in _SUFFIX.items():
            if self.name.endswith(suffix) is not (self.kind is kind):
                found.append(f"{suffix} belongs to {kind} and to no other kind")
        if self.unit and not self.base.endswith(f"_{self.unit}"):
            found.append(f"the name does not end in its unit {self.unit}")
        if not self.closed.keys() <= set(self.labels):
            found.append("a closed list is given for a label that is not there")
        if self.sparse and not self.closed:
            found.append("only a family with a closed list is sparse")
        return found

    @property
    def base(self) -> str:
        """The family's name in OpenMetrics: without `_total` or `_info`."""
        return self.name.removesuffix(_SUFFIX.get(self.kind, ""))


def declare(
    name: str,
    meaning: str,
    *,
    subject: str,
    labels: tuple[str, ...] = (),
    kind: MetricType | None = None,
    closed: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    status: FamilyStatus = FamilyStatus.BUILT,
    option: str = "",
    switch: str = "",
    figure: str = "",
    sparse: bool = False,
) -> Spec:
    """One row of a table of families: kind and unit follow from the name, but for a histogram.

    `closed` may list labels that other rows of the table have.
    """
    kind = kind or next((each for each, suffix in _SUFFIX.items() if name.endswith(suffix)), MetricType.GAUGE)
    base = name.removesuffix(_SUFFIX.get(kind, ""))
    return Spec(
        name=name,
        kind=kind,
        help=meaning,
        subject=subject,
        labels=labels,
        unit=next((unit for unit in _UNITS if base.endswith(f"_{unit}")), ""),
        status=status,
        closed={label: values for label, values in closed.items() if label in labels},
        option=option,
        switch=switch,
        figure=figure,
        sparse=sparse,
    )


class Sample(NamedTuple):
    """One series' value; label values in the order of `Spec.labels`."""

    labels: tuple[str, ...]
    value: float


class Distribution(NamedTuple):
    """One histogram; label values in the order of `Spec.labels`."""

    labels: tuple[str, ...]
    histogram: Histogram


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

    def __post_init__(self) -> None:
        series = len(self.samples) + sum(len(each.histogram.bounds) + 3 for each in self.histograms)
        object.__setattr__(self, "series", series)
        if self.samples if self.spec.kind is MetricType.HISTOGRAM else self.histograms:
            raise ValueError(f"{self.spec.name}: these are not the values of a {self.spec.kind}")
        width = len(self.spec.labels)
        for labels, _ in (*self.samples, *self.histograms):
            if len(labels) != width:
                raise ValueError(
                    f"{self.spec.name}: {len(labels)} label values for {width} labels: {labels!r}"
                )
        for _, histogram in self.histograms:
            if len(histogram.bounds) != len(histogram.counts) or min(histogram.bounds, default=0.0) < 0:
                raise ValueError(f"{self.spec.name}: one count for each bound, and no bound below 0")
