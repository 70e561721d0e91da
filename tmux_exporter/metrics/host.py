"""Families of the host. A figure that is not known gives no sample; `metrics.host: false` gives no family."""

from collections.abc import Mapping

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.exporter import HOST
from tmux_exporter.metrics.catalogue.family import Family, Sample


def collect(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """What could be read of the host in this sample."""
    if not settings.host:
        return ()
    host = report.host or HostFacts()
    files, networks = host.filesystems, host.networks
    return families(
        HOST,
        [((), host)],
        _each("cpu_seconds_total", host.cpu_seconds),
        _each("disk_io_seconds_total", host.disk_io_seconds),
        _each("filesystem_size_bytes", {point: each.size_bytes for point, each in files.items()}),
        _each("filesystem_avail_bytes", {point: each.available_bytes for point, each in files.items()}),
        _each("network_receive_bytes_total", {name: each.received_bytes for name, each in networks.items()}),
        _each("network_transmit_bytes_total", {name: each.sent_bytes for name, each in networks.items()}),
        _each("network_speed_bytes", {name: each.speed_bytes for name, each in networks.items()}),
        family(
            "tmux_host_pressure_seconds_total",
            (Sample(labels, seconds) for labels, seconds in host.pressure_seconds.items()),
        ),
    )


def _each(name: str, values: Mapping[str, float] | Mapping[str, int | None]) -> Family:
    return family(
        f"tmux_host_{name}",
        (Sample((label,), value) for label, value in values.items() if value is not None),
    )
