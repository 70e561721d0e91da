"""Show a line to the clients of a session: the only module that displays anything in tmux.

`display-message` draws on a client's status line until its next key, or for a few seconds. Panes receive
nothing. The text is ours; a session is addressed by a pane id, a client by its terminal, so no foreign name
reaches tmux.
"""

import re

from tmux_exporter.facts.report import ServerReport
from tmux_exporter.facts.tmux_quirks import DISPLAY_TIME
from tmux_exporter.remediator.act.tmux import PANE, ask

MOST_CLIENTS = 8
LONGEST = 200

_SHOWN_MILLISECONDS = "5000"

_CLIENT = re.compile(r"0 (/dev/(?:pts/[0-9]{1,7}|tty[A-Za-z0-9]{1,16}))")
# Neither `#` nor `%`: tmux expands formats and times. A `;` at an end would begin a command.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 .,:()-]*[A-Za-z0-9.)]")


def is_plain(text: str) -> bool:
    """Whether a line is nothing but words: no format, no time, no end of a command, no flag."""
    return len(text) <= LONGEST and _PLAIN.fullmatch(text) is not None


def show(server: ServerReport, pane: str, text: str, uid: int) -> int:
    """Show a line to the terminals that are attached to the session of a pane; to how many.

    Not to clients in control mode, and to MOST_CLIENTS at most. Raises CannotSeeError where the pane is gone
    or the server is not to be asked, ValueError for a line that is more than plain words.
    """
    if not PANE.fullmatch(pane) or not is_plain(text):
        raise ValueError("not a pane's id and a line of plain words")
    listed = ask(server, ("list-clients", "-t", pane, "-F", "#{client_control_mode} #{client_name}"), uid)
    found = [_CLIENT.fullmatch(line) for line in listed.decode("ascii", "replace").splitlines()]
    clients = [match[1] for match in found if match is not None][:MOST_CLIENTS]
    delay = ("-d", _SHOWN_MILLISECONDS) if DISPLAY_TIME.holds(server.version) else ()
    for client in clients:
        ask(server, ("display-message", "-c", client, *delay, text), uid)
    return len(clients)
