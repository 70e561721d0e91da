"""What a pane shows of its agent without a word of its text: whether its window moves; pure."""

from tmux_exporter.agent_facts import AgentState, Clue, StateSource
from tmux_exporter.analysis.hook_clues import Stillness
from tmux_exporter.model import Listing, Pane

MOVES_SECONDS = 3.0
"""Agents at work draw about once a second, and tmux tells whole seconds."""


def stillness(listing: Listing, pane: Pane) -> Stillness:
    """When something was last written in the window of a pane, and whether the pane is alone in it."""
    window = next((each for each in listing.windows if each.id == pane.window_id), None)
    return Stillness(
        moved=float(window.activity) if window is not None and window.activity > 0 else None,
        alone=sum(each.window_id == pane.window_id for each in listing.panes) == 1,
    )


def activity_clue(window: Stillness, asked: float) -> Clue:
    """Whether the window moved when its server was `asked` (wall time).

    Somebody who types looks like work, and a question like a rest.
    """
    if window.moved is None:
        return Clue(source=StateSource.WINDOW_ACTIVITY, why="tmux does not say when its window last moved")
    if asked - window.moved > MOVES_SECONDS:
        return Clue(
            source=StateSource.WINDOW_ACTIVITY,
            state=AgentState.IDLE,
            since=window.moved,
            why="nothing is written in its window: it is idle, or waits",
            certain=False,
        )
    if not window.alone:
        return Clue(
            source=StateSource.WINDOW_ACTIVITY, why="its window moves, but has other panes, which may do it"
        )
    return Clue(
        source=StateSource.WINDOW_ACTIVITY,
        state=AgentState.WORKING,
        why="something is written in its window",
        certain=False,
    )
