"""Families of the processes that outlived their pane: every kind for every session, from 0."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.totals import by_kind, totals


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and kind, wherever a leak is, was or can be."""
    cpu = report.leaked_cpu_seconds_total
    seen = ((each.server, each.session) for each in report.leaks)
    counted = ((server, session) for server, session, _ in cpu)
    found = by_kind(report.leaks, lambda each: each.kind, LeakKind, (*report.session_keys, *seen, *counted))
    oldest = (
        Sample(key, min(each.start_time_seconds for each in leaks)) for key, leaks in found.items() if leaks
    )
    return (
        *totals("tmux_leaked_processes", "tmux_leaked", found, cpu),
        family("tmux_leaked_oldest_start_time_seconds", oldest),
    )
