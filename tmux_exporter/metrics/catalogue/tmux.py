"""Declared families of tmux itself: servers, sessions, panes."""

from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.catalogue.family import Kind, Spec
from tmux_exporter.metrics.catalogue.usage import MEMORY_SOURCE_HELP, usage_specs

SERVER = ("server",)
SESSION = ("server", "session")
PANE = ("server", "session", "window", "pane")

SERVERS = (
    Spec(
        name="tmux_up",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="1 when the tmux server answers; 0 when somebody listens but does not answer, or when it "
        "ended within the last 15 minutes. While it is 0 the last complete listing is held for "
        "tmux.hold, then its series end.",
    ),
    Spec(
        name="tmux_server_info",
        kind=Kind.INFO,
        labels=("server", "version", "socket"),
        subject="server",
        help="What the tmux server says it is, and the path of its socket.",
    ),
    Spec(
        name="tmux_server_sessions",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Sessions of the tmux server; in a session group each member counts.",
    ),
    Spec(
        name="tmux_server_windows",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Windows of the tmux server; one that is linked into several sessions counts once.",
    ),
    Spec(
        name="tmux_server_panes",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Panes of the tmux server, dead ones included; one in a linked window counts once.",
    ),
    Spec(
        name="tmux_server_clients",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Clients attached to the tmux server; the exporter's own questions are not counted.",
    ),
    Spec(
        name="tmux_server_history_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=SERVER,
        subject="server",
        help="Memory that the scroll-back of all panes takes in the tmux server. After clear-history tmux "
        "keeps the memory: resident memory does not fall with it.",
    ),
    Spec(
        name="tmux_server_start_time_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=SERVER,
        subject="server",
        help="Start of the tmux server's process, in seconds since the epoch.",
    ),
    Spec(
        name="tmux_server_resident_memory_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=SERVER,
        subject="server",
        help="Resident memory of the tmux server's own process; its panes are not counted.",
    ),
    Spec(
        name="tmux_server_cpu_seconds_total",
        kind=Kind.COUNTER,
        unit="seconds",
        labels=SERVER,
        subject="server",
        help="CPU time of the tmux server's own process since the exporter saw it first; children that it "
        "waited for are not counted, so a pane that ended is not counted here.",
    ),
    Spec(
        name="tmux_server_open_fds",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Open file descriptors of the tmux server's own process.",
    ),
    Spec(
        name="tmux_server_max_fds",
        kind=Kind.GAUGE,
        labels=SERVER,
        subject="server",
        help="Soft limit on the open file descriptors of the tmux server's own process.",
    ),
    Spec(
        name="tmux_server_query_duration_seconds",
        kind=Kind.HISTOGRAM,
        unit="seconds",
        labels=SERVER,
        subject="server",
        help="How long the exporter's questions to the tmux server took, failed ones included. A server "
        "that hangs or is slow is asked less often.",
    ),
    Spec(
        name="tmux_server_query_failures_total",
        kind=Kind.COUNTER,
        labels=("server", "reason"),
        closed={"reason": tuple(QueryFailure)},
        subject="server",
        help="Questions to the tmux server that gave no usable answer, by reason.",
    ),
    Spec(
        name="tmux_stale_sockets",
        kind=Kind.GAUGE,
        subject="server",
        help="Socket files in the tmux folders on which nobody listens; they have no tmux_up.",
    ),
)

SESSIONS = (
    Spec(
        name="tmux_session_info",
        kind=Kind.INFO,
        labels=("server", "session", "group", "memory_source"),
        subject="session",
        help="A session that exists, and its session group (empty outside of a group). "
        + MEMORY_SOURCE_HELP.format(group="session"),
    ),
    Spec(
        name="tmux_session_created_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=SESSION,
        subject="session",
        help="When the session was made, in seconds since the epoch.",
    ),
    Spec(
        name="tmux_session_last_activity_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        labels=SESSION,
        subject="session",
        help="When tmux last saw activity of a client in the session, in seconds since the epoch.",
    ),
    Spec(
        name="tmux_session_attached_clients",
        kind=Kind.GAUGE,
        labels=SESSION,
        subject="session",
        help="Clients that show this session now; those of other sessions in its group are not counted.",
    ),
    Spec(
        name="tmux_session_history_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=SESSION,
        subject="session",
        help="Memory that the scroll-back of the session's panes takes in the tmux server; not part of "
        "tmux_session_memory_bytes.",
    ),
    *usage_specs("session", SESSION),
)

PANES = (
    Spec(
        name="tmux_pane_info",
        kind=Kind.INFO,
        labels=(*PANE, "memory_source"),
        subject="pane",
        help="A pane that exists, in the oldest session that holds it: a linked pane is never there twice. "
        + MEMORY_SOURCE_HELP.format(group="pane"),
    ),
    Spec(
        name="tmux_pane_dead",
        kind=Kind.GAUGE,
        labels=PANE,
        subject="pane",
        help="1 when the pane's program has ended and tmux keeps the pane (remain-on-exit), else 0.",
    ),
    Spec(
        name="tmux_pane_history_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        labels=PANE,
        subject="pane",
        help="Memory that the pane's scroll-back takes in the tmux server; not part of "
        "tmux_pane_memory_bytes.",
    ),
    Spec(
        name="tmux_pane_history_lines",
        kind=Kind.GAUGE,
        unit="lines",
        labels=PANE,
        subject="pane",
        help="Lines in the pane's scroll-back.",
    ),
    Spec(
        name="tmux_pane_history_limit_lines",
        kind=Kind.GAUGE,
        unit="lines",
        labels=PANE,
        subject="pane",
        help="Lines that the pane's scroll-back can hold.",
    ),
    *usage_specs("pane", PANE),
)
