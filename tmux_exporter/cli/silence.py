"""`tmux-exporter silence`: the alerts of one session keep quiet for a time."""

import json
import os

import click

from tmux_exporter.cli.exit import show
from tmux_exporter.cli.options import JSON


@click.command(short_help="Keep the alerts of one session quiet for a time.")
@click.argument("what", nargs=-1, metavar="[SESSION TIME]")
@click.option("--agent", metavar="NAME", help="Only of this agent of the session.")
@click.option("--server", metavar="NAME", help="Only on this tmux server.")
@click.option("--instance", metavar="HOST:PORT", help="Only of this exporter.")
@click.option("--alert", metavar="NAME", help="Only this alert.")
@click.option("--comment", metavar="TEXT", default="", help="Why.")
@click.option("--list", "listed", is_flag=True, help="Show what is silenced by this command.")
@click.option("--expire", metavar="ID|SESSION", help="End a silence, or all of a session.")
@click.option(
    "--alertmanager",
    metavar="URL",
    help="Where Alertmanager is (that of `up`, else 127.0.0.1:9093).",
)
@JSON
def silence(
    *,
    what: tuple[str, ...],
    comment: str,
    listed: bool,
    expire: str | None,
    alertmanager: str | None,
    as_json: bool,
    **only: str | None,
) -> None:
    """Keep the alerts of one session quiet for a time, in Alertmanager; all other alerts go on.

    \b
    Example:
      tmux-exporter silence nightly 2h
      tmux-exporter silence web 30m --alert TmuxAgentWaiting --comment 'at lunch'
      tmux-exporter silence --list
      tmux-exporter silence --expire nightly
    """
    from tmux_exporter.base.clock import SystemClock
    from tmux_exporter.base.paths import state_path
    from tmux_exporter.commands import silence as silences

    if listed + (expire is not None) + (len(what) == 2) != 1 or len(what) not in (0, 2):
        raise click.UsageError("give a session and a time (silence web 2h), or --list, or --expire ID")
    url = silences.address(alertmanager, state_path(os.environ))
    if listed:
        found = silences.active(url)
        show(_json(silences=found) if as_json else silences.as_text(found))
    elif expire is not None:
        ended = silences.expire(url, expire)
        show(_json(expired=ended) if as_json else "\n".join(f"expired {each}" for each in ended))
    else:
        session, time = what
        names = {"alertname": only.pop("alert"), "session": session, **only}
        labels = {name: value for name, value in names.items() if value}
        made = silences.add(url, labels, time, SystemClock(), comment)
        show(_json(silences=[made]) if as_json else f"silenced until {made['ends']} as {made['id']}")


def _json(**content: object) -> str:
    return json.dumps({"version": 1, **content}, indent=2)
