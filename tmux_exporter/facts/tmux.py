"""Facts about tmux: servers, sessions, windows, panes, and what a query was worth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.process import Problem, ProcessId


class QueryFailure(StrEnum):
    """Why a tmux server's answer is not to be used (closed list, a label)."""

    HUNG = "hung"
    NOSERVER = "noserver"
    DENIED = "denied"
    PROTOCOL = "protocol"
    PARTIAL = "partial"
    MALFORMED = "malformed"
    UNTRUSTED = "untrusted"


class PaneKey(NamedTuple):
    """A pane for as long as its server lives: pane ids start again at %0 with a new server."""

    server: ProcessId
    pane: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One pane, once, however many sessions its window is linked into.

    `session_id` and `window_index` are those of the oldest session that holds it (its owner). `pid` is None
    for an empty pane and for a dead one: tmux keeps printing the old pid, which may be a stranger's by now.
    A dead pane has the exit status or the signal (DEAD_SIGNAL) of its process; neither where it only closed
    its terminal. `protected` is the option `@protect` of it, its window, session or server. `title_sign` is
    the sign with which its title begins, where that is no letter, no digit and no ASCII, and `!` for `[ !
    ]`; nothing else of a title is kept.
    """

    id: str
    pid: int | None
    session_id: str
    window_id: str
    window_index: int
    index: int
    active: bool
    dead: bool
    dead_status: int | None
    history_lines: int
    history_limit_lines: int
    history_bytes: int
    dead_signal: int | None = None
    agent_option: str = ""
    role_option: str = ""
    protected: bool = False
    title_sign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window; `automatic_rename` tells whether its name is only the running command's."""

    id: str
    name: str
    automatic_rename: bool
    activity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLink:
    """A window's place in one session: tmux resolves targets through these."""

    session_id: str
    window_id: str
    index: int
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session; times are seconds since the epoch, `group` is empty outside a group."""

    id: str
    name: str
    created: int
    activity: int
    attached: int
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One complete answer of one tmux server; `taken_at` is the monotonic time the question was sent."""

    server: ProcessId
    version: str
    sessions: tuple[Session, ...]
    windows: tuple[Window, ...]
    links: tuple[WindowLink, ...]
    panes: tuple[Pane, ...]
    clients: int
    taken_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question put to a tmux server: how long it took and, where it failed, why."""

    seconds: float
    failure: QueryFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """What is known of one tmux server in one sample.

    `listing` is the last complete answer: fresh when `up`, held for at most `tmux.hold` while the server does
    not answer, then None. `process` is the server's identity where a peer check or its listing gave it, and
    stays known while a server hangs. `ended` means the server is known to be gone (its socket refused the
    connection and its process no longer exists); everything else that is not `up` is unknown.
    `queries` are this sample's questions, none where the server was backed off or its listing is still fresh.
    """

    label: str
    socket: str
    process: ProcessId | None
    up: bool
    ended: bool
    listing: Listing | None
    problem: Problem | None = None
    queries: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TmuxView:
    """All tmux servers of this uid in one sample; `stale_sockets` are files that nobody listens on.

    `places` are folders and sockets that processes name in their environments, as written there, with their
    canonical paths: those at which nobody but the `servers` can listen. `taken_at` is the monotonic time at
    which the servers began to be looked for. A socket in one of `folders` has its name as label, any other
    its path.
    """

    servers: tuple[ServerView, ...]
    stale_sockets: int = 0
    problems: tuple[Problem, ...] = ()
    canonical_paths: Mapping[str, str] = field(default_factory=dict)
    taken_at: float | None = None
    folders: tuple[str, ...] = ()
