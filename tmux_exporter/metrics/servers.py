"""Families of the tmux servers.

A value that is not known gives no sample: after the hold only what needs no listing remains of a server.
"""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.report import Report, ServerReport
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server and family; every reason of a failed query counts from 0."""
    servers = report.servers
    return (
        family("tmux_up", (Sample((each.server,), int(each.up)) for each in servers)),
        family("tmux_server_info", (_info(each) for each in servers if each.sessions is not None)),
        _known("tmux_server_sessions", [(each.server, each.sessions) for each in servers]),
        _known("tmux_server_windows", [(each.server, each.windows) for each in servers]),
        _known("tmux_server_panes", [(each.server, each.panes) for each in servers]),
        _known("tmux_server_clients", [(each.server, each.clients) for each in servers]),
        _known("tmux_server_history_bytes", [(each.server, each.history_bytes) for each in servers]),
        _known(
            "tmux_server_start_time_seconds", [(each.server, each.start_time_seconds) for each in servers]
        ),
        _known(
            "tmux_server_resident_memory_bytes",
            [(each.server, each.resident_memory_bytes) for each in servers],
        ),
        _known("tmux_server_cpu_seconds_total", [(each.server, each.cpu_seconds_total) for each in servers]),
        _known("tmux_server_open_fds", [(each.server, each.open_fds) for each in servers]),
        _known("tmux_server_max_fds", [(each.server, each.max_fds) for each in servers]),
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


def _info(server: ServerReport) -> Sample:
    return Sample((server.server, server.version or "", server.socket), 1)


def _known(name: str, values: list[tuple[str, int | None]] | list[tuple[str, float | None]]) -> Family:
    return family(name, (Sample((server,), value) for server, value in values if value is not None))
