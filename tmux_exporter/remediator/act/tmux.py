"""One short command to a tmux server that has just answered, by its own program."""

import re
from collections.abc import Sequence

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.report import ServerReport
from tmux_exporter.sources.tmux.client_transport import ProgramError, SlowProgramError, run_program

PANE = re.compile(r"%[0-9]{1,10}")

_SECONDS = 1.0
"""For each command; a server that hangs is left alone after the first."""


class HungError(CannotSeeError):
    """The server does not answer now; nothing else is to be asked of it for a while."""


def ask(server: ServerReport, arguments: Sequence[str], uid: int) -> bytes:
    """What a command prints. Raises CannotSeeError where it failed or the server is not to be asked.

    No word of an argument may be anybody else's.
    """
    if server.pid is None or not server.up or server.held:
        raise CannotSeeError("the server does not answer")
    try:
        return run_program(server.socket, server.pid, uid, arguments, seconds=_SECONDS)
    except SlowProgramError as error:
        raise HungError(str(error)) from None
    except ProgramError as error:
        raise CannotSeeError(str(error)) from None
