"""Source of all tmux servers of one uid: find them, query them at once, keep their state between samples."""

import time
from collections.abc import Callable, Mapping, Sequence

from tmux_exporter.base.clock import Clock
from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.label import Label
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.tmux import QueryFailure, TmuxView
from tmux_exporter.sources.processes.parse import parse_stat
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.listeners import Listener, ListenerFinder
from tmux_exporter.sources.tmux.pane_pids import PaneChecks
from tmux_exporter.sources.tmux.parse_listing import ListingError, parse
from tmux_exporter.sources.tmux.server import (
    Key,
    QueryOutcome,
    Server,
    assign_labels,
    is_due,
    key_of,
    view_of,
)
from tmux_exporter.sources.tmux.socket_files import (
    EnvironmentSockets,
    PathState,
    SocketPath,
    canonical,
    default_folders,
    find_sockets,
)
from tmux_exporter.sources.tmux.update_servers import Findings, update_servers

_BY_ACTIVATION = "systemd"


def process_cpu_seconds(pid: int) -> float | None:
    """CPU seconds of a process by its CPU clock; None if it has ended or there is no such clock."""
    try:
        # The clock id of a process, as the kernel's MAKE_PROCESS_CPUCLOCK makes it (CPUCLOCK_SCHED = 2).
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:
        return None


