"""The command `tmux-exporter usage`: what agents have spent."""

import json
import os

import click

from tmux_exporter.cli.exit import LOOKING, progress, show
from tmux_exporter.cli.options import JSON, Loader
from tmux_exporter.cli.serve import SETTINGS


@click.command(short_help="List what agents spend: tokens, and an estimate in dollars.")
@click.option("--by", type=click.Choice(["agent", "session", "model"]), default="agent", show_default=True)
@JSON
@SETTINGS
def usage(load_config: Loader, by: str, as_json: bool) -> None:
    """List what the agents that run have spent since each of them started: requests, tokens by kind, and what
    they cost by our table of prices (an estimate), with the fill of their context windows.

    \b
    Example:
      tmux-exporter usage
      tmux-exporter usage --by model
      tmux-exporter usage --json | jq '.rows[] | select(.cost_dollars > 5) | .agent'
    """
    from tmux_exporter.commands.one_sample import usage_once
    from tmux_exporter.commands.views import spending

    def say(words: str) -> None:
        click.echo(f"tmux-exporter: {words}", err=True)

    with progress(LOOKING):
        found = spending.as_dict(usage_once(load_config(), os.environ, say), by)
    show(json.dumps(found, indent=2) if as_json else spending.as_text(found))
