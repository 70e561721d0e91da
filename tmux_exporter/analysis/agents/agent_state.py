"""Which of several clues decides the state of an agent; pure.

The strongest source that tells all states apart decides. One that cannot (a quiet window is idle, or waits)
decides only where no other does.
"""

from collections.abc import Iterable

from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason

_ORDER = {source: place for place, source in enumerate(StateSource)}
# What an agent stops at: it takes itself for idle then, and only its screen says more.
_STOPS = (WaitingReason.USAGE_LIMIT, WaitingReason.API_ERROR, WaitingReason.AUTH)

_NOTHING = Clue(source=StateSource.NONE, state=AgentState.UNKNOWN, why="no source says anything")


def judge(clues: Iterable[Clue]) -> tuple[Clue, tuple[Clue, ...]]:
    """The clue that decides, which always has a state, and all others, the strongest first."""
    ordered = sorted(clues, key=lambda clue: _ORDER[clue.source])
    said = [clue for clue in ordered if clue.state is not None]
    best = next((clue for clue in said if clue.certain), said[0] if said else _NOTHING)
    if best.state is AgentState.IDLE:
        stop = (each for each in said if each.source is StateSource.PANE_TEXT and each.reason in _STOPS)
        best = next(stop, best)
    return best, tuple(clue for clue in ordered if clue is not best)
