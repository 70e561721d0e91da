"""The command `check`. Whatever goes wrong is one line on stdout and the exit code 3, as monitors expect."""

import os
import signal
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import click

from tmux_exporter.base.errors import CannotSeeError, ExporterError
from tmux_exporter.cli.exit import show
from tmux_exporter.cli.options import Loader, config_file, settings

_EXIT_UNKNOWN = 3
_SUBJECTS = ("memory", "cpu", "fds", "agents", "waiting", "schedulers", "leaks", "operations", "exporter")


class _Plugin(click.Command):
    """A command whose every failure is UNKNOWN: what Nagios reads is stdout, and 1 and 2 mean something."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **more)
        except click.UsageError as error:
            raise _ended(f"{error.format_message()} (tmux-exporter check --help)") from error

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (ExporterError, click.ClickException, OSError) as error:
            raise _ended(str(error)) from error
        except Exception as error:
            click.echo(traceback.format_exc(), err=True)
            raise _ended(f"{type(error).__name__}: {error}") from error
        return result


def _ended(words: str) -> click.exceptions.Exit:
    from tmux_exporter.commands.check.verdict import unknown

    show(unknown("check", words).text)
    return click.exceptions.Exit(_EXIT_UNKNOWN)


def _too_late(_number: int, _frame: FrameType | None) -> None:
    raise CannotSeeError("it took too long; give a longer --timeout, or ask an exporter that runs")


def _name(name: str, words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(f"--{name}", default="", metavar="NAME", help=f"Only {words}, by its label.")


@click.command(cls=_Plugin, short_help="Check one subject as a plugin of Nagios, Icinga and others.")
@click.argument("subject", metavar="SUBJECT", type=click.Choice(_SUBJECTS))
@click.option("-w", "--warning", metavar="RANGE", help="What is a WARNING: 80, 10:, ~:5, 5:10, @5:10.")
@click.option("-c", "--critical", metavar="RANGE", help="What is CRITICAL.")
@_name("server", "this tmux server")
@_name("session", "this session and its agents")
@_name("agent", "this agent")
@_name("operation", "this operation")
@click.option(
    "--exporter", metavar="HOST:PORT", help="Ask this exporter, whoever runs it, and look at nothing else."
)
@click.option(
    "-t", "--timeout", type=click.IntRange(1, 3600), default=10, show_default=True, metavar="SECONDS",
    help="UNKNOWN after this time.",
)  # fmt: skip
@settings(config_file("Configuration file (YAML)."))
def check(
    *, load_config: Loader, subject: str, warning: str | None, critical: str | None, exporter: str | None,
    timeout: int, **names: str,
) -> int:  # fmt: skip
    """Check one subject as a plugin of Nagios, Icinga and others: a line with its status, performance data
    and the exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Asks the running exporter, else looks itself.

    \b
    memory      of sessions and agents, in percent of the lowest limit (75, 90)
    cpu         of sessions and agents, in percent of a core (no ranges)
    fds         open files of the worst process of each, in percent of its limit (75, 90)
    agents      how many are up (no ranges); one that is down is a WARNING
    waiting     for how many seconds an agent waits (600)
    schedulers  how many will not arrive (0); one that aims at a wrong program is CRITICAL
    leaks       how many processes outlived their pane (0)
    operations  percent that failed in five minutes (2), of a running exporter
    exporter    how many seconds its last sample is old

    In parentheses: the ranges where neither -w nor -c is given, the numbers of the alerts.

    \b
    Example:
      tmux-exporter check memory -w 75 -c 90
      tmux-exporter check agents --session shop -c 3:
      tmux-exporter check exporter --exporter 192.0.2.7:10077
    """
    from tmux_exporter.commands.check.figures import Subject, Wanted
    from tmux_exporter.commands.check.ranges import parse_range
    from tmux_exporter.commands.check.run import check as run
    from tmux_exporter.config.parsers import parse_listen_text

    try:
        ranges = [None if text is None else parse_range(text) for text in (warning, critical)]
        address = None if exporter is None else parse_listen_text(exporter)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(timeout)
    wanted = Wanted(warning=ranges[0], critical=ranges[1], **names)
    try:
        verdict = run(Subject(subject), load_config(), os.environ, wanted, address)
    finally:
        signal.alarm(0)
    show(verdict.text)
    return int(verdict.status)
