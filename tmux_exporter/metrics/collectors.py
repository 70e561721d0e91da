"""All collectors, each on its own: one that fails costs only its own families."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from tmux_exporter.config import Config, MetricsSettings
from tmux_exporter.metrics import (
    agents,
    commands,
    exporter,
    host,
    leaks,
    operations,
    panes,
    process,
    remediator,
    schedulers,
    servers,
    sessions,
)
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.family import Distribution, Family, Sample
from tmux_exporter.report import Report

_log = logging.getLogger(__name__)

Collector = Callable[[Report, MetricsSettings], tuple[Family, ...]]

COLLECTORS: Mapping[str, Collector] = {
    "servers": servers.collect,
    "sessions": sessions.collect,
    "agents": agents.collect,
    "schedulers": schedulers.collect,
    "leaks": leaks.collect,
    "operations": operations.collect,
    "commands": commands.collect,
    "remediator": remediator.collect,
    "host": host.collect,
    "panes": panes.collect,
    "process": process.collect,
}
"""In the order of the page, which is also the order in which they get series under `limits.series`."""

EXPORTER = "exporter"
"""The collector that speaks of the others: it runs last."""

_UNLIMITED = ("process",)
"""Few and always needed, as those of EXPORTER: `limits.series` never takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One page by collector, which collectors worked, and how many series this page had to leave out."""

    groups: Mapping[str, tuple[Family, ...]]
    success: Mapping[str, bool]
    dropped: int

    @property
    def families(self) -> tuple[Family, ...]:
        """The whole page, in its order."""
        return tuple(family for group in self.groups.values() for family in group)


def collect_all(
    report: Report,
    config: Config,
    status: ExporterStatus | None = None,
    collectors: Mapping[str, Collector] = COLLECTORS,
) -> Collected:
    """Every family of a Report. `status` is that before this page; `dropped` is to be added to it."""
    groups, success, dropped = _collect(report, config, collectors)
    status = status or ExporterStatus()
    status = replace(status, dropped_series_total=status.dropped_series_total + dropped)
    groups[EXPORTER] = exporter.collect(report, status, success)
    return Collected(groups=groups, success=success, dropped=dropped)


def collect_named(
    report: Report, config: Config, names: Iterable[str], status: ExporterStatus | None = None
) -> tuple[Family, ...] | None:
    """The families of these collectors as they stand on the whole page; None where a name is unknown.

    `status` is that after the page: what the page left out is already in it.
    """
    wanted = set(names)
    if not wanted <= {*COLLECTORS, EXPORTER}:
        return None
    groups, success, _ = _collect(report, config, COLLECTORS)
    groups[EXPORTER] = exporter.collect(report, status or ExporterStatus(), success)
    return tuple(family for name, group in groups.items() if name in wanted for family in group)


def _collect(
    report: Report, config: Config, collectors: Mapping[str, Collector]
) -> tuple[dict[str, tuple[Family, ...]], dict[str, bool], int]:
    """All but the exporter's own families, which collectors worked, and how many series were left out."""
    groups: dict[str, tuple[Family, ...]] = {}
    success = {EXPORTER: True}
    for name, collect in collectors.items():
        try:
            groups[name] = collect(report, config.metrics)
            success[name] = True
        except Exception:
            # The rest is served: a page without sessions still says that the exporter runs and what failed.
            _log.exception("collector failed", extra={"collector": name})
            groups[name] = ()
            success[name] = False
    return groups, success, _limit(groups, config.limits.series)


def _limit(groups: dict[str, tuple[Family, ...]], limit: int) -> int:
    """Take out what is there twice and what is beyond the limit; how many series that was.

    A family goes as a whole: half of it would make every sum over it wrong without a sign. Later, smaller
    families may still fit.
    """
    dropped = 0
    for name, group in groups.items():
        if name in _UNLIMITED:
            continue
        kept = []
        for family in map(_without_doubles, group):
            fits = family.series <= limit
            kept.append(family if fits else Family(spec=family.spec))
            limit -= family.series if fits else 0
        before = sum(family.series for family in group)
        groups[name] = tuple(kept)
        dropped += before - sum(family.series for family in kept)
    return dropped


def _without_doubles(family: Family) -> Family:
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
