"""Facts about tmux: servers, sessions, windows, panes, and results of queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.process import Problem, ProcessId

SERVER_COMM = "tmux: server"
CLIENT_COMM = "tmux: client"
"""How tmux names its processes."""


class QueryFailure(StrEnum):
    """Why a tmux query failed (closed list, a label)."""

    HUNG = "hung"
    NOSERVER = "noserver"
    DENIED = "denied"
    PROTOCOL = "protocol"
    PARTIAL = "partial"
    MALFORMED = "malformed"
    UNTRUSTED = "untrusted"


class PaneKey(NamedTuple):
    """Identity of a pane: its server process and pane id, because a new server starts again at %0."""

    server: ProcessId
    pane: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One pane, once, however many sessions its window is linked into.

    `session_id` and `window_index` are those of the oldest session with its window (the owner). `pid` is None
    for an empty pane and for a dead one: tmux keeps printing the old pid, which may have been reused. A dead
    pane has the exit status or the signal (DEAD_SIGNAL) of its process; neither where the process only closed
    its terminal. `protected` is the option `@protect` of the pane, its window, session or server.
    `title_sign` is the first character of the title, where that is no letter, no digit and no ASCII, and `!`
    for `[ ! ]`; nothing else of a title is kept.
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
    """A window; with `automatic_rename` its name is that of the running command."""

    id: str
    name: str
    automatic_rename: bool
    activity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLink:
    """A window in one session, with its index there: tmux resolves targets through these links."""

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
    """One complete answer of one tmux server; `taken_at` is the monotonic time when the query was sent."""

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
    """One query to a tmux server: its latency and, where it failed, the reason."""

    seconds: float
    failure: QueryFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """One tmux server in one sample.

    `listing` is the last complete answer: fresh when `up`, held for at most `tmux.hold` while the server does
    not answer, then None. `process` is the server's identity from a peer check or its listing; it stays known
    while a server hangs. `ended`: the server is gone (its socket refused the connection and its process does
    not exist); a server that is neither `up` nor `ended` is unknown. `queries` are those of this sample; none
    where the server is in backoff or its listing is still fresh.
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
    """All tmux servers of this uid in one sample; `stale_sockets` counts sockets without a listener.

    `canonical_paths` maps folders and sockets, as written in environments of processes, to canonical paths
    where only the `servers` can listen. `taken_at` is the monotonic time at which the search for servers
    began. The label of a socket in one of `folders` is its name, that of any other socket its path.
    """

    servers: tuple[ServerView, ...]
    stale_sockets: int = 0
    problems: tuple[Problem, ...] = ()
    canonical_paths: Mapping[str, str] = field(default_factory=dict)
    taken_at: float | None = None
    folders: tuple[str, ...] = ()
