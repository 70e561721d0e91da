"""Exit codes and output of every command: an error is one line on stderr, never a traceback."""

import os
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from tmux_exporter.base.errors import ConfigError, ExporterError, UsageError

_PATIENCE_SECONDS = 1.0

LOOKING = "reading processes and tmux servers"
"""What a command does that takes long."""


def run(command: click.Command, name: str, words: Sequence[str] = ()) -> None:
    """Run a command of the program called `name`, or all of them; `words` lead to the command."""
    _open_standard_streams()
    try:
        # Without click's own handling of errors a command's result is only returned.
        arguments = sys.argv[1 + len(words) :]
        status = command(arguments, prog_name=" ".join((name, *words)), standalone_mode=False)
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
    except OSError as error:
        # A full disk or a folder without write permission is not our bug: no traceback.
        _drop_output()
        click.echo(f"{name}: {_words(error)}", err=True)
        sys.exit(1)
    else:
        sys.exit(status if isinstance(status, int) else 0)


def own_program(name: str) -> str:
    """Path of a program of this installation; a link to it, such as pipx makes, is kept."""
    import shutil  # noqa: PLC0415 - not in the exporter, which never asks

    for folder in (os.path.dirname(os.path.abspath(sys.argv[0])), sysconfig.get_path("scripts")):
        if found := shutil.which(name, path=folder):
            return found
    raise UsageError(f"{name} is not installed beside {sys.argv[0]}; install tmux-exporter again")


def show(output: str | bytes) -> None:
    """Write a command's whole output to stdout; what its encoding lacks is escaped.

    A reader that has left (head, less) has what it wanted and ends the command well.
    """
    if isinstance(output, str):
        output = f"{output}\n".encode(sys.stdout.encoding, "backslashreplace")
    try:
        sys.stdout.buffer.write(output)
        # Flush here: at interpreter exit an error could no longer be reported.
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _drop_output()
        raise click.exceptions.Exit(0) from None


@contextmanager
def progress(words: str) -> Iterator[None]:
    """Say to a person what takes longer than a second: one line on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(_PATIENCE_SECONDS, click.echo, (f"{words} …",), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _words(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is None:
        return f"cannot go on: {reason}"
    return f"cannot use {os.fsdecode(error.filename)!r}: {reason}; see to its owner, mode and free space"


def _open_standard_streams() -> None:
    """Give a program that was started with a closed stream (`>&-`) an empty one.

    Python leaves None in its place, and the next file or socket would get its number, and our output with it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def _drop_output() -> None:
    """Let what is still unwritten go nowhere: Python would try, and complain, again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
