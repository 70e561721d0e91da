"""Facts about coding agents: state, waiting reason, clues of sources, and what is saved between runs.

Each source reports a `Clue`; the analysis combines the clues of an agent into one `TrackedAgent`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class HelperKind(StrEnum):
    """What an agent has started (closed list, a label)."""

    MCP_SERVER = "mcp_server"
    LANGUAGE_SERVER = "language_server"
    BROWSER = "browser"
    SHELL = "shell"
    SUBAGENT = "subagent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """One thing that an agent has started: a process of one kind, which is first, and what belongs to it."""

    kind: HelperKind
    members: tuple[ProcessId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A coding agent found in a pane: `process` is its root, `members` its whole tree, root included.

    `programs` are the members that run the program itself, root first: launchers and relaunches, but no
    process that its tools have started. `helpers` are what else it has started, as far as it is of a
    known kind. `number` distinguishes agents of one program in one pane.
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
    helpers: tuple[Helper, ...] = ()
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
    TRUST = "trust"
    QUESTION = "question"
    DIALOG = "dialog"
    USAGE_LIMIT = "usage_limit"
    API_ERROR = "api_error"
    AUTH = "auth"
    OTHER = "other"


class StateSource(StrEnum):
    """The source of an agent's state (closed list), strongest first."""

    PROCESS = "process"
    USAGE_FILE = "usage_file"
    AGENT_FILE = "agent_file"
    HOOK = "hook"
    PANE_TITLE = "pane_title"
    PANE_TEXT = "pane_text"
    WINDOW_ACTIVITY = "window_activity"
    NONE = "none"


class AgentKey(NamedTuple):
    """Identity of an agent across restarts: its pane, its program, and a number within both."""

    pane: PaneKey
    program: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What one source says about one agent.

    `state` is None where the source gives no trustworthy state; `why` says why not. `since` is the wall time
    of the state, None where the source does not know. A clue is `certain` where its source distinguishes all
    states; any certain clue overrides an uncertain one, and an uncertain one needs two samples in a row. One
    with a reason and without a state says what it waits for if it does nothing.
    `settled`: one reading is enough, although the source is a screen. `until` is the wall time at which a
    usage limit ends, where it is known. `why` is our own text and never contains foreign text.
    """

    source: StateSource
    why: str
    state: AgentState | None = None
    reason: WaitingReason | None = None
    since: float | None = None
    certain: bool = True
    settled: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """The state of an agent: since when (wall time), what it waits for, and which source says so.

    `until` is the wall time at which a usage limit ends, None where it is not known.
    `passed` are the clues that did not decide: stronger ones without a trustworthy state, and weaker ones.
    """

    state: AgentState
    since: float
    source: StateSource
    why: str
    reason: WaitingReason | None = None
    until: float | None = None
    passed: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedAgent:
    """An agent that runs, that ran in a pane that still exists, or that was declared.

    `server` and `session` are labels. `agent` is None where this sample has not seen its process; `up` stays
    true for the first such sample. `key` is None where the agent was never seen, `pane` where none is known.
    `restarted`: this sample found another process than the last one. `recovered_seconds` is the longest time
    that the agent can then have been down. `declared`: somebody expects it, by configuration or `@agent`.
    `crashed`: its dead pane shows that it failed; `had_crashed`: so it was when it recovered.
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
    declared: bool = False
    crashed: bool = False
    had_crashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAgent:
    """What the state file keeps of one agent; never a counter.

    `process` is the last one that ran, `seen` the wall time at which it was last seen; `up` is False once it
    is proven to have ended. `from_screen`: its state was read on its screen.
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
    from_screen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedName:
    """A name given to an agent: `wanted` is the requested name; names are unique in a session."""

    key: AgentKey
    name: str
    wanted: str
    session_id: str
    holder: ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTie:
    """A living process that only earlier samples, or its lineage, tie to a pane."""

    process: ProcessId
    pane: PaneKey
    by_lineage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAgents:
    """What the state file keeps: all agents, and ties of processes that nothing else proves.

    `absent` says since when declared agents are missing. `left` has the server and session labels of panes
    that left processes behind, or have some that only earlier samples or lineage tie to them.
    """

    tracked_agents: tuple[SavedAgent, ...] = ()
    names: tuple[SavedName, ...] = ()
    absent: tuple[tuple[str, str, str, float], ...] = ()
    ties: tuple[SavedTie, ...] = ()
    left: tuple[tuple[PaneKey, SessionKey], ...] = ()
