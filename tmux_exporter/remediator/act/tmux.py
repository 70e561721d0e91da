"""Run one short tmux command by the server's own program; read the last lines of a pane."""

import re
from collections.abc import Sequence

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.report import ServerReport
from tmux_exporter.remediator.act import request_check
from tmux_exporter.sources.tmux.client_transport import ProgramError, SlowProgramError, run_program

PANE = re.compile(r"%[0-9]{1,10}")
MOST_LINES = 50
MOST_CHARACTERS = 400

_SECONDS = 1.0
"""For each command; a server that hangs is left alone after the first."""


class HungError(CannotSeeError):
    """The server does not answer; do not query it again in this cycle."""


def ask(server: ServerReport, arguments: Sequence[str], uid: int) -> bytes:
    """What a command prints. Raises CannotSeeError where it failed or the server is not to be asked.

    Arguments must not contain foreign text; `request_check` lets nothing else through.
    """
    request_check.check_arguments(arguments)
    if server.pid is None or not server.up or server.held:
        raise CannotSeeError("the server does not answer")
    try:
        return run_program(server.socket, server.pid, uid, arguments, seconds=_SECONDS)
    except SlowProgramError as error:
        raise HungError(str(error)) from None
    except ProgramError as error:
        raise CannotSeeError(str(error)) from None


def last_lines(server: ServerReport, pane: str, uid: int) -> list[str]:
    """The last lines of a pane's screen that are not empty, cut off at the right. Raises CannotSeeError.

    They are private: read them only where both the policy and the flag ask for them.
    """
    if not PANE.fullmatch(pane):
        raise CannotSeeError("it has no pane")
    text = ask(server, ("capture-pane", "-p", "-t", pane), uid).decode("utf-8", "backslashreplace")
    return [line[:MOST_CHARACTERS] for line in text.rstrip("\n ").splitlines()[-MOST_LINES:]]
