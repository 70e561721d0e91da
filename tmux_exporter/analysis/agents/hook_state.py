"""What the words of hooks are worth; pure.

Hooks tell of what begins, at once, and not of all that ends: an agent that is interrupted (Esc), at work or
at a question, calls none. So their word is held against what the window does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tmux_exporter.facts.agents import Agent, AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId

QUIET_SECONDS = 10.0
"""An agent at work draws about once a second."""

TRUSTED_SECONDS = 60.0
"""One without a screen draws nothing; but it uses tools, which call hooks."""

DRAWN_SECONDS = 3.0
"""After its hook an agent draws its question; what comes later is another thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestHook:
    """What hooks said last of one agent: at which wall time, and since when it holds."""

    at: float
    since: float
    state: AgentState | None
    reason: WaitingReason | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowActivity:
    """What is known of an agent's window: when something was last written in it, and whether by it alone."""

    moved: float | None
    alone: bool


def agents_of_callers(agents: Iterable[Agent]) -> Mapping[ProcessId, ProcessId | None]:
    """By process: the root of the agent that it speaks for; None for those that are an agent's tools."""
    spoken: dict[ProcessId, ProcessId | None] = {}
    for agent in agents:
        for member in agent.members:
            spoken[member] = None
        for program in agent.programs:
            spoken[program] = agent.process
    return spoken


def reporting_agent(
    ancestors: Sequence[ProcessId], spoken: Mapping[ProcessId, ProcessId | None]
) -> ProcessId | None:
    """The agent for which a hook with these ancestors spoke: the nearest; a subagent's word is not its."""
    return next((spoken[each] for each in ancestors if each in spoken), None)


def hook_clue(said: LatestHook | None, problem: str, window: WindowActivity, now: float) -> Clue:
    """The clue; without a state where nothing was said, or where it is not to be believed any more."""
    if said is None:
        return _silent(problem or "no hook has called")
    if said.state is None:
        return _silent(said.problem)
    if said.state is AgentState.WORKING and _is_stale(said, window, now):
        return _silent("its hooks said working, but its window is quiet: it may have been interrupted")
    if said.state is AgentState.WAITING and _has_moved_on(said, window):
        return _silent("its hooks said waiting, but its window has moved since: it may have its answer")
    reason = f" ({said.reason})" if said.reason else ""
    return Clue(
        source=StateSource.HOOK,
        state=said.state,
        reason=said.reason,
        since=said.since,
        why=f"its hooks said {said.state}{reason}",
    )


def _is_stale(said: LatestHook, window: WindowActivity, now: float) -> bool:
    quiet = window.moved is not None and now - window.moved > QUIET_SECONDS
    return quiet and now - said.at > TRUSTED_SECONDS


def _has_moved_on(said: LatestHook, window: WindowActivity) -> bool:
    # tmux tells whole seconds.
    return window.alone and window.moved is not None and window.moved - said.at > DRAWN_SECONDS + 1.0


@lru_cache(maxsize=64)
def _silent(why: str) -> Clue:
    return Clue(source=StateSource.HOOK, why=why)
