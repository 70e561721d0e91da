"""Process tables and tmux views as short literals.

The table is read at monotonic time 10, a listing is taken at 11. A process starts at the tick of its pid,
leads its own kernel session and has an environment without tmux, unless a test says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, Session, TmuxView, Window, WindowLink

SOCKET = "/tmp/tmux-1000/default"
UID = 1000
NO_TMUX: Mapping[str, str] = {}


def process(
    pid: int,
    ppid: int = 1,
    *,
    start: int | None = None,
    session: int | None = None,
    comm: str = "bash",
    state: str = "S",
    environ: Mapping[str, str] | None = NO_TMUX,
    **more: Any,
) -> Process:
    """One process; `session` is its kernel session, `more` are fields of Process as they are."""
    sid = pid if session is None else session
    fields: dict[str, Any] = {
        "id": ProcessId(pid, pid if start is None else start), "ppid": ppid, "pgid": pid, "session_id": sid,
        "tty": 0, "foreground_pgid": -1, "state": state, "comm": comm, "threads": 1, "uid": UID,
        "cpu_ticks": 0, "children_cpu_ticks": 0, "environ": environ,
    }  # fmt: skip
    return Process(**(fields | more))


def tmux_server(pid: int, **more: Any) -> Process:
    """The process of a tmux server: a daemon with a session of its own."""
    return process(pid, comm="tmux: server", **more)


def tmux_environ(server: int, pane: str | None = None, *, socket: str = SOCKET) -> dict[str, str]:
    """The variables that a tmux server sets for a pane, or for a job (`pane` None)."""
    variables = {"TMUX": f"{socket},{server},0"}
    return variables if pane is None else variables | {"TMUX_PANE": pane}


def table(*processes: Process, taken_at: float = 10.0, complete: bool = True) -> ProcessTable:
    """A reading of these processes; 100 ticks a second, booted at the epoch's second 1,000."""
    return ProcessTable(
        processes={each.id.pid: each for each in processes},
        boot_time=1000.0,
        clock_ticks_per_second=100,
        taken_at=taken_at,
        complete=complete,
    )


def pane(pane_id: str, pid: int | None, *, session: str = "$0", dead: bool = False) -> Pane:
    """A pane that runs `pid`, alone in the window of the same number."""
    number = pane_id[1:]
    return Pane(
        id=pane_id, pid=pid, session_id=session, window_id=f"@{number}", window_index=int(number), index=0,
        active=True, dead=dead, dead_status=None, history_lines=0, history_limit_lines=2000, history_bytes=0,
    )  # fmt: skip


def listing(server: Process, *panes: Pane, taken_at: float = 11.0) -> Listing:
    """A complete answer: these panes, their windows and sessions."""
    sessions = sorted({each.session_id for each in panes})
    return Listing(
        server=server.id,
        version="3.3a",
        sessions=tuple(
            Session(id=each, name=each, created=1000, activity=1000, attached=0, group="")
            for each in sessions
        ),
        windows=tuple(
            Window(id=each.window_id, name="bash", automatic_rename=True, activity=1000) for each in panes
        ),
        links=tuple(
            WindowLink(
                session_id=each.session_id, window_id=each.window_id, index=each.window_index, active=True
            )
            for each in panes
        ),
        panes=panes,
        clients=0,
        taken_at=taken_at,
    )


def answering(server: Process, *panes: Pane, socket: str = SOCKET, taken_at: float = 11.0) -> ServerView:
    """A server that answered with these panes, by default after the table was read."""
    return ServerView(
        label=socket.rpartition("/")[2],
        socket=socket,
        process=server.id,
        up=True,
        ended=False,
        listing=listing(server, *panes, taken_at=taken_at),
    )


def silent(
    server: Process, *held: Pane, socket: str = SOCKET, listed: bool = True, ended: bool = False
) -> ServerView:
    """A server that does not answer: its last listing is held, or no longer (`listed` False)."""
    return ServerView(
        label=socket.rpartition("/")[2],
        socket=socket,
        process=server.id,
        up=False,
        ended=ended,
        listing=listing(server, *held, taken_at=5.0) if listed else None,
    )


def tmux_view(*servers: ServerView) -> TmuxView:
    """These servers and nothing else."""
    return TmuxView(servers=servers)


def pane_key(server: Process, pane_id: str) -> PaneKey:
    """The pane of a server."""
    return PaneKey(server.id, pane_id)
