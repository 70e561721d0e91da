"""The command `serve`, in a module of its own: the exporter keeps no other command in memory."""

import logging
import os
import sys

import click

from tmux_exporter.cli.exit import run
from tmux_exporter.cli.options import LOG_FORMAT, LOG_LEVEL, Loader, config_file, settings

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""What all commands have in common."""

SETTINGS = settings(config_file("Configuration file (YAML)."), LOG_LEVEL, LOG_FORMAT)
LISTEN = click.option(
    "--web.listen-address",
    "listen_addresses",
    metavar="[HOST]:PORT|unix:/PATH",
    multiple=True,
    help="Where to listen (127.0.0.1:10077); without HOST on all addresses; may be given again.",
)
WEB_CONFIG = click.option(
    "--web.config.file", "web_config", metavar="FILE", help="TLS, users and headers (docs/web-config.md)."
)
SYSTEMD_SOCKET = click.option(
    "--web.systemd-socket",
    "systemd_socket",
    flag_value="true",
    default=None,
    help="Listen on what a socket unit hands over, or refuse to start.",
)
INTERVAL = click.option(
    "--sampling.interval", "sampling_interval", metavar="TIME", help="Time between samples (5s)."
)


def main() -> None:
    """Run it, as the whole command line would."""
    run(serve, "tmux-exporter", sys.argv[1:2])


@click.command(
    short_help="Sample in the background, serve /metrics and the live page.", context_settings=CONTEXT
)
@LISTEN
@WEB_CONFIG
@SYSTEMD_SOCKET
@INTERVAL
@SETTINGS
def serve(load_config: Loader) -> None:
    """Sample in the background and serve /metrics and the live page.

    \b
    Example:
      tmux-exporter serve --web.listen-address 127.0.0.1:10077 --sampling.interval 5s
    """
    from tmux_exporter.base.runtime import import_lean

    config = load_config()
    import_lean(tls=bool(config.web.config_file))
    from tmux_exporter.base.log import announce
    from tmux_exporter.commands.serve import Service

    service = Service(config, load_config, os.environ)
    for url in service.web.bound_urls:
        announce(f"listening on {url}")
    for warning in service.web.exposures:
        announce(f"tmux-exporter: {warning}", logging.WARNING)
    if "NOTIFY_SOCKET" not in os.environ:
        service.run()
        return
    from tmux_exporter.commands.notified import run_notified

    run_notified(service, os.environ)
