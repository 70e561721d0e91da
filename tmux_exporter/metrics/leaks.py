"""Families of the processes that outlived their pane: every kind for every session, from 0."""

from collections.abc import Iterable, Sequence

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.report import LeakReport, Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample

Key = tuple[str, str, LeakKind]


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and kind; a sum of which nothing could be read gives none."""
    found: dict[Key, list[LeakReport]] = {
        (*place, kind): [] for place in _places(report) for kind in LeakKind
    }
    for each in report.leaks:
        found[each.server, each.session, each.kind].append(each)
    cpu = report.leaked_cpu_seconds_total
    return (
        family("tmux_leaked_processes", (Sample(key, len(leaks)) for key, leaks in found.items())),
        family(
            "tmux_leaked_memory_bytes",
            _sums((key, [each.memory_bytes for each in leaks]) for key, leaks in found.items()),
        ),
        family("tmux_leaked_cpu_seconds_total", (Sample(key, cpu.get(key, 0.0)) for key in found)),
        family(
            "tmux_leaked_open_fds",
            _sums((key, [each.open_fds for each in leaks]) for key, leaks in found.items()),
        ),
        family(
            "tmux_leaked_oldest_start_time_seconds",
            (
                Sample(key, min(each.start_time_seconds for each in leaks))
                for key, leaks in found.items()
                if leaks
            ),
        ),
    )


def _places(report: Report) -> Sequence[tuple[str, str]]:
    """Where a leak is possible: wherever something is, and where one is or may be."""
    seen = [(each.server, each.session) for each in report.leaks]
    counted = [(server, session) for server, session, _ in report.leaked_cpu_seconds_total]
    return tuple(dict.fromkeys((*report.places, *seen, *counted)))


def _sums(groups: Iterable[tuple[Key, list[int | None]]]) -> Iterable[Sample]:
    for key, values in groups:
        known = [value for value in values if value is not None]
        if known or not values:
            yield Sample(key, sum(known))
