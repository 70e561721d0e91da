"""Listings and process tables written by hand, as short as the tests that use them."""

from collections.abc import Mapping, Sequence

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, ServerView, Session, TmuxView, Window, WindowLink

TICKS = 100
BOOT = 1_700_000_000.0
SERVER = ProcessId(100, 1_000)


def listing(sessions: Mapping[str, Sequence[str]], *, server: ProcessId = SERVER, **facts: object) -> Listing:
    """Sessions by name with their windows' names; ids count from 0 in that order, each window has one pane.

    A window named `NAME+` has a second pane, and its second pane is the active one. The first window of a
    session is the current one. `facts` replaces whole fields of the Listing.
    """
    windows: list[Window] = []
    links: list[WindowLink] = []
    panes: list[Pane] = []
    for number, names in enumerate(sessions.values()):
        for index, name in enumerate(names):
            window = Window(
                id=f"@{len(windows)}", name=name.removesuffix("+"), automatic_rename=False, activity=0
            )
            windows.append(window)
            links.append(
                WindowLink(session_id=f"${number}", window_id=window.id, index=index, active=index == 0)
            )
            count = 2 if name.endswith("+") else 1
            panes += [
                pane(f"%{len(panes) + at}", f"${number}", window.id, index, at, active=at == count - 1)
                for at in range(count)
            ]
    made = {
        "server": server,
        "version": "3.3a",
        "sessions": tuple(
            Session(id=f"${number}", name=name, created=0, activity=0, attached=0, group="")
            for number, name in enumerate(sessions)
        ),
        "windows": tuple(windows),
        "links": tuple(links),
        "panes": tuple(panes),
        "clients": 0,
        "taken_at": 20.0,
    }
    return Listing(**{**made, **facts})  # type: ignore[arg-type]


def pane(
    pane_id: str,
    session_id: str,
    window_id: str,
    window_index: int,
    index: int,
    *,
    active: bool = True,
    pid: int | None = None,
    agent: str = "",
    role: str = "",
) -> Pane:
    return Pane(
        id=pane_id, pid=pid, session_id=session_id, window_id=window_id, window_index=window_index,
        index=index, active=active, dead=False, dead_status=None, history_lines=0, history_limit_lines=2000,
        history_bytes=0, agent_option=agent, role_option=role,
    )  # fmt: skip


def server_view(
    of: Listing, *, socket: str = "/tmp/tmux-1000/default", up: bool = True, ended: bool = False
) -> ServerView:
    return ServerView(
        label="default", socket=socket, process=of.server, up=up, ended=ended, listing=None if ended else of
    )


def tmux_view(*servers: ServerView) -> TmuxView:
    return TmuxView(servers=servers)


def process(
    pid: int,
    ppid: int,
    argv: Sequence[str] | None,
    *,
    exe: str | None = "",
    start: int = 2_000,
    environ: Mapping[str, str] | None = None,
    state: str = "S",
    comm: str = "",
) -> Process:
    """One process of uid 1000; `exe` is argv[0] below /usr/bin unless said, `environ` empty."""
    name = argv[0].rsplit("/", 1)[-1] if argv else "x"
    return Process(
        id=ProcessId(pid, start), ppid=ppid, pgid=pid, session_id=pid, tty=0, foreground_pgid=-1, state=state,
        comm=comm or name[:15], threads=1, uid=1000, cpu_ticks=0, children_cpu_ticks=0,
        argv=None if argv is None else tuple(argv), exe=f"/usr/bin/{name}" if exe == "" else exe,
        environ={} if environ is None else environ,
    )  # fmt: skip


def table(*processes: Process, taken_at: float = 10.0, complete: bool = True) -> ProcessTable:
    return ProcessTable(
        processes={each.id.pid: each for each in processes},
        boot_time=BOOT,
        clock_ticks_per_second=TICKS,
        taken_at=taken_at,
        complete=complete,
    )
