"""Families of the tmux servers, sessions and panes.

A value that is not known gives no sample: after the hold only what needs no listing remains of a server.
"""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family, single
from tmux_exporter.metrics.catalogue.family import Family, Sample
from tmux_exporter.metrics.catalogue.tmux import PANES, SERVERS, SESSIONS
from tmux_exporter.metrics.catalogue.usage import info_values


def collect_servers(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
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
        single("tmux_stale_sockets", report.stale_sockets),
    )


def collect_sessions(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per session and family."""
    parts = [((each.server, each.session), each) for each in report.sessions]
    info = (Sample((*key, each.group, *info_values(each.usage)), 1) for key, each in parts)
    return families(SESSIONS, parts, family("tmux_session_info", info))


def collect_panes(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """One sample per pane and family."""
    parts = [((each.server, each.session, each.window, each.pane), each) for each in report.panes]
    info = (Sample((*key, *info_values(each.usage)), 1) for key, each in parts)
    specs = [spec for spec in PANES if settings.pane_detail or not spec.option]
    return families(specs, parts, family("tmux_pane_info", info))
