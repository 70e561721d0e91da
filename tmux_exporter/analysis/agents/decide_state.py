"""The state of an agent from what all sources say: the clue that decides, and the others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason

_ORDER = {source: key for key, source in enumerate(StateSource)}
_EXACT = (StateSource.PROCESS, StateSource.AGENT_FILE, StateSource.HOOK)
# After these an agent stops and reports itself as idle; only its screen shows the reason.
_STOPS = (WaitingReason.USAGE_LIMIT, WaitingReason.API_ERROR, WaitingReason.AUTH)

_NOTHING = Clue(source=StateSource.NONE, state=AgentState.UNKNOWN, why="no source says anything")


def decide_state(clues: Iterable[Clue]) -> tuple[Clue, tuple[Clue, ...]]:
    """The deciding clue, which always has a state, and all others, strongest first.

    The strongest source that distinguishes all states decides. One that does not (a quiet window may be idle
    or waiting) decides only where no other source does. A used up quota decides where it would be idle, and
    where its screen says that it tries again.
    """
    ordered = sorted(clues, key=lambda clue: _ORDER[clue.source])
    said = [clue for clue in ordered if clue.state is not None]
    best = next((clue for clue in said if clue.certain), said[0] if said else _NOTHING)
    texts = [clue for clue in said if clue.source is StateSource.PANE_TEXT]
    used_up = next((clue for clue in ordered if clue.state is None and _is_limit(clue)), None)
    if best.state is AgentState.IDLE:
        # The titles of most programs are the same at a dialog and at rest.
        untold = _STOPS if best.source in _EXACT else tuple(WaitingReason)
        best = next((each for each in texts if each.reason in untold), best)
        if best.state is AgentState.IDLE and used_up is not None:
            best = replace(used_up, state=AgentState.WAITING)
    elif best.state is AgentState.WAITING:
        best = _with_reason_of(best, texts)
    elif best.state is AgentState.WORKING and used_up is not None and any(map(_is_limit, texts)):
        best = next(filter(_is_limit, texts))
    elif best.source is StateSource.PANE_TITLE:
        # It says so at some dialogs too; the screen is only asked where the window is quiet.
        asks = (each for each in said if each.settled and each.state is AgentState.WAITING)
        best = next(asks, best)
    if _is_limit(best) and best.until is None:
        ends = [each.until for each in ordered if _is_limit(each) and each.until is not None]
        best = replace(best, until=ends[0]) if ends else best
    return best, tuple(clue for clue in ordered if clue.source is not best.source)


def _is_limit(clue: Clue) -> bool:
    return clue.reason is WaitingReason.USAGE_LIMIT


def _with_reason_of(best: Clue, texts: Sequence[Clue]) -> Clue:
    """The clue with the reason on the screen: others call a question a permission, a limit a dialog."""
    if best.source is StateSource.USAGE_FILE:
        return best
    for each in texts:
        if each.state is AgentState.WAITING:
            return replace(best, reason=each.reason, until=each.until)
    return best
