"""The command line: load the configuration, build, call one function, turn errors into exit codes."""

import json
import os
from collections.abc import Callable

import click

from tmux_exporter import __version__
from tmux_exporter.cli.check import check
from tmux_exporter.cli.exit import LOOKING, own_program, progress, run, show
from tmux_exporter.cli.export import export
from tmux_exporter.cli.hooks import hooks
from tmux_exporter.cli.options import JSON, Loader, config_file
from tmux_exporter.cli.run import run as run_command
from tmux_exporter.cli.serve import CONTEXT, INTERVAL, LISTEN, SETTINGS, serve
from tmux_exporter.cli.silence import silence
from tmux_exporter.cli.tasks import EXPORTER, TaskGroup, completion
from tmux_exporter.cli.usage import usage
from tmux_exporter.cli.web_config import web_config
from tmux_exporter.config import load

_FORMATS = ("text", "openmetrics", "json")


def main() -> None:
    """Run a command."""
    run(cli, "tmux-exporter")


def _say(words: str) -> None:
    """One line beside a command's output."""
    click.echo(f"tmux-exporter: {words}", err=True)


@click.group(cls=TaskGroup, tasks=EXPORTER, context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """See what the coding agents in your tmux sessions cost, and what outlived them.

    \b
    Example:
      tmux-exporter up        exporter, live page, Prometheus and Alertmanager in one go
    """


@cli.command(short_help="Start everything for a newcomer in one go.")
@click.option("--demo", is_flag=True, help="Add a demo fleet, sampled each second.")
@click.option(
    "--servers/--no-servers",
    default=True,
    help="With Prometheus and Alertmanager where they are installed (the default), or without.",
)
@click.option(
    "--notify",
    "notify",
    metavar="URL|@FILE",
    multiple=True,
    help="Send what pages there: ntfy://TOPIC, slack://…, telegram://…, mailto://…, webhook:https://…, "
    "desktop; may be given again. A URL with a secret: in a file of mode 0600, or TMUX_EXPORTER_NOTIFY.",
)
@click.option(
    "--public-url",
    "public_url",
    metavar="URL",
    help="Where a phone reaches this exporter, for links in messages (no links).",
)
@LISTEN
@INTERVAL
@SETTINGS
def up(
    load_config: Loader, demo: bool, servers: bool, notify: tuple[str, ...], public_url: str | None
) -> None:
    """Start everything: exporter and live page, the remediator, which only observes, and Prometheus and
    Alertmanager where they are installed.

    \b
    Example:
      tmux-exporter up
      tmux-exporter up --demo     with played agents, and an alert that fires within a minute
      tmux-exporter up --no-servers
      tmux-exporter up --notify ntfy://my-topic
    """
    from tmux_exporter.commands.export import outside_url
    from tmux_exporter.commands.notify.targets import VARIABLE, targets
    from tmux_exporter.commands.up.up import up as run_up

    urls = targets(notify, os.environ)
    # Neither the demo's shells nor other children need them.
    os.environ.pop(VARIABLE, None)

    if demo:
        # Its rules look back for seconds where those for people look back for minutes.
        load_config = load_config.unless_given(sampling_interval="1s")
    run_up(
        *(load_config(), load_config, os.environ, click.echo),
        config_path=load_config.path,
        with_demo=demo,
        with_servers=servers,
        notify_urls=urls,
        public_url=outside_url("--public-url", public_url) if public_url else "",
    )


@cli.command()
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Which of them; text by default.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; the same as --format json.")
@SETTINGS
def once(load_config: Loader, form: str | None, as_json: bool) -> None:
    """Take one sample and print it. Counters are 0: they count from the start of an exporter.

    \b
    Example:
      tmux-exporter once --json | jq .sessions
    """
    from tmux_exporter.commands.one_sample import render_once

    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other; give one of them")
    with progress(LOOKING):
        page = render_once(load_config(), os.environ, "json" if as_json else form or "text")
    show(page)


@cli.command("check-config", short_help="Check a configuration file.")
@click.argument("file", required=False)
@config_file("Configuration file; the same as FILE.")
def check_config(file: str | None, config_path: str | None) -> None:
    """Check a configuration file: every mistake with its line and column, exit code 2.

    \b
    Example:
      tmux-exporter check-config tmux-exporter.yml
    """
    path = file or config_path
    if path is None:
        raise click.UsageError("name a file: tmux-exporter check-config FILE")
    load(path)
    click.echo(f"{path}: fine")


@cli.command(short_help="Say why something is counted as it is.")
@click.argument("target", metavar="PID|PANE|AGENT|SESSION|SERVER|PROGRAM")
@JSON
@SETTINGS
def explain(load_config: Loader, target: str, as_json: bool) -> None:
    """Say why a process, a pane, an agent, a session, a tmux server or all agents of a program are counted as
    they are, what each part and member costs, and their sums.

    A name that several things have shows all of them; session:NAME, server:NAME, program:NAME and
    agent:NAME say which is meant.

    \b
    Example:
      tmux-exporter explain %3
      tmux-exporter explain 4711
      tmux-exporter explain session:shop
    """
    from tmux_exporter.commands.one_sample import explain_once
    from tmux_exporter.commands.views.explain import as_dict, as_text

    with progress(LOOKING):
        explanation = explain_once(load_config(), os.environ, target, _say)
    show(json.dumps(as_dict(explanation), indent=2) if as_json else as_text(explanation))


@cli.command(short_help="List the pending schedulers and what will become of each.")
@JSON
@SETTINGS
def schedulers(load_config: Loader, as_json: bool) -> int:
    """List the pending schedulers (`sleep N && tmux send-keys …` in the background): where each one aims,
    when it is due, what will become of it, and why.

    Ends with 1 if one will not arrive where it should: dangling, misdirected, serverless, stale_generation,
    overdue or immortal.

    \b
    Example:
      tmux-exporter schedulers
      tmux-exporter schedulers --json | jq '.schedulers[] | select(.state == "dangling")'
    """
    from tmux_exporter.commands.one_sample import schedulers_once
    from tmux_exporter.commands.views import schedulers as schedulers_view

    with progress(LOOKING):
        report = schedulers_once(load_config(), os.environ, _say)
    shown = schedulers_view.as_dict(report)
    show(json.dumps(shown, indent=2) if as_json else schedulers_view.as_text(report))
    return int(schedulers_view.in_trouble(report))


@cli.command(short_help="List what outlived its pane, by owner and kind.")
@JSON
@SETTINGS
def leaks(load_config: Loader, as_json: bool) -> int:
    """List the processes that outlived the pane that started them: whose they were, of which kind, what they
    cost, on which ports they listen, and why they count as leaked.

    Looks twice, a second apart, where something might only be ending. Ends with 1 if something is leaked.

    \b
    Example:
      tmux-exporter leaks
      tmux-exporter leaks --json | jq '.leaks[] | select(.kind == "mcp_server") | .pid'
    """
    from tmux_exporter.commands.one_sample import leaks_once
    from tmux_exporter.commands.views import leaks as leaks_view

    with progress(LOOKING):
        report, ports = leaks_once(load_config(), os.environ, _say)
    shown = leaks_view.as_dict(report, ports)
    show(json.dumps(shown, indent=2) if as_json else leaks_view.as_text(report, ports))
    return int(bool(report.leaks))


@cli.command(short_help="List the programs that count as agents, and how each is known.")
@JSON
def agents(as_json: bool) -> None:
    """List the programs that count as agents: at which version each was seen and started in which ways, or
    that it is known from its documentation only. To see the agents that run: `tmux-exporter top`.

    \b
    Example:
      tmux-exporter agents
      tmux-exporter agents --json | jq '.programs[] | select(.evidence == "documentation") | .program'
    """
    from tmux_exporter.commands.views import agents as agents_view

    show(json.dumps(agents_view.as_dict(), indent=2) if as_json else agents_view.as_text())


@cli.command(short_help="Watch sessions and agents in the terminal.")
@click.option("--once", is_flag=True, help="Print one table and end.")
@click.option("--json", "as_json", is_flag=True, help="Print it once as JSON.")
@click.option(
    "--sort",
    type=click.Choice(["state", "cpu", "memory", "fds", "leaks", "due", "name"]),
    default="state",
    show_default=True,
    help="What comes first; by state it is who waits for a person.",
)
@click.option("--filter", "words", metavar="WORDS", default="", help="Only rows that have all these words.")
@click.option(
    "--sampling.interval",
    "sampling_interval",
    metavar="TIME",
    default="2s",
    show_default=True,
    help="Time between its own samples, where no exporter runs.",
)
@SETTINGS
def top(load_config: Loader, once: bool, as_json: bool, sort: str, words: str) -> int:
    """Watch sessions and agents: state and since when, CPU, memory against its limit, open files, what they
    left over, and the next scheduler. Shows what the running exporter reports, else takes its own samples.

    Keys: ? shows all, 1 to 7 are the views (agents, sessions, schedulers, leaks, operations, remediator,
    servers), up and down choose a row, Enter opens it, a attaches to its agent, / filters, q ends it.

    \b
    Example:
      tmux-exporter top
      tmux-exporter top --once --sort memory
      tmux-exporter top --json --filter waiting | jq '.sessions[].agents[].agent'
    """
    import sys

    from tmux_exporter.base import log
    from tmux_exporter.commands.top import loop
    from tmux_exporter.commands.top.rows import Sort
    from tmux_exporter.commands.top.screen_view import ScreenView

    config = load_config()
    log.configure(config.log.level, config.log.format)
    view = ScreenView(sort=Sort(sort), filter=words, source="")
    terminal = sys.stdout.isatty()
    if as_json:
        with progress(LOOKING):
            text = loop.once_json(config, os.environ, view)
        show(text)
    elif once or not terminal:
        with progress(LOOKING):
            text = loop.once_text(config, os.environ, view, color=terminal)
        show(text)
    else:
        return loop.run(config, os.environ, view)
    return 0


@cli.command(short_help="Say what this machine lacks, with the command that mends it.")
@click.option(
    "--hooks", "with_hooks", is_flag=True, help="Print what to add to the settings of agents instead."
)
@JSON
@SETTINGS
def doctor(load_config: Loader, as_json: bool, with_hooks: bool) -> int:
    """Look at this machine, tmux, its servers and the agents in them: what does not work, may soon not, or
    could be better, each with the command that mends it. Changes nothing.

    Ends with 1 if there is something to mend; hints alone are no reason.

    \b
    Example:
      tmux-exporter doctor
      tmux-exporter doctor --json | jq '.findings[] | select(.level == "problem")'
      tmux-exporter doctor --hooks
    """
    import shutil
    import sys

    if with_hooks:
        from tmux_exporter.reporters import hook_settings

        load_config()
        command = own_program("tmux-exporter")
        show(hook_settings.as_json(command) if as_json else hook_settings.as_text(command))
        return 0
    from tmux_exporter.commands.one_sample import doctor_once
    from tmux_exporter.commands.views import doctor as doctor_view

    with progress(LOOKING):
        findings = doctor_once(load_config(), os.environ)
    width = shutil.get_terminal_size().columns
    text = doctor_view.as_text(findings, width, color=sys.stdout.isatty())
    show(doctor_view.as_json(findings) if as_json else text)
    return int(doctor_view.found_something(findings))


cli.add_command(serve)
cli.add_command(check)
cli.add_command(export)
cli.add_command(hooks)
cli.add_command(silence)
cli.add_command(web_config)
cli.add_command(run_command)
cli.add_command(usage)
cli.add_command(completion)


def _reporter(short_help: str) -> Callable[[Callable[..., int]], click.Command]:
    """A command that parses its own arguments. From the shell `cli.main` runs it, without click."""
    raw = {"ignore_unknown_options": True}
    command = cli.command(short_help=short_help, add_help_option=False, context_settings=raw)
    return lambda run: command(click.argument("arguments", nargs=-1, type=click.UNPROCESSED)(run))


@_reporter("Run a command as an observed operation.")
def op(arguments: tuple[str, ...]) -> int:
    """Run `op` where click was reached."""
    from tmux_exporter.reporters.op import main as run_op

    return run_op(list(arguments))


@_reporter("Called by an agent's hooks: say what it does now.")
def hook(arguments: tuple[str, ...]) -> int:
    """Run `hook` where click was reached."""
    from tmux_exporter.reporters.hook import main as run_hook

    return run_hook(list(arguments))


@_reporter("Called as an agent's status line: keep what it tells.")
def statusline(arguments: tuple[str, ...]) -> int:
    """Run `statusline` where click was reached."""
    from tmux_exporter.reporters.statusline import main as run_statusline

    return run_statusline(list(arguments))
