"""What a pane shows of its agent without a word of its text: whether its window moves."""

from tmux_exporter.agent_facts import AgentState, Clue, StateSource
from tmux_exporter.model import Listing, Pane

MOVES_SECONDS = 3.0
"""Agents at work draw about once a second, and tmux tells whole seconds."""


def quiet_seconds(listing: Listing, pane: Pane, asked: float) -> float | None:
    """For how long nothing was written in the window of a pane when its server was `asked` (wall time)."""
    window = next((each for each in listing.windows if each.id == pane.window_id), None)
    return None if window is None or window.activity <= 0 else max(0.0, asked - window.activity)


def activity_clue(listing: Listing, pane: Pane, asked: float) -> Clue:
    """Whether the window moves. Somebody who types looks like work, and a question like a rest."""
    quiet = quiet_seconds(listing, pane, asked)
    if quiet is None:
        return Clue(source=StateSource.WINDOW_ACTIVITY, why="tmux does not say when its window last moved")
    if quiet > MOVES_SECONDS:
        return Clue(
            source=StateSource.WINDOW_ACTIVITY,
            state=AgentState.IDLE,
            since=asked - quiet,
            why="nothing is written in its window: it is idle, or waits",
            certain=False,
        )
    if sum(each.window_id == pane.window_id for each in listing.panes) > 1:
        return Clue(
            source=StateSource.WINDOW_ACTIVITY, why="its window moves, but has other panes, which may do it"
        )
    return Clue(
        source=StateSource.WINDOW_ACTIVITY,
        state=AgentState.WORKING,
        why="something is written in its window",
        certain=False,
    )
