"""`tmux-exporter hooks`: add the calls of our hook to the settings of agents, show them, take them out."""

import json
import os
import sys
from collections.abc import Callable, Sequence

import click

from tmux_exporter.base.errors import UsageError
from tmux_exporter.cli.exit import own_program, show
from tmux_exporter.cli.options import JSON
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.reporters import hook_install
from tmux_exporter.reporters.hook_settings import PROGRAMS, HookProgram

_PROGRAM = click.argument("program", required=False, type=click.Choice([each.name for each in PROGRAMS]))
_YES = click.option("--yes", is_flag=True, help="Write without asking.")


@click.group(short_help="Let agents themselves report their state.")
def hooks() -> None:
    """Add to the settings of Claude Code, Codex, Gemini CLI and Qwen Code the calls by which they report what
    they do. What is there stays byte for byte, and `remove` brings back what was there before.

    \b
    Example:
      tmux-exporter hooks install claude
      tmux-exporter hooks status
      tmux-exporter hooks remove claude
    """


@hooks.command()
@_PROGRAM
@_YES
def install(program: str | None, yes: bool) -> int:
    """Add our hooks to the settings of PROGRAM, or of all that this user has: shows the difference and asks.

    \b
    Example:
      tmux-exporter hooks install claude
    """
    command = own_program("tmux-exporter")
    for each in (each for each in PROGRAMS if each.name == program and each.note):
        click.echo(each.note, err=True)
    return _apply(_programs(program), lambda file: hook_install.installed(file, command), yes=yes)


@hooks.command()
@_PROGRAM
@_YES
def remove(program: str | None, yes: bool) -> int:
    """Take our hooks out of the settings of PROGRAM, or of all that this user has: shows the difference and
    asks.

    \b
    Example:
      tmux-exporter hooks remove claude
    """
    return _apply(_programs(program), hook_install.removed, yes=yes)


@hooks.command()
@_PROGRAM
@JSON
def status(program: str | None, as_json: bool) -> int:
    """Say which agents have our hooks. Ends with 1 where their settings cannot be used, or are of an older
    version.

    \b
    Example:
      tmux-exporter hooks status
      tmux-exporter hooks status --json | jq '.programs[] | select(.state == "installed") | .program'
    """
    chosen = [each for each in PROGRAMS if program in (None, each.name)]
    told = hook_install.status(chosen, os.environ, os.getuid(), own_program("tmux-exporter"))
    if as_json:
        show(json.dumps({"version": 1, "programs": told}, indent=2))
    else:
        rows = [[each["program"], each["state"], str(each["hooks"]), each["file"]] for each in told]
        lines = table(columns("PROGRAM", "STATE", "HOOKS>", "SETTINGS"), rows)
        show("\n".join([*lines, *(each["problem"] for each in told if each["problem"])]))
    return int(any(each["state"] in ("refused", "outdated") for each in told))


def _programs(name: str | None) -> Sequence[HookProgram]:
    found = [
        each for each in PROGRAMS if each.name == name or (not name and hook_install.used(each, os.environ))
    ]
    if not found:
        known = ", ".join(each.name for each in PROGRAMS)
        raise UsageError(f"none of {known} has settings here; start one of them once, or name it")
    return found


def _apply(
    programs: Sequence[HookProgram],
    change: Callable[[hook_install.SettingsFile], hook_install.Change],
    *,
    yes: bool,
) -> int:
    # All are read before any is written.
    changes = [change(hook_install.read(each, os.environ, os.getuid())) for each in programs]
    for each in changes:
        if not each.needed:
            click.echo(f"{each.file.shown}: nothing to do")
    needed = [each for each in changes if each.needed]
    for each in needed:
        click.echo("\n".join(each.difference()))
    if not needed:
        return 0
    if not yes:
        if not sys.stdin.isatty():
            click.echo("tmux-exporter: nothing was written; say --yes to write it", err=True)
            return 1
        click.confirm("Write this?", abort=True)
    for each in needed:
        hook_install.write(each)
        click.echo(f"{each.file.shown}: {'removed' if each.text is None else 'written'}")
    click.echo("Agents read their settings when they start.")
    return 0
