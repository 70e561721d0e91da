"""Collects all metric families; a collector that fails loses only its own."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from tmux_exporter.base.log import log_fields
from tmux_exporter.config import Config, MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics import exporter, spending, tmux, work
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.ranks import RANKED, cut

Collector = Callable[[Report, MetricsSettings], tuple[Family, ...]]

_log = logging.getLogger(__name__)

COLLECTORS: Mapping[str, Collector] = {
    "servers": tmux.collect_servers,
    "sessions": tmux.collect_sessions,
    "agents": work.collect_agents,
    "spending": spending.collect_spending,
    "schedulers": work.collect_schedulers,
    "leaks": work.collect_leaks,
    "operations": work.collect_operations,
    "commands": work.collect_commands,
    "remediator": exporter.collect_remediator,
    "host": exporter.collect_host,
    "panes": tmux.collect_panes,
    "process": exporter.collect_process,
}
"""In the order of the page."""

EXPORTER = "exporter"
"""The collector that reports on the others: it runs last."""

_UNLIMITED = ("process",)
"""Collectors of few and always needed families, as EXPORTER: `limits.series` never takes them."""


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
    if len(set(family.labels())) == len(family.samples) + len(family.histograms):
        return family
    samples: dict[tuple[str, ...], Sample] = {}
    for sample in family.samples:
        samples.setdefault(sample.labels, sample)
    histograms: dict[tuple[str, ...], Distribution] = {}
    for each in family.histograms:
        histograms.setdefault(each.labels, each)
    return Family(spec=family.spec, samples=tuple(samples.values()), histograms=tuple(histograms.values()))


def _the_same(old: Family | None, new: Family) -> Family:
    """The old one where the new one equals it: what was rendered from it stays valid."""
    return old if old is not None and old == new else new


class Memo:
    """Families of the last page, collected again only where their values have changed; for one thread."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One page by collector, which collectors worked, and by family how many series were left out.

    `kept` is how many of the RANKED families are within the limit.
    """

    groups: Mapping[str, tuple[Family, ...]]
    success: Mapping[str, bool]
    left_out: Mapping[str, int]
    kept: int

    @property
    def dropped(self) -> int:
        """Series that this page had to leave out."""
        return sum(self.left_out.values())

    def after(self, status: ExporterStatus) -> ExporterStatus:
        """The status once this page is made, where `status` is that before it."""
        return replace(
            status,
            dropped_series_total=status.dropped_series_total + self.dropped,
            left_out=self.left_out,
            kept=self.kept,
        )

    @property
    def families(self) -> tuple[Family, ...]:
        """The whole page, in its order."""
        return tuple(family for group in self.groups.values() for family in group)


def collect_all(
    report: Report,
    config: Config,
    status: ExporterStatus | None = None,
    collectors: Mapping[str, Collector] = COLLECTORS,
    memo: Memo | None = None,
) -> Collected:
    """Every family of a Report. `status` is that before this page; the caller keeps what is `after` it.

    With a `memo` of the page before, equal families are the same objects.
    """
    status = status or ExporterStatus()
    page = _collect(report, config, collectors, memo or Memo(), status.kept)
    own = exporter.collect(report, page.after(status), page.success)
    return replace(page, groups={**page.groups, EXPORTER: own})


def collect_named(
    report: Report, config: Config, names: Iterable[str], status: ExporterStatus | None = None
) -> tuple[Family, ...] | None:
    """The families of these collectors as the whole page has them; None where a name is unknown.

    `status` is that after the page: what the page left out is already in it.
    """
    wanted = set(names)
    if not wanted <= {*COLLECTORS, EXPORTER}:
        return None
    status = status or ExporterStatus()
    page = _collect(report, config, COLLECTORS, Memo(), status.kept)
    groups = {**page.groups, EXPORTER: exporter.collect(report, status, page.success)}
    return tuple(family for name, group in groups.items() if name in wanted for family in group)


def _collect(
    report: Report, config: Config, collectors: Mapping[str, Collector], memo: Memo, kept: int
) -> Collected:
    """All but the exporter's own families, within the limit; `kept` as on the page before."""
    groups: dict[str, tuple[Family, ...]] = {}
    success = {EXPORTER: True}
    for name, collect in collectors.items():
        try:
            groups[name] = memo.collect(name, collect, report, config.metrics)
            success[name] = True
        except Exception:
            # The rest is served: a page without sessions still says that the exporter runs and what failed.
            _log.exception("collector failed", extra=log_fields(collector=name))
            groups[name] = ()
            success[name] = False
    return _limit(groups, success, config.limits.series, memo, kept)


def _limit(
    groups: dict[str, tuple[Family, ...]],
    success: Mapping[str, bool],
    limit: int,
    memo: Memo,
    kept: int,
) -> Collected:
    """Drop duplicate series, and the families beyond the limit, each as a whole.

    Half of a family would make every sum over it wrong without a sign.
    """
    single = {
        family.spec.name: memo.single(family)
        for name, group in groups.items()
        if name not in _UNLIMITED
        for family in group
    }
    sizes = [single[name].series if name in single else 0 for name in RANKED]
    kept = cut(sizes, limit, kept)
    for name in RANKED[kept:]:
        if name in single and single[name].series:
            single[name] = Family(spec=single[name].spec)
    left_out = {
        family.spec.name: gone
        for group in groups.values()
        for family in group
        if (gone := family.series - single.get(family.spec.name, family).series)
    }
    limited = {
        name: tuple(single.get(family.spec.name, family) for family in group)
        for name, group in groups.items()
    }
    return Collected(groups=limited, success=success, left_out=left_out, kept=kept)
