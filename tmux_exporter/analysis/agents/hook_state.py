"""Agent state from hooks, checked against window activity.

Hooks report at once what begins, but not everything that ends: an interrupted agent (Esc) calls no hook. So a
hook's state is compared with the activity of the window.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tmux_exporter.facts.agents import Agent, AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId

QUIET_SECONDS = 10.0
"""A working agent draws about once a second."""

TRUSTED_SECONDS = 60.0
"""An agent without a screen draws nothing, but its tools call hooks."""

DRAWN_SECONDS = 3.0
"""After its hook an agent draws its question; later activity means something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestHook:
    """The last hook call of one agent: its wall time, and since when the state holds."""

    at: float
    since: float
    state: AgentState | None
    reason: WaitingReason | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowActivity:
    """Window activity of an agent: the last time of output, and whether the pane is alone in its window."""

    moved: float | None
    alone: bool


def agents_of_callers(agents: Iterable[Agent]) -> Mapping[ProcessId, ProcessId | None]:
    """Maps each process to the root of the agent that its hooks report for; None for tools of an agent."""
    agent_of: dict[ProcessId, ProcessId | None] = {}
    for agent in agents:
        for member in agent.members:
            agent_of[member] = None
        for program in agent.programs:
            agent_of[program] = agent.process
    return agent_of


def reporting_agent(
    ancestors: Sequence[ProcessId], agent_of: Mapping[ProcessId, ProcessId | None]
) -> ProcessId | None:
    """The agent that a hook with these ancestors reports for: the nearest, subagents excluded."""
    return next((agent_of[each] for each in ancestors if each in agent_of), None)


def hook_clue(latest: LatestHook | None, problem: str, window: WindowActivity, now: float) -> Clue:
    """The clue; without a state where no hook was called, or where its state is no longer trustworthy."""
    if latest is None:
        return _no_state(problem or "no hook has called")
    if latest.state is None:
        return _no_state(latest.problem)
    if latest.state is AgentState.WORKING and _is_stale(latest, window, now):
        return _no_state("its hooks said working, but its window is quiet: it may have been interrupted")
    if latest.state is AgentState.WAITING and _has_newer_activity(latest, window):
        return _no_state("its hooks said waiting, but its window has moved since: it may have its answer")
    reason = f" ({latest.reason})" if latest.reason else ""
    return Clue(
        source=StateSource.HOOK,
        state=latest.state,
        reason=latest.reason,
        since=latest.since,
        why=f"its hooks said {latest.state}{reason}",
    )


def _is_stale(latest: LatestHook, window: WindowActivity, now: float) -> bool:
    quiet = window.moved is not None and now - window.moved > QUIET_SECONDS
    return quiet and now - latest.at > TRUSTED_SECONDS


def _has_newer_activity(latest: LatestHook, window: WindowActivity) -> bool:
    # tmux reports whole seconds.
    return window.alone and window.moved is not None and window.moved - latest.at > DRAWN_SECONDS + 1.0


@lru_cache(maxsize=64)
def _no_state(why: str) -> Clue:
    return Clue(source=StateSource.HOOK, why=why)
