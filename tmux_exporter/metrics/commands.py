"""Families of tmux commands seen through kernel exec events, where that is enabled."""

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.commands import CommandLoss
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue import family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample


def collect(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server and command that was seen; no family where commands are not watched."""
    if report.commands is None:
        return ()
    every, lost = report.commands.commands, report.commands.lost
    return (
        family(
            "tmux_command_duration_seconds",
            histograms=(Distribution((each.server, each.command), each.duration) for each in every),
        ),
        family(
            "tmux_command_errors_total",
            (Sample((each.server, each.command), each.errors_total) for each in every),
        ),
        family(
            "tmux_exporter_commands_lost_total",
            (Sample((reason,), lost[reason]) for reason in CommandLoss),
        ),
    )
