"""The command `tmux-exporter usage`: what agents have spent."""

import json
import os

import click

from tmux_exporter.cli.exit import LOOKING, progress, show
from tmux_exporter.cli.options import JSON, Loader
from tmux_exporter.cli.serve import SETTINGS

_NICE = 10
"""Files of many gigabytes may have to be read."""


@click.command(short_help="List what agents spend: tokens, and an estimate in dollars.")
@click.option(
    "--by", type=click.Choice(["agent", "session", "model", "day"]), default="agent", show_default=True
)
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="For --by day.")
@JSON
@SETTINGS
def usage(load_config: Loader, by: str, days: int, as_json: bool) -> None:
    """List what the agents that run have spent since each of them started: requests, tokens by kind, and what
    they cost (an estimate, where their program does not say it), with the fill of their context windows.

    With --by day: what all files of your own agents say of the last days, also of agents that have ended.

    \b
    Example:
      tmux-exporter usage
      tmux-exporter usage --by model
      tmux-exporter usage --by day --days 30
      tmux-exporter usage --json | jq '.rows[] | select(.cost_dollars > 5) | .agent'
    """
    from tmux_exporter.commands.one_sample import usage_once
    from tmux_exporter.commands.views import spending

    def say(words: str) -> None:
        click.echo(f"tmux-exporter: {words}", err=True)

    with progress(LOOKING):
        if by == "day":
            from tmux_exporter.base.clock import SystemClock
            from tmux_exporter.commands.spent_days import spent_by_day

            os.nice(_NICE)
            found = spent_by_day(SystemClock(), os.environ, load_config().agents.prices, days)
        else:
            found = spending.as_dict(usage_once(load_config(), os.environ, say), by)
    show(json.dumps(found, indent=2) if as_json else spending.as_text(found))
