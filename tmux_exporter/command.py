"""How every command of ours ends: an error is one line on stderr with its exit code, never a traceback."""

import os
import sys

import click

from tmux_exporter.errors import ConfigError, ExporterError


def run(group: click.Group, name: str) -> None:
    """Run a command line for the program called `name`."""
    try:
        # Without click's own handling of errors a command's result is only returned.
        status = group(prog_name=name, standalone_mode=False)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(error.exit_code)
    except ExporterError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has what it wanted; Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        sys.exit(status if isinstance(status, int) else 0)
