"""What is left alone, and what was changed: `hold`, `release`, `holds`, `off`, `on`, `changes`."""

import os

import click

from tmux_exporter.cli.exit import show
from tmux_exporter.cli.options import JSON, SERVER, TARGETS


@click.command(short_help="Protect something for a while, whatever policies say.")
@click.argument("target", metavar=TARGETS)
@click.argument("duration", metavar="TIME")
@SERVER
def hold(target: str, duration: str, server: str) -> None:
    """Hold something: until that is over nothing is done to it. A hold survives restarts of everything.

    A process is held as long as it lives, at most. tmux set-option -p @protect on does the same in tmux.

    \b
    Example:
      tmux-remediator hold 4711 24h
      tmux-remediator hold session:nightly 12h
      tmux-remediator hold all 1h
    """
    from tmux_exporter.commands.views import hold as hold_view

    held = hold_view.hold(os.environ, target, server, hold_view.parse_time(duration))
    click.echo(f"held for {duration}: {hold_view.words(held)}")


@click.command(short_help="Take a hold back.")
@click.argument("target", metavar=TARGETS)
@click.option("--server", default="", metavar="NAME", help="As it was held.")
def release(target: str, server: str) -> int:
    """Take a hold back: exit code 1 where there was none.

    \b
    Example:
      tmux-remediator release session:nightly
    """
    from tmux_exporter.commands.views import hold as hold_view

    held, found = hold_view.release(os.environ, target, server)
    click.echo(f"{'no longer held' if found else 'was not held'}: {hold_view.words(held)}", err=not found)
    return 0 if found else 1


@click.command(short_help="Show what is held, and until when.")
@JSON
def holds(as_json: bool) -> None:
    """Show what is held, and until when.

    \b
    Example:
      tmux-remediator holds
    """
    from tmux_exporter.commands.views import hold as hold_view

    found, wall = hold_view.current_holds(os.environ)
    if as_json:
        show(hold_view.as_json(found))
    else:
        show(hold_view.as_table(found, wall) if found else "nothing is held")


@click.command(short_help="Signal nothing any more, whatever runs or is started.")
def off() -> None:
    """Put the file remediator.off into the state folder: while it is there nothing is signalled, at once.

    That holds for a remediator that runs, for one that is started later, and for apply, until on is given.

    \b
    Example:
      tmux-remediator off
    """
    from tmux_exporter.remediator.record.switch import turn_off

    switch, new = turn_off(os.environ)
    click.echo(f"{'off' if new else 'it was off'}: while {switch} is there nothing is signalled")


@click.command(short_help="Let the remediator go on after off.")
def on() -> None:
    """Remove the file remediator.off from the state folder.

    What is signalled then is up to the policies, and nothing without --enforce.

    \b
    Example:
      tmux-remediator on
    """
    from tmux_exporter.remediator.record.switch import turn_on

    switch, was_off = turn_on(os.environ)
    click.echo(f"on: {switch} is removed" if was_off else f"it was on: there is no {switch}")


@click.command(short_help="Show what is still changed, and what puts it back.")
@JSON
def changes(as_json: bool) -> None:
    """Show the limits of open files that were raised and the history-limits that were set, where they are
    still so, each with the command that puts it back. Nothing is changed: run those that you want.

    \b
    Example:
      tmux-remediator changes
    """
    from tmux_exporter.commands.views import changes as changes_view

    found = changes_view.changes(os.environ)
    if as_json:
        show(changes_view.as_json(found))
    else:
        show(changes_view.as_table(found) if found else "nothing that was changed is still so")
