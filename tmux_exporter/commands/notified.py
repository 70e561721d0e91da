"""The exporter as a service that tells systemd how it does; without NOTIFY_SOCKET nobody imports this."""

from collections.abc import MutableMapping

from tmux_exporter.base.service_manager import ServiceManager
from tmux_exporter.commands.publisher import PublishedSample
from tmux_exporter.commands.serve import Service


def run_notified(service: Service, environ: MutableMapping[str, str]) -> None:
    """Run it; the sampler's thread feeds the watchdog, so one that hangs is started again."""
    manager = ServiceManager(environ)
    publisher = service.publisher
    publisher.watch(
        lambda: manager.tell("WATCHDOG=1", f"STATUS={status(publisher.current())}"), manager.beat_seconds
    )
    service.run(
        on_started=lambda: manager.tell("READY=1"), on_stopping=lambda: manager.tell("STOPPING=1", "STATUS=")
    )


def status(published: PublishedSample | None) -> str:
    """A line for `systemctl status`."""
    if published is None:
        return "no sample yet"
    report = published.report
    agents = sum(each.up for each in report.agents)
    return f"{len(report.panes)} panes, {agents} agents; the last sample took {published.took:.1f} s"
