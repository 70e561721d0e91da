"""`--help` of both programs, grouped by what somebody wants to do: one table for each program."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from tmux_exporter.cli.exit import show


class Task(NamedTuple):
    """One thing to do: its commands in the order of their use, and an example."""

    title: str
    commands: tuple[str, ...]
    example: str


EXPORTER = (
    Task("Start", ("up", "serve"), "tmux-exporter up --demo"),
    Task(
        "See what runs, and why it counts",
        ("top", "schedulers", "leaks", "usage", "explain", "once"),
        "tmux-exporter explain %3",
    ),
    Task(
        "Set up",
        ("doctor", "check-config", "web-config", "agents", "completion"),
        "tmux-exporter check-config tmux-exporter.yml",
    ),
    Task(
        "Connect monitoring and alerts",
        ("export", "check", "silence"),
        "tmux-exporter export rules --out rules",
    ),
    Task(
        "Measure commands of your own",
        ("op", "run"),
        "tmux-exporter op recovery --retry 3 -- ./restart-agent.sh",
    ),
    Task(
        "Let agents report",
        ("hooks", "hook", "statusline"),
        "tmux-exporter hooks install claude",
    ),
)
REMEDIATOR = (
    Task("Run, stop", ("run", "off", "on"), "tmux-remediator run --policy policies.yml"),
    Task(
        "Write policies, and try them",
        ("policies", "check-config", "explain"),
        "tmux-remediator check-config policies.yml --against-live",
    ),
    Task("End something by hand", ("plan", "apply"), "tmux-remediator plan --out plan.json"),
    Task("Protect something", ("hold", "holds", "release"), "tmux-remediator hold session:work 2h"),
    Task("Look back", ("audit", "changes"), "tmux-remediator audit --last 20"),
    Task("Set up", ("completion",), "tmux-remediator completion fish"),
)

_WIDEST = 30


class TaskGroup(click.Group):
    """A program whose `--help` lists its commands by task, and says how a shell completes them."""

    def __init__(self, *arguments: Any, tasks: Sequence[Task] = (), **more: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **more)
        self.tasks = tasks

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each task."""
        width = max(len(name) for task in self.tasks for name in task.commands)
        for task in self.tasks:
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit=formatter.width))
                for name in task.commands
            ]
            with formatter.section(task.title):
                formatter.write_dl(rows, col_max=_WIDEST)
                formatter.write_text(f"Example: {task.example}")


@click.command(short_help="Print what makes your shell complete commands.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the lines by which SHELL completes this program's commands and options. Debian's package has
    them installed.

    \b
    Example:
      eval "$(tmux-exporter completion bash; tmux-remediator completion bash)"   in ~/.bashrc
      eval "$(tmux-exporter completion zsh; tmux-remediator completion zsh)"     in ~/.zshrc, behind compinit
      tmux-exporter completion fish | source; tmux-remediator completion fish | source
    """
    from click.shell_completion import ShellComplete, get_completion_class

    found, program = get_completion_class(shell), ctx.find_root()
    name = program.info_name or ""
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    if found is None:
        raise click.UsageError(f"this click cannot complete in {shell}")
    # Not click's own `source` of bash: that starts a bash to ask for its version.
    show(ShellComplete.source(found(program.command, {}, name, variable)))
