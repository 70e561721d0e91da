"""Where a terminal attaches to see one pane, and the shell command for it."""

import re
import shlex
from dataclasses import dataclass

from tmux_exporter.facts.tmux import Pane, ServerView

_IDS = re.compile(r"\$[0-9]+ @[0-9]+ %[0-9]+")
_COMMAND = re.compile(
    r"tmux -S (\S|\S.*\S) attach -t '(\$[0-9]+)' \\; select-window -t (@[0-9]+) \\; select-pane -t (%[0-9]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPoint:
    """One pane of the server at a socket; `session`, `window` and `pane` are tmux's ids ($3, @5, %7)."""

    socket: str
    session: str
    window: str
    pane: str

    @property
    def command(self) -> str | None:
        """One line for a POSIX shell; None where it could not be pasted safely.

        It holds ids and never names: tmux keeps `$(…)` and backticks in names. A socket with a character
        that a terminal does not print as itself has no command.
        """
        ids = f"{self.session} {self.window} {self.pane}"
        if not _IDS.fullmatch(ids) or not self.socket.isprintable() or not self.socket.startswith("/"):
            return None
        return (
            f"tmux -S {shlex.quote(self.socket)} attach -t '{self.session}' "
            f"\\; select-window -t {self.window} \\; select-pane -t {self.pane}"
        )

    @classmethod
    def of_command(cls, command: str) -> "AttachPoint | None":
        """The point whose `command` this is; None of any other text."""
        found = _COMMAND.fullmatch(command)
        words = shlex.split(found[1]) if found else []
        if found is None or len(words) != 1:
            return None
        point = cls(socket=words[0], session=found[2], window=found[3], pane=found[4])
        return point if point.command == command else None


def attach_point(view: ServerView | None, pane: Pane | None) -> AttachPoint | None:
    """Where a terminal shows the pane; None where it is not known, or its server does not answer."""
    if view is None or pane is None or not view.up:
        return None
    return AttachPoint(socket=view.socket, session=pane.session_id, window=pane.window_id, pane=pane.id)
