"""The command line of the remediator: build, call one function, turn errors into exit codes."""

import os

import click

from tmux_exporter import __version__
from tmux_exporter.cli.exit import run as run_command
from tmux_exporter.cli.options import CONFIG_OF_EXPORTER, LOG_FORMAT, LOG_LEVEL, Loader, settings
from tmux_exporter.cli.remediator_holds import changes, hold, holds, off, on, release
from tmux_exporter.cli.remediator_plans import apply_command, audit, plan
from tmux_exporter.cli.remediator_policies import check_config, explain, policies
from tmux_exporter.cli.tasks import REMEDIATOR, TaskGroup, completion

NAME = "tmux-remediator"


def main() -> None:
    """Run a command."""
    run_command(cli, NAME)


@click.group(
    cls=TaskGroup,
    tasks=REMEDIATOR,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """End schedulers whose target is gone. Observes unless set to enforce.

    \b
    Example:
      tmux-remediator run     one line on stderr for everything that it would do
    """


@cli.command(short_help="Watch for orphaned schedulers; end them only with --enforce.")
@click.option("--enforce", is_flag=True, help="End what the policy says; without it nothing is signalled.")
@click.option(
    "--policy", "policy_path", metavar="FILE|FOLDER", help="Policies (YAML) instead of the built-in one."
)
@click.option(
    "--server",
    "servers",
    metavar="NAME",
    multiple=True,
    help="Only what aims at this tmux server, by its label in /metrics; may be given again (all).",
)
@click.option(
    "--snapshot-screen",
    is_flag=True,
    help="Let snapshots hold the last lines of a pane's screen, where a policy asks for them.",
)
@settings(
    click.option("--interval", "sampling_interval", metavar="TIME", help="Time between samples (5s)."),
    CONFIG_OF_EXPORTER,
    LOG_LEVEL,
    LOG_FORMAT,
)
@click.option("--time-scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, hidden=True)
def run(
    *,
    enforce: bool,
    policy_path: str | None,
    servers: tuple[str, ...],
    snapshot_screen: bool,
    load_config: Loader,
    time_scale: float,
) -> None:
    """Watch for schedulers (sleep, then tmux send-keys) whose every target is gone.

    \b
    Each is reported after 5 minutes and ended 5 minutes later: its shell first, then its sleep, so that no
    key is ever sent. Nothing is signalled
      without --enforce,
      after tmux-remediator off, until tmux-remediator on,
      while its tmux server does not answer completely, or the audit cannot be written.

    \b
    Example:
      tmux-remediator run                 observe
      tmux-remediator run --enforce --server default
      tmux-remediator run --policy policies.yml
    """
    from tmux_exporter.remediator.service import serve

    serve(
        load_config(),
        os.environ,
        enforce=enforce,
        policy_path=policy_path,
        servers=servers,
        screen=snapshot_screen,
        time_scale=time_scale,
    )


_COMMANDS = (
    check_config, explain, policies, audit, plan, apply_command, hold, release, holds, off, on, changes,
    completion,
)  # fmt: skip
for each in _COMMANDS:
    cli.add_command(each)


if __name__ == "__main__":
    main()
