"""All collectors, each on its own: one that fails costs only its own families."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tmux_exporter.config import Config
from tmux_exporter.log import log_fields
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
from tmux_exporter.metrics.family import Family
from tmux_exporter.metrics.memo import Collector, Memo
from tmux_exporter.report import Report

_log = logging.getLogger(__name__)

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
    memo: Memo | None = None,
) -> Collected:
    """Every family of a Report. `status` is that before this page; `dropped` is to be added to it.

    With a `memo` of the page before, families that tell the same are the same objects.
    """
    groups, success, dropped = _collect(report, config, collectors, memo or Memo())
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
    groups, success, _ = _collect(report, config, COLLECTORS, Memo())
    groups[EXPORTER] = exporter.collect(report, status or ExporterStatus(), success)
    return tuple(family for name, group in groups.items() if name in wanted for family in group)


def _collect(
    report: Report, config: Config, collectors: Mapping[str, Collector], memo: Memo
) -> tuple[dict[str, tuple[Family, ...]], dict[str, bool], int]:
    """All but the exporter's own families, which collectors worked, and how many series were left out."""
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
    return groups, success, _limit(groups, config.limits.series, memo)


def _limit(groups: dict[str, tuple[Family, ...]], limit: int, memo: Memo) -> int:
    """Take out what is there twice and what is beyond the limit; how many series that was.

    A family goes as a whole: half of it would make every sum over it wrong without a sign. Later, smaller
    families may still fit.
    """
    dropped = 0
    for name, group in groups.items():
        if name in _UNLIMITED:
            continue
        kept = []
        for family in map(memo.single, group):
            fits = family.series <= limit
            kept.append(family if fits else Family(spec=family.spec))
            limit -= family.series if fits else 0
        before = sum(family.series for family in group)
        groups[name] = tuple(kept)
        dropped += before - sum(family.series for family in kept)
    return dropped
