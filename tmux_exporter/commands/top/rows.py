"""What `top` shows: the sessions and agents of a report with their rates, sorted and filtered; pure.

It takes the report as the page and other programs get it (`metrics/report_json.py`), so that it is the same
whether an exporter was asked or this program has looked itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from tmux_exporter.commands.views.schedulers import TROUBLE
from tmux_exporter.commands.views.text_table import known_sum
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.spending import TokenKind

Document = Mapping[str, Any]
_Place = tuple[str, str]

_SHORTEST_SECONDS = 0.9
URGENCY = ("waiting", "exited", "unknown", "working", "idle")


class Sort(StrEnum):
    """Sort keys; rows that need attention come first."""

    STATE = "state"
    CPU = "cpu"
    MEMORY = "memory"
    FDS = "fds"
    LEAKS = "leaks"
    DUE = "due"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowUsage:
    """Cores used since the report before (1 is one core), bytes, open files; None is not known."""

    cpu_cores: float | None
    memory_bytes: int | None
    memory_limit_bytes: int | None
    open_fds: int | None
    processes: int

    @property
    def memory_ratio(self) -> float | None:
        """Memory against its limit."""
        if self.memory_bytes is None or not self.memory_limit_bytes:
            return None
        return self.memory_bytes / self.memory_limit_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpending:
    """What an agent has spent since it started; not `whole`: at least that. None is not known."""

    tokens: int
    cost_dollars: float
    whole: bool
    context_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaksAndSchedulers:
    """Leaks and pending schedulers of a session, and when the next one is due."""

    leaks: int = 0
    leaked_memory_bytes: int | None = None
    check_ins: int = 0
    in_trouble: int = 0
    next_due_timestamp_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """One agent; `reason` says what it waits for, empty while it does not.

    `helpers` has what it has started by kind, each with `count` and `memory_bytes`.
    """

    agent: str
    program: str
    version: str
    role: str
    window: str
    pane: str
    state: str
    reason: str
    state_since_timestamp_seconds: float
    cost: RowUsage
    helpers: Mapping[str, Mapping[str, int | None]]
    usage_limit_reset_timestamp_seconds: float | None = None
    attach_command: str | None = None
    spent: RowSpending | None = None


RowKey = tuple[str, ...]
"""Server, session and agent; the row of a session has no agent. In a list: its kind and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session and its agents. `gone` says that only what it left over is still there.

    `cpu_incomplete_ratio` is about the share of its CPU time that orphans took which nobody could watch.
    """

    server: str
    session: str
    gone: bool
    attached_clients: int
    panes: int
    cost: RowUsage
    owed: LeaksAndSchedulers
    agents: tuple[AgentRow, ...]
    cpu_incomplete_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One report as `top` shows it; `cost` and `owed` are of everything, whatever the filter."""

    timestamp: float
    interval_seconds: float
    complete: bool
    servers: int
    servers_down: int
    sessions_there: int
    agents: Mapping[str, int]
    cost: RowUsage
    owed: LeaksAndSchedulers
    sessions: tuple[SessionRow, ...]

    @property
    def keys(self) -> tuple[RowKey, ...]:
        """All rows from above to below, a session before its agents."""
        return tuple(
            (each.server, each.session, name)
            for each in self.sessions
            for name in ("", *(agent.agent for agent in each.agents))
        )

    def agent_at(self, key: RowKey | None) -> AgentRow | None:
        """The agent of a row; in that of a session its first one."""
        for session in self.sessions:
            if key is not None and len(key) == 3 and (session.server, session.session) == key[:2]:
                return next((each for each in session.agents if key[2] in ("", each.agent)), None)
        return None


class Rates:
    """CPU as cores, from the counters of two reports."""

    def __init__(self) -> None:
        self._before: tuple[float, dict[object, float]] | None = None
        self._rates: dict[object, float] = {}
        self._compared = False

    @property
    def known(self) -> bool:
        """Whether there have been two reports to compare."""
        return self._compared

    def take(self, document: Document) -> None:
        """Take the next report; one of the same moment changes nothing."""
        now = document["timestamp"]
        counters = {key: thing["usage"]["cpu_seconds_total"] for key, thing in _things(document)}
        if self._before is not None:
            then, earlier = self._before
            if 0 <= now - then < _SHORTEST_SECONDS:
                return
            self._compared = now > then
            # A counter that fell was reset; after a clock step back no rate is known.
            self._rates = {
                key: (total - earlier[key]) / (now - then)
                for key, total in counters.items()
                if now > then and total >= earlier.get(key, total + 1)
            }
        self._before = (now, counters)

    def of(self, key: object) -> float | None:
        """The rate of one session or agent; None before its second report."""
        return self._rates.get(key)


