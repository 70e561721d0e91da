"""What a pane shows of its agent without a word of its text: its title's sign, and whether it moves; pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from tmux_exporter.analysis.agents.hook_state import QUIET_SECONDS, WindowActivity
from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.tmux import Listing

MOVES_SECONDS = 3.0
"""Agents at work draw about once a second, and tmux tells whole seconds."""


def window_activity(listing: Listing) -> dict[str, WindowActivity]:
    """By pane: when something was last written in its window, and whether it is alone in it."""
    moved = {window.id: float(window.activity) for window in listing.windows if window.activity > 0}
    panes = Counter(pane.window_id for pane in listing.panes)
    return {
        pane.id: WindowActivity(moved=moved.get(pane.window_id), alone=panes[pane.window_id] == 1)
        for pane in listing.panes
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleSign:
    """What a sign at the head of a title means, and whether its program has another one for every state."""

    state: AgentState
    certain: bool
    reason: WaitingReason | None = None


_WORKS = TitleSign(state=AgentState.WORKING, certain=False)
_SPINNER = {chr(code): _WORKS for code in range(0x2800, 0x2900)}

TITLE_SIGNS: Mapping[str, Mapping[str, TitleSign]] = {
    # At its prompt and at a question it shows the same one.
    "claude": {**_SPINNER, "✳": TitleSign(state=AgentState.IDLE, certain=False)},
    "codex": {
        **_SPINNER,
        "!": TitleSign(state=AgentState.WAITING, certain=True, reason=WaitingReason.PERMISSION),
    },
    "gemini": {
        "✦": TitleSign(state=AgentState.WORKING, certain=True),
        "⏲": TitleSign(state=AgentState.WORKING, certain=True),
        "◇": TitleSign(state=AgentState.IDLE, certain=True),
        "✋": TitleSign(state=AgentState.WAITING, certain=True, reason=WaitingReason.PERMISSION),
    },
}
"""By program; docs/agents.md says which were seen. A program that is not here tells nothing by its title."""


def title_clue(program: str, sign: str, window: WindowActivity, asked: float) -> Clue | None:
    """What the title says; None where titles of this program say nothing.

    A title stays when its agent stops. So work is only believed while the window moves: whoever works draws.
    """
    if program not in TITLE_SIGNS:
        return None
    meant = TITLE_SIGNS[program].get(sign)
    if meant is None:
        return _NO_SIGN
    quiet = window.moved is not None and asked - window.moved > QUIET_SECONDS
    return _STALE_SIGN if meant.state is AgentState.WORKING and quiet else _of_sign(meant)


_NO_SIGN = Clue(source=StateSource.PANE_TITLE, why="its title has no sign that is known")
_STALE_SIGN = Clue(source=StateSource.PANE_TITLE, why="its title says working, but its window is quiet")


@cache
def _of_sign(meant: TitleSign) -> Clue:
    return Clue(
        source=StateSource.PANE_TITLE,
        state=meant.state,
        reason=meant.reason,
        why=f"the sign of its title says {meant.state}",
        certain=meant.certain,
    )


def activity_clue(window: WindowActivity, asked: float) -> Clue:
    """Whether the window moved when its server was `asked` (wall time).

    Somebody who types looks like work, and a question like a rest.
    """
    if window.moved is None:
        return Clue(source=StateSource.WINDOW_ACTIVITY, why="tmux does not say when its window last moved")
    if asked - window.moved > MOVES_SECONDS:
        return _rests_since(window.moved)
    return _MOVES if window.alone else _SHARED


@lru_cache(maxsize=1024)
def _rests_since(moved: float) -> Clue:
    return Clue(
        source=StateSource.WINDOW_ACTIVITY,
        state=AgentState.IDLE,
        since=moved,
        why="nothing is written in its window: it is idle, or waits",
        certain=False,
    )


_SHARED = Clue(
    source=StateSource.WINDOW_ACTIVITY, why="its window moves, but has other panes, which may do it"
)
_MOVES = Clue(
    source=StateSource.WINDOW_ACTIVITY,
    state=AgentState.WORKING,
    why="something is written in its window",
    certain=False,
)