class TmuxSource:
    """Finds and asks the servers; `read` once a sample, never from two threads at once.

    `environ` holds TMUX_TMPDIR. `interval` is the shortest pause after a failure. `cpu_seconds` gives the
    CPU time of a server, to bound the cost of our queries.
    """

    def __init__(
        self,
        settings: TmuxSettings,
        *,
        uid: int,
        clock: Clock,
        proc_root: str = "/proc",
        environ: Mapping[str, str],
        interval: float = 5.0,
        cpu_seconds: Callable[[int], float | None] = process_cpu_seconds,
    ) -> None:
        self._settings = settings
        self._uid = uid
        self._clock = clock
        self._proc_root = proc_root
        self._interval = interval
        self._cpu_seconds = cpu_seconds
        self._finder = ListenerFinder(proc_root, uid)
        self._named = EnvironmentSockets(uid)
        self._folders = default_folders(uid, environ)
        self._configured = tuple(canonical(path) for path in settings.sockets)
        self._servers: tuple[Server, ...] = ()
        self._checks = PaneChecks()
        self._labels: Mapping[Key, Label] = {}

    def configure(self, settings: TmuxSettings, interval: float) -> None:
        """Use these settings from the next `read` on; the state of the servers is kept."""
        self._settings = settings
        self._interval = interval
        self._configured = tuple(canonical(path) for path in settings.sockets)

    def read(self, table: ProcessTable, *, again: bool = False) -> TmuxView:
        """All servers of this uid as they are now, asked after `table` was read.

        `again` also queries servers that have just answered. Takes at most `query_timeout`, however many
        servers hang. Raises nothing for what it finds.
        """
        now = self._clock.monotonic()
        listeners = self._finder.find(table)
        self._named.update(table)
        seen = find_sockets(
            (*self._folders, *self._named.folders()),
            (
                *self._configured,
                *(listener.path for listener in listeners.placed.values()),
                *(server.path for server in self._servers),
            ),
            self._uid,
        )
        due = self._due(seen.sites, table, listeners.placed, now, again=again)
        findings = Findings(
            now=now,
            table=table,
            sites=seen.sites,
            listeners=listeners.placed,
            outcomes=self._ask(due, table, listeners.placed),
        )
        settled = update_servers(self._servers, findings, hold=self._settings.hold, interval=self._interval)
        checked = self._checks.believe_all(settled.servers, table)
        self._servers = tuple(server for server, _ in checked)
        self._labels = assign_labels(self._servers, self._folders, self._labels)
        views = [view_of(server, self._labels[key_of(server)], listing) for server, listing in checked]
        accounted = {server.process for server in self._servers}
        lost = [problem for process, problem in listeners.unplaced.items() if process not in accounted]
        return TmuxView(
            servers=tuple(sorted(views, key=lambda view: view.label)),
            stale_sockets=settled.stale_sockets,
            problems=(*seen.problems, *settled.problems, *lost),
            # Without a Linux /proc a server at an unknown path stays unknown.
            canonical_paths=self._named.own() if table.namespaces is not None else {},
            taken_at=now,
            folders=tuple(self._folders),
        )

    def _due(
        self,
        sites: Mapping[str, SocketPath],
        table: ProcessTable,
        listeners: Mapping[ProcessId, Listener],
        now: float,
        *,
        again: bool,
    ) -> list[Question]:
        """The queries of this sample: each socket file once, even with two names."""
        holders = {server.path: server for server in self._servers if server.holds_path}
        bound = {listener.path for listener in listeners.values()}
        by_file: dict[tuple[int, int] | None, str] = {}
        for path in sorted(sites, key=lambda path: (path not in bound, path not in holders, path)):
            if sites[path].state is PathState.SOCKET:
                by_file.setdefault(sites[path].file, path)
        questions = []
        for path in by_file.values():
            holder = holders.get(path)
            answered = again and holder is not None and holder.up
            if answered or is_due(holder, path, table, listeners, now):
                same = holder is not None and _lives(holder.process, table)
                version = holder.version if holder is not None and same else None
                questions.append(Question(socket=path, version=version or None))
        return questions

    def _ask(
        self, questions: Sequence[Question], table: ProcessTable, listeners: Mapping[ProcessId, Listener]
    ) -> dict[str, QueryOutcome]:
        holders = {s.path: s.process for s in self._servers if s.holds_path and s.process is not None}
        before = {
            process: self._cpu_seconds(process.pid)
            for question in questions
            if (process := holders.get(question.socket))
        }
        answers = ask_all(
            questions,
            uid=self._uid,
            timeout=self._settings.query_timeout,
            transport=self._settings.transport.value,
            clock=self._clock,
        )
        outcomes = {}
        for answer in answers:
            process = self._identify(answer, table, listeners)
            spent = None
            if process is not None and (start := before.get(process)) is not None:
                end = self._cpu_seconds(process.pid)
                spent = None if end is None else end - start
            outcomes[answer.socket] = _outcome(answer, process, spent)
        return outcomes

    def _identify(
        self, answer: Answer, table: ProcessTable, listeners: Mapping[ProcessId, Listener]
    ) -> ProcessId | None:
        """The process that answered; None without a connection, or if it is not in the table."""
        if answer.peer is None:
            return None
        seen = table.processes.get(answer.peer)
        if seen is not None and seen.comm == _BY_ACTIVATION:
            # The kernel names who called listen(2): for a socket unit, systemd and not the server behind it.
            behind = [id_ for id_, listener in listeners.items() if listener.path == answer.socket]
            if len(behind) == 1:
                return behind[0]
        if seen is not None and seen.alive:
            return seen.id
        try:
            with open(f"{self._proc_root}/{answer.peer}/stat", "rb") as stream:
                return ProcessId(answer.peer, parse_stat(stream.read()).start_ticks)
        except (OSError, ValueError):
            return None


def _lives(process: ProcessId | None, table: ProcessTable) -> bool:
    seen = table.find(process) if process else None
    return seen is not None and seen.alive


def _outcome(answer: Answer, process: ProcessId | None, cpu_seconds: float | None) -> QueryOutcome:
    listing, failure, detail = None, answer.failure, answer.detail
    if failure is None and process is None:
        failure, detail = QueryFailure.PARTIAL, f"its process {answer.peer} cannot be seen"
    elif failure is None and process is not None:
        try:
            listing = parse(answer, process)
        except ListingError as error:
            failure, detail = error.failure, error.detail
    return QueryOutcome(
        process=process,
        at=answer.sent_at,
        seconds=answer.seconds,
        listing=listing,
        failure=failure,
        detail=detail,
        cpu_seconds=cpu_seconds,
    )
