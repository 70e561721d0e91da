"""Staged moments: what is done to a program, by which words it is seen, and what is then right."""

from dataclasses import dataclass

from tests.support.real_agents.stub import Play
from tmux_exporter.facts.agents import AgentState, WaitingReason

Keys = tuple[str, ...]
Reasons = tuple[WaitingReason, ...]

START: Keys = ("start",)
RESUME: Keys = ("resume",)
CRASH: Keys = ("crash",)
LEAVE: Keys = ("leave",)

PERMISSION, TRUST = (WaitingReason.PERMISSION,), (WaitingReason.TRUST,)
QUESTION, DIALOG = (WaitingReason.QUESTION,), (WaitingReason.DIALOG,)
USAGE_LIMIT, API_ERROR, AUTH = (WaitingReason.USAGE_LIMIT,), (WaitingReason.API_ERROR,), (WaitingReason.AUTH,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One moment: it is there once its screen `shows` all these words and none of `gone`.

    `reasons` are those that are right, `until` says that the end of a usage limit has to be told.
    """

    name: str
    keys: Keys
    state: AgentState
    shows: tuple[str, ...]
    gone: tuple[str, ...] = ()
    reasons: Reasons = ()
    until: bool = False


def say(play: Play) -> Keys:
    """A prompt that the stub answers so."""
    return ("say", f"please {play} now")


def press(*keys: str) -> Keys:
    """Keys of tmux."""
    return ("press", *keys)


def waiting(name: str, keys: Keys, reasons: Reasons, *shows: str, until: bool = False) -> Step:
    """It needs a person."""
    return Step(name=name, keys=keys, state=AgentState.WAITING, shows=shows, reasons=reasons, until=until)


def working(name: str, keys: Keys, *shows: str) -> Step:
    """It works."""
    return Step(name=name, keys=keys, state=AgentState.WORKING, shows=shows)


def idle(name: str, keys: Keys, *shows: str, gone: tuple[str, ...] = ()) -> Step:
    """It is at its prompt."""
    return Step(name=name, keys=keys, state=AgentState.IDLE, shows=shows, gone=gone)


def exited(name: str, keys: Keys, *shows: str) -> Step:
    """Its pane is back at the shell."""
    return Step(name=name, keys=keys, state=AgentState.EXITED, shows=shows)