def board(
    document: Document,
    rates: Rates,
    *,
    sort: Sort = Sort.STATE,
    words: Sequence[str] = (),
    reverse: bool = False,
) -> Board:
    """The rows of one report: those in which each of `words` occurs, in the order of `sort`."""
    sessions = [_shown(each, words) for each in _sessions(document, rates)]
    rank = _RANKS[sort]
    rows = [
        replace(each, agents=tuple(sorted(each.agents, key=lambda agent: rank(agent, each), reverse=reverse)))
        for each in sessions
        if each is not None
    ]
    states = [agent["state"] for agent in document["agents"]]
    down = sum(not server["up"] and not server["ended"] for server in document["servers"])
    return Board(
        timestamp=document["timestamp"],
        interval_seconds=document["interval_seconds"],
        complete=document["complete"],
        servers=sum(server["up"] for server in document["servers"]),
        servers_down=down,
        sessions_there=len(document["sessions"]),
        agents={state: states.count(state) for state in URGENCY if state in states},
        cost=_total(document, rates),
        owed=_owed(document["leaks"], document["schedulers"]),
        sessions=tuple(sorted(rows, key=lambda each: _session_rank(each, rank), reverse=reverse)),
    )


def as_dict(shown: Board) -> dict[str, Any]:
    """The board as JSON-ready data. Null is not known; times are seconds since the epoch."""
    return {"version": 1, **asdict(shown)}


def _things(document: Document) -> Iterable[tuple[object, Mapping[str, Any]]]:
    for session in document["sessions"]:
        yield ("session", session["server"], session["session"]), session
    for agent in document["agents"]:
        yield ("agent", agent["server"], agent["session"], agent["agent"]), agent


def _sessions(document: Document, rates: Rates) -> Iterable[SessionRow]:
    agents: dict[_Place, list[AgentRow]] = {}
    leaks: dict[_Place, list[Mapping[str, Any]]] = {}
    check_ins: dict[_Place, list[Mapping[str, Any]]] = {}
    for agent in document["agents"]:
        agents.setdefault((agent["server"], agent["session"]), []).append(_agent(agent, rates))
    for target, things in ((leaks, document["leaks"]), (check_ins, document["schedulers"])):
        for thing in things:
            target.setdefault((thing["server"], thing["session"]), []).append(thing)
    there = {(each["server"], each["session"]): each for each in document["sessions"]}
    for place in dict.fromkeys((*there, *agents, *leaks, *check_ins)):
        session = there.get(place)
        server, name = place
        yield SessionRow(
            server=server,
            session=name,
            gone=session is None,
            attached_clients=session["attached_clients"] if session else 0,
            panes=session["panes"] if session else 0,
            cost=_cost(session["usage"], rates.of(("session", *place))) if session else _NOTHING,
            owed=_owed(leaks.get(place, ()), check_ins.get(place, ())),
            agents=tuple(agents.get(place, ())),
            # An exporter of an earlier version does not say it.
            cpu_incomplete_ratio=session.get("cpu_incomplete_ratio", 0.0) if session else 0.0,
        )


_AGENT_FACTS = (
    *("agent", "program", "version", "role", "window", "pane"),
    *("state", "state_since_timestamp_seconds"),
)


def _agent(agent: Mapping[str, Any], rates: Rates) -> AgentRow:
    return AgentRow(
        **{name: agent[name] for name in _AGENT_FACTS},
        reason=agent["waiting_reason"] or "",
        cost=_cost(agent["usage"], rates.of(("agent", agent["server"], agent["session"], agent["agent"]))),
        # An exporter of an earlier version does not say these.
        helpers=agent.get("helpers", {}),
        usage_limit_reset_timestamp_seconds=agent.get("usage_limit_reset_timestamp_seconds"),
        attach_command=agent.get("attach_command"),
        spent=_spent(agent["spending"]) if agent.get("spending") else None,
    )


