"""Families of the tmux servers.

A value that is not known gives no sample: after the hold only what needs no listing remains of a server.
"""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample
from tmux_exporter.metrics.catalogue.tmux import SERVERS


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server and family; every reason of a failed query counts from 0."""
    servers = report.servers
    return families(
        SERVERS,
        [((each.server,), each) for each in servers],
        family(
            "tmux_server_info",
            (
                Sample((each.server, each.version or "", each.socket), 1)
                for each in servers
                if each.sessions is not None
            ),
        ),
        family(
            "tmux_server_query_duration_seconds",
            histograms=(Distribution((each.server,), each.query_duration) for each in servers),
        ),
        family(
            "tmux_server_query_failures_total",
            (
                Sample((each.server, reason), each.query_failures.get(reason, 0))
                for each in servers
                for reason in QueryFailure
            ),
        ),
        family("tmux_stale_sockets", (Sample((), report.stale_sockets),)),
    )
