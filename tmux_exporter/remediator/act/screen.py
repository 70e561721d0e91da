"""What stands on the screen of a pane: people's own words, so only where they are asked for twice."""

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.report import ServerReport
from tmux_exporter.remediator.act.tmux import PANE, ask

MOST_LINES = 50
MOST_CHARACTERS = 400


def last_lines(server: ServerReport, pane: str, uid: int) -> list[str]:
    """The last lines of a pane's screen that are not empty, cut off at the right. Raises CannotSeeError."""
    if not PANE.fullmatch(pane):
        raise CannotSeeError("it has no pane")
    text = ask(server, ("capture-pane", "-p", "-t", pane), uid).decode("utf-8", "backslashreplace")
    return [line[:MOST_CHARACTERS] for line in text.rstrip("\n ").splitlines()[-MOST_LINES:]]