def _spent(spending: Mapping[str, Any]) -> RowSpending:
    since, window = spending["since_start"], spending["context_window_tokens"]
    models = since["models"].values()
    filled = spending["context_tokens"]
    return RowSpending(
        tokens=sum(model.get(kind, 0) for model in models for kind in TokenKind),
        cost_dollars=sum(model["cost_dollars"] for model in models),
        whole=since["whole"] and not any(model["unpriced_tokens"] for model in models),
        context_ratio=filled / window if window and filled is not None else None,
    )


_NOTHING = RowUsage(cpu_cores=None, memory_bytes=None, memory_limit_bytes=None, open_fds=None, processes=0)


def _cost(usage: Mapping[str, Any], rate: float | None) -> RowUsage:
    return RowUsage(
        cpu_cores=rate,
        **{name: usage[name] for name in ("memory_bytes", "memory_limit_bytes", "open_fds", "processes")},
    )


def _owed(leaks: Iterable[Mapping[str, Any]], check_ins: Iterable[Mapping[str, Any]]) -> LeaksAndSchedulers:
    # A scheduler that is lost is told as a scheduler.
    left, pending = [each for each in leaks if each["kind"] != LeakKind.SCHEDULER], list(check_ins)
    due = [each["due_timestamp_seconds"] for each in pending if each["due_timestamp_seconds"] is not None]
    return LeaksAndSchedulers(
        leaks=len(left),
        leaked_memory_bytes=known_sum(each["memory_bytes"] for each in left),
        check_ins=len(pending),
        in_trouble=sum(each["state"] in TROUBLE for each in pending),
        next_due_timestamp_seconds=min(due, default=None),
    )


def _total(document: Document, rates: Rates) -> RowUsage:
    usages = [session["usage"] for session in document["sessions"]]
    places = [("session", each["server"], each["session"]) for each in document["sessions"]]
    return RowUsage(
        cpu_cores=known_sum(rates.of(place) for place in places),
        memory_bytes=known_sum(usage["memory_bytes"] for usage in usages),
        memory_limit_bytes=None,
        open_fds=known_sum(usage["open_fds"] for usage in usages),
        processes=sum(usage["processes"] for usage in usages),
    )


def _shown(row: SessionRow, words: Sequence[str]) -> SessionRow | None:
    """The session with those of its agents that fit; all of them where it fits by itself."""
    own = f"{row.server} {row.session}".lower()
    left = [word.lower() for word in words if word.lower() not in own]
    if not left:
        return row
    agents = tuple(
        agent
        for agent in row.agents
        if all(word in f"{agent.agent} {_words(agent)}".lower() for word in left)
    )
    return replace(row, agents=agents) if agents else None


def _words(agent: AgentRow) -> str:
    return " ".join((agent.program, agent.version, agent.role, agent.pane, agent.state, agent.reason))


Rank = Callable[[AgentRow | None, SessionRow], tuple[Any, ...]]
"""How a row is ordered, the smallest first: an agent in its session, or (None) a session."""


def _most(figure: float | None) -> tuple[bool, float]:
    return figure is None, -(figure or 0)


def _by_state(agent: AgentRow | None, session: SessionRow) -> tuple[Any, ...]:
    if agent is None:
        trouble = -session.owed.in_trouble
        return min((_by_state(each, session) for each in session.agents), default=(9, 0.0)), trouble
    return URGENCY.index(agent.state), agent.state_since_timestamp_seconds


def _by_due(agent: AgentRow | None, session: SessionRow) -> tuple[Any, ...]:
    due = session.owed.next_due_timestamp_seconds if agent is None else None
    return due is None, due or 0.0


_RANKS: Mapping[Sort, Rank] = {
    Sort.STATE: _by_state,
    Sort.CPU: lambda agent, session: _most((agent or session).cost.cpu_cores),
    Sort.MEMORY: lambda agent, session: _most((agent or session).cost.memory_bytes),
    Sort.FDS: lambda agent, session: _most((agent or session).cost.open_fds),
    Sort.LEAKS: lambda agent, session: _most(session.owed.leaks if agent is None else None),
    Sort.DUE: _by_due,
    Sort.NAME: lambda agent, session: (session.server, session.session) if agent is None else (agent.agent,),
}


def _session_rank(row: SessionRow, rank: Rank) -> tuple[Any, ...]:
    return (row.gone, *rank(None, row), row.server, row.session)
