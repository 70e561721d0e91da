"""Declared families of tmux itself: servers, sessions, panes."""

from functools import partial

from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.catalogue.family import Spec
from tmux_exporter.metrics.catalogue.usage import INFO_HELP, INFO_LABELS, PANE_DETAIL, usage_specs

SERVER = ("server",)
SESSION = ("server", "session")
PANE = ("server", "session", "window", "pane")

_server = partial(Spec, subject="server", labels=SERVER)
_session = partial(Spec, subject="session", labels=SESSION)
_pane = partial(Spec, subject="pane", labels=PANE)


def _account(name: str, help_text: str, labels: tuple[str, ...] = PANE) -> Spec:
    """What the kernel counts of the cgroups of a pane."""
    return _pane(
        name,
        help_text,
        labels=labels,
        option=PANE_DETAIL,
        figure=f"account.{name.removeprefix('tmux_pane_')}",
    )


SERVERS = (
    _server(
        "tmux_up",
        "1 when the tmux server answers; 0 when somebody listens but does not answer, or when it "
        "ended within the last 15 minutes. While it is 0 the last complete listing is held for "
        "tmux.hold, then its series end.",
        figure="up",
    ),
    _server(
        "tmux_server_info",
        "What the tmux server says it is, and the path of its socket.",
        labels=("server", "version", "socket"),
    ),
    _server("tmux_server_sessions", "Sessions of the tmux server; in a session group each member counts."),
    _server(
        "tmux_server_windows",
        "Windows of the tmux server; one that is linked into several sessions counts once.",
    ),
    _server(
        "tmux_server_panes",
        "Panes of the tmux server, dead ones included; one in a linked window counts once.",
    ),
    _server(
        "tmux_server_clients",
        "Clients attached to the tmux server; the exporter's own questions are not counted.",
    ),
    _server(
        "tmux_server_history_bytes",
        "Memory that the scroll-back of all panes takes in the tmux server. After clear-history tmux "
        "keeps the memory: resident memory does not fall with it.",
    ),
    _server(
        "tmux_server_start_time_seconds", "Start of the tmux server's process, in seconds since the epoch."
    ),
    _server(
        "tmux_server_resident_memory_bytes",
        "Resident memory of the tmux server's own process; its panes are not counted.",
    ),
    _server(
        "tmux_server_cpu_seconds_total",
        "CPU time of the tmux server's own process since the exporter saw it first; children that it "
        "waited for are not counted, so a pane that ended is not counted here.",
    ),
    _server("tmux_server_open_fds", "Open file descriptors of the tmux server's own process."),
    _server(
        "tmux_server_max_fds", "Soft limit on the open file descriptors of the tmux server's own process."
    ),
    _server(
        "tmux_server_query_duration_seconds",
        "How long the exporter's questions to the tmux server took, failed ones included. A server "
        "that hangs or is slow is asked less often.",
        histogram=True,
        figure="query_duration",
    ),
    _server(
        "tmux_server_query_failures_total",
        "Questions to the tmux server that gave no usable answer, by reason.",
        labels=("server", "reason"),
        closed={"reason": tuple(QueryFailure)},
        figure="query_failures",
    ),
    _server(
        "tmux_stale_sockets",
        "Socket files in the tmux folders on which no process listens; they have no tmux_up.",
        labels=(),
    ),
)

SESSIONS = (
    _session(
        "tmux_session_info",
        "A session that exists, and its session group (empty outside of a group). "
        + INFO_HELP.format(group="session"),
        labels=("server", "session", "group", *INFO_LABELS),
    ),
    _session(
        "tmux_session_created_timestamp_seconds", "When the session was made, in seconds since the epoch."
    ),
    _session(
        "tmux_session_last_activity_timestamp_seconds",
        "When tmux last saw activity of a client in the session, in seconds since the epoch.",
    ),
    _session(
        "tmux_session_attached_clients",
        "Clients that show this session now; those of other sessions in its group are not counted.",
    ),
    _session(
        "tmux_session_history_bytes",
        "Memory that the scroll-back of the session's panes takes in the tmux server; not part of "
        "tmux_session_memory_bytes.",
    ),
    *usage_specs("session", SESSION),
    _session(
        "tmux_session_unwatched_cpu_seconds_total",
        "About how much CPU time orphans of the session (double forks, jobs of a shell that ended) used that "
        "tmux_session_cpu_seconds_total lacks: what init got of orphans, divided by those that samples saw "
        "(with processes.lineage: by how long nobody asked them). No series before an orphan was seen; it "
        "stands still where cpu_source is cgroup.",
    ),
)

PANES = (
    _pane(
        "tmux_pane_info",
        "A pane that exists, in the oldest session that holds it: a linked pane is never there twice. "
        + INFO_HELP.format(group="pane"),
        labels=(*PANE, *INFO_LABELS),
    ),
    _pane(
        "tmux_pane_dead",
        "1 when the pane's program has ended and tmux keeps the pane (remain-on-exit), else 0.",
    ),
    _pane(
        "tmux_pane_history_bytes",
        "Memory that the pane's scroll-back takes in the tmux server; not part of tmux_pane_memory_bytes.",
    ),
    _pane("tmux_pane_history_lines", "Lines in the pane's scroll-back."),
    _pane("tmux_pane_history_limit_lines", "Lines that the pane's scroll-back can hold."),
    *usage_specs("pane", PANE),
    _account(
        "tmux_pane_pids",
        "Processes and threads in the cgroup that the pane has to itself; of several, in the one that is "
        "nearest to its limit.",
    ),
    _account("tmux_pane_pids_limit", "Processes and threads that can be in that cgroup (pids.max)."),
    _account(
        "tmux_pane_pressure_seconds_total",
        "Time in which tasks in the cgroups that the pane has to itself waited for the resource (PSI), since "
        "the exporter saw the pane first. Kind some: at least one task waited; full: all did at once.",
        labels=(*PANE, "resource", "kind"),
    ),
    *(
        _account(
            f"tmux_pane_disk_{name}_total",
            f"{what} by what is in the cgroups that the pane has to itself, where an I/O controller counts "
            "them; on whole disks, nothing that is made of other disks, of files or of memory.",
        )
        for name, what in (
            ("read_bytes", "Bytes read from disks"),
            ("written_bytes", "Bytes written to disks, when they reach them,"),
            ("reads", "Reads of disks"),
            ("writes", "Writes to disks"),
        )
    ),
)
