"""Agent state from a pane's title sign and window activity, without reading its text."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from tmux_exporter.analysis.agents.hook_state import QUIET_SECONDS, WindowActivity
from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.tmux import Listing

MOVES_SECONDS = 3.0
"""Working agents draw about once a second, and tmux reports whole seconds."""


def window_activity(listing: Listing) -> dict[str, WindowActivity]:
    """Window activity by pane: the last time of output, and whether the pane is alone in its window."""
    moved = {window.id: float(window.activity) for window in listing.windows if window.activity > 0}
    panes = Counter(pane.window_id for pane in listing.panes)
    return {
        pane.id: WindowActivity(moved=moved.get(pane.window_id), alone=panes[pane.window_id] == 1)
        for pane in listing.panes
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleSign:
    """The meaning of a title sign; `certain` where the program has a different sign for every state."""

    state: AgentState
    certain: bool
    reason: WaitingReason | None = None


_WORKS = TitleSign(state=AgentState.WORKING, certain=False)
_SPINNER = {chr(code): _WORKS for code in range(0x2800, 0x2900)}

TITLE_SIGNS: Mapping[str, Mapping[str, TitleSign]] = {
    # It shows the same sign at its prompt and at a question.
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
"""By program; docs/agents.md says which were seen. The titles of other programs are not used."""


def title_clue(program: str, sign: str, window: WindowActivity, asked: float) -> Clue | None:
    """The clue of a title; None for programs without known signs.

    A title stays when its agent stops, so "working" counts only while the window is active.
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
    """The clue of window activity when its server was `asked` (wall time).

    It cannot tell typing from work, or a question from idle.
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
