"""What is known of an agent beyond its processes: its closed lists, and the frozen facts of its state.

Sources tell what they saw as a `Clue`, the analysis makes one `TrackedAgent` of each agent out of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A coding agent found in a pane: `process` is its root, `members` its whole tree, the root included.

    `programs` are those of them that are the program itself, the root first: launchers, relaunches, but none
    that its own tools have started. `number` tells agents of one program in one pane apart.
    """

    name: str
    pane: PaneKey
    process: ProcessId
    program: str
    version: str
    role: str
    reason: str
    members: frozenset[ProcessId]
    programs: tuple[ProcessId, ...] = ()
    number: int = 0


class AgentState(StrEnum):
    """What an agent does (closed list, a label)."""

    WORKING = "working"
    IDLE = "idle"
    WAITING = "waiting"
    EXITED = "exited"
    UNKNOWN = "unknown"


class WaitingReason(StrEnum):
    """What an agent waits for (closed list, a label)."""

    PERMISSION = "permission"
    QUESTION = "question"
    DIALOG = "dialog"
    USAGE_LIMIT = "usage_limit"
    API_ERROR = "api_error"
    AUTH = "auth"
    OTHER = "other"


class StateSource(StrEnum):
    """Who told the state of an agent (closed list), strongest first."""

    PROCESS = "process"
    AGENT_FILE = "agent_file"
    HOOK = "hook"
    PANE_TITLE = "pane_title"
    PANE_TEXT = "pane_text"
    WINDOW_ACTIVITY = "window_activity"
    NONE = "none"


class AgentKey(NamedTuple):
    """Where an agent lives, however often it is started again.

    The number tells those of one program in one pane apart.
    """

    pane: PaneKey
    program: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What one source says of one agent.

    `state` is None where it says nothing that is to be believed: `why` then says why not. `since` is the wall
    time from which on that holds, None where the source does not know. A clue is `certain` where its source
    tells all states apart; one that is not gives way to every certain one, and is believed only when two
    looks in a row say the same. `why` is in our own words and never holds foreign text.
    """

    source: StateSource
    why: str
    state: AgentState | None = None
    reason: WaitingReason | None = None
    since: float | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """The state of an agent: since when (wall time), for what it waits, who said so and in which words.

    `passed` are the clues that did not decide: of stronger sources those that said nothing to be believed, of
    weaker ones what they would have said.
    """

    state: AgentState
    since: float
    source: StateSource
    why: str
    reason: WaitingReason | None = None
    passed: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedAgent:
    """An agent that runs, that ran in a pane which is still there, or that somebody declared.

    `server` and `session` are labels. `agent` is None where its process was not seen in this look; `up` stays
    true for the first such look. `place` is None where it was never seen, `pane` where none is known.
    `restarted` says that this look found another process than the one before, `recovered_seconds` how long
    the place was then without one, at most.
    """

    server: str
    session: str
    name: str
    up: bool
    status: AgentStatus
    pane: PaneKey | None = None
    program: str = ""
    version: str = ""
    role: str = ""
    key: AgentKey | None = None
    agent: Agent | None = None
    restarted: bool = False
    recovered_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAgent:
    """What must survive the exporter of the life in one place; never a counter.

    `process` is the last that ran, `seen` the wall time at which it was last there; `up` is False once it was
    proven to have ended.
    """

    key: AgentKey
    name: str
    version: str
    role: str
    process: ProcessId
    up: bool
    seen: float
    state: AgentState
    reason: WaitingReason | None
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedName:
    """A name that was given: `wanted` is what was asked for, in the session where it has to be unique."""

    key: AgentKey
    name: str
    wanted: str
    session_id: str
    holder: ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAgents:
    """All that must survive the exporter of agents. `absent` tells since when expected ones are missing."""

    tracked_agents: tuple[SavedAgent, ...] = ()
    names: tuple[SavedName, ...] = ()
    absent: tuple[tuple[str, str, str, float], ...] = ()
