"""Families from page to page: made again only where something that they tell has changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample

Collector = Callable[[Report, MetricsSettings], tuple[Family, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a collector made, and by name all that it had read of the report."""

    read: Mapping[str, object]
    settings: MetricsSettings
    families: tuple[Family, ...]

    def holds(self, report: Report, settings: MetricsSettings) -> bool:
        """Whether it would make the same again. One that reads nothing of the report looks elsewhere."""
        return (
            bool(self.read)
            and settings == self.settings
            and all(getattr(report, name) == value for name, value in self.read.items())
        )


class _Reading:
    """A report that notes what is read of it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.read: dict[str, object] = {}

    def __getattr__(self, name: str) -> object:
        value = self.read[name] = getattr(self._report, name)
        return value


def without_doubles(family: Family) -> Family:
    """Prometheus takes one of two equal series and complains at each scrape; here the first one stays."""
    every = (*family.samples, *family.histograms)
    if len({labels for labels, _ in every}) == len(every):
        return family
    samples: dict[tuple[str, ...], Sample] = {}
    for sample in family.samples:
        samples.setdefault(sample.labels, sample)
    histograms: dict[tuple[str, ...], Distribution] = {}
    for each in family.histograms:
        histograms.setdefault(each.labels, each)
    return Family(spec=family.spec, samples=tuple(samples.values()), histograms=tuple(histograms.values()))


def _the_same(old: Family | None, new: Family) -> Family:
    """The old one where the new one tells the same: what was made of it holds on."""
    return old if old is not None and old == new else new


class Memo:
    """What was made for the last page; for one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._single: dict[str, tuple[Family, Family]] = {}

    def collect(
        self, name: str, collector: Collector, report: Report, settings: MetricsSettings
    ) -> tuple[Family, ...]:
        """The families of a collector; raises what it raises."""
        kept = self._kept.pop(name, None)
        if kept is None or not kept.holds(report, settings):
            reading = _Reading(report)
            families = collector(cast(Report, reading), settings)
            before = {family.spec.name: family for family in kept.families} if kept else {}
            families = tuple(_the_same(before.get(family.spec.name), family) for family in families)
            kept = _Kept(read=reading.read, settings=settings, families=families)
        self._kept[name] = kept
        return kept.families

    def single(self, family: Family) -> Family:
        """`without_doubles`, which for the very same family is the very same."""
        name = family.spec.name
        kept = self._single.get(name)
        if kept is None or kept[0] is not family:
            kept = self._single[name] = (family, without_doubles(family))
        return kept[1]
