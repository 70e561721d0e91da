"""The command `run`: a command, what it costs, and its budgets."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import IO

import click

from tmux_exporter.cli.options import Loader, config_file, settings
from tmux_exporter.config.parsers import parse_duration, parse_size


class _Parsed(click.ParamType):  # type: ignore[type-arg]
    """A value with a unit."""

    def __init__(self, name: str, parse: Callable[[str], int | float]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_SIZE = _Parsed("SIZE", parse_size)
_TIME = _Parsed("TIME", parse_duration)
_FILE = click.Path(dir_okay=False)


@click.command(short_help="Run a command, a pipeline say, and tell what all of it cost.")
@click.option("--max-memory", "memory", type=_SIZE, metavar="SIZE", help="The most memory at once (2GiB).")
@click.option("--max-cpu", "cpu", type=_TIME, metavar="TIME", help="The most CPU time (10m).")
@click.option("--max-time", "time", type=_TIME, metavar="TIME", help="The longest it may take (1h).")
@click.option("--max-leaks", "leaks", type=click.IntRange(0), metavar="N", help="Processes that may be left.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write a test case for each budget.")
@click.option(
    "--summary", type=_FILE, metavar="FILE", help="Append a table in Markdown ($GITHUB_STEP_SUMMARY)."
)
@click.option("--json", "as_json", type=_FILE, metavar="FILE", help="Write all of it as data.")
@settings(config_file("Configuration file (YAML)."))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD …")
def run(
    *, load_config: Loader, command: tuple[str, ...], junit: str | None, summary: str | None,
    as_json: str | None, memory: int | None, cpu: float | None, time: float | None, leaks: int | None,
) -> int:  # fmt: skip
    """Run CMD and say on stderr what it and all that it started cost, tmux servers with their agents and what
    has left its tree included: peak memory, CPU, what is left over at the end. Streams and signals are CMD's.

    Ends with CMD's own exit code, and with 1 where CMD succeeded and a budget was passed. Nothing is ended.

    \b
    Example:
      tmux-exporter run --max-memory 4GiB --max-leaks 0 -- ./ci/agents.sh
      tmux-exporter run --junit cost.xml --json cost.json -- make test
    """
    from tmux_exporter.base import log
    from tmux_exporter.commands.run import cost as made
    from tmux_exporter.commands.run.follow import FollowedRun

    config = load_config()
    log.configure("error", config.log.format)
    budgets = made.Budgets(memory=memory, cpu=cpu, time=time, leaks=leaks)
    with ExitStack() as stack:
        # A report that cannot be written is wrong use, and told before anything runs.
        def opened(path: str | None, mode: str) -> IO[str] | None:
            try:
                return stack.enter_context(open(path, mode, encoding="utf-8")) if path is not None else None
            except OSError as error:
                raise click.UsageError(f"cannot write {path!r}: {error.strerror}") from None

        files = opened(summary, "a"), opened(junit, "w"), opened(as_json, "w")
        cost = FollowedRun(command, config.processes.root).cost()
        told = made.lines(cost, budgets)
        texts = made.as_markdown(cost, told), made.as_junit(cost, told), made.as_json(cost, budgets, told)
        for file, text in zip(files, texts, strict=True):
            if file is not None:
                file.write(text)
    click.echo(made.as_text(told), err=True)
    return made.status(cost, told)
