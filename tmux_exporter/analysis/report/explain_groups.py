"""`explain` for a session, a tmux server or a program: facts, parts and members."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tmux_exporter.analysis.report.explained import (
    ExplainedPart,
    Explanation,
    members_of,
    sources_of,
    sums_of,
)
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.owner import OwnerKind
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, Session

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGroup:
    """One session with its finished label."""

    view: ServerView
    listing: Listing
    session: Session
    label: str

    @property
    def words(self) -> str:
        """What it is."""
        return f"a session of server {self.view.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """One tmux server."""

    view: ServerView
    words: ClassVar = "a tmux server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramGroup:
    """All agents of one program."""

    name: str
    words: ClassVar = "the program of agents"


Group = SessionGroup | ServerGroup | ProgramGroup


def groups_called(target: str, snapshot: Snapshot) -> dict[str, Group]:
    """The sessions, servers and programs of that name, by an unambiguous full name."""
    found: dict[str, Group] = {}
    for each in _sessions(snapshot):
        short, full = f"{each.view.label}/{each.label}", f"session:{each.view.label}/{each.label}"
        if target in (each.label, short, f"session:{each.label}", full):
            found[full] = each
    for view in snapshot.view.servers:
        if target in (view.label, f"server:{view.label}"):
            found[f"server:{view.label}"] = ServerGroup(view=view)
    for name in _programs(snapshot):
        if target in (name, f"program:{name}"):
            found[f"program:{name}"] = ProgramGroup(name=name)
    return found


def names_of_groups(snapshot: Snapshot) -> dict[str, set[str]]:
    """All names that `explain` accepts for groups, by kind."""
    return {
        "sessions": {each.label for each in _sessions(snapshot)},
        "servers": {view.label for view in snapshot.view.servers},
        "programs": _programs(snapshot),
    }


def explain_group(group: Group, snapshot: Snapshot) -> Explanation:
    """Explain a session, a server or a program."""
    match group:
        case SessionGroup():
            return _session(group, snapshot)
        case ServerGroup():
            return _server(group.view, snapshot)
        case ProgramGroup():
            return _program(group.name, snapshot)


def _sessions(snapshot: Snapshot) -> list[SessionGroup]:
    return [
        SessionGroup(
            view=view,
            listing=listing,
            session=session,
            label=snapshot.session_labels[listing.server, session.id],
        )
        for view, listing in snapshot.listings()
        for session in listing.sessions
    ]


def _programs(snapshot: Snapshot) -> set[str]:
    named = {agent.program for agent in snapshot.agents} | {
        tracked.program for tracked in snapshot.tracked_agents
    }
    return named - {""}


def _session(group: SessionGroup, snapshot: Snapshot) -> Explanation:
    listing, session = group.listing, group.session
    panes = _panes_of(listing, session)
    facts: Facts = [("server", _shown_server(group.view))]
    if not group.view.up:
        facts.append(_held(group.view))
    if session.group:
        facts.append(("group", visible_text(session.group)))
    windows = len({pane.window_id for pane in panes})
    facts.append(
        ("counted", f"{len(panes)} panes in {windows} windows; a shared one counts for the oldest session")
    )
    facts.append(("attached", f"{session.attached} clients"))
    facts += sources_of((PaneKey(listing.server, pane.id) for pane in panes), snapshot)
    agents = [
        each for each in snapshot.agents if each.pane in {PaneKey(listing.server, pane.id) for pane in panes}
    ]
    facts += [
        ("agent", f"{each.name} ({each.program}) in pane {each.pane.pane}: {each.reason}") for each in agents
    ]
    facts += [
        ("check-in", f"process {each.process.pid} is {each.state}: {each.reason}")
        for each in snapshot.schedulers
        if (each.server, each.session_id) == (listing.server, session.id)
    ]
    facts += [
        ("left over", f"process {leak.process.pid}, {leak.kind}: {leak.reason}")
        for leak in snapshot.leaks.found
        if (leak.server, leak.session) == (group.view.label, group.label)
    ]
    return Explanation(
        title=f"session {group.label}",
        facts=tuple(facts),
        members=members_of(_processes(listing, panes, snapshot), snapshot.owners, snapshot),
        parts=tuple(_pane_part(listing, pane, agents, snapshot) for pane in panes),
        session=(group.view.label, group.label),
    )


def _pane_part(listing: Listing, pane: Pane, agents: Iterable[Agent], snapshot: Snapshot) -> ExplainedPart:
    key = PaneKey(listing.server, pane.id)
    window = next((each.name for each in listing.windows if each.id == pane.window_id), "")
    names = [f"agent {agent.name}" for agent in agents if agent.pane == key]
    words = [
        f"window {pane.window_index} {visible_text(window)}".strip(),
        *names,
        *(("dead",) if pane.dead else ()),
    ]
    return ExplainedPart(
        name=pane.id, words=", ".join(words), sums=sums_of(snapshot.members().get(key, ()), snapshot)
    )


def _server(view: ServerView, snapshot: Snapshot) -> Explanation:
    facts: Facts = [("socket", visible_text(view.socket)), ("server", _shown_server(view))]
    if not view.up:
        facts.append(("ended", "its process is gone") if view.ended else _held(view))
    sessions = [each for each in _sessions(snapshot) if each.view is view]
    parts = []
    for each in sessions:
        panes = _panes_of(each.listing, each.session)
        found = _processes(each.listing, panes, snapshot)
        words = f"{len(panes)} panes, {each.session.attached} clients"
        parts.append(ExplainedPart(name=each.label, words=words, sums=sums_of(found, snapshot)))
    own = [
        process
        for process in snapshot.table.processes.values()
        if (owner := snapshot.owners.get(process.id))
        and owner.kind is OwnerKind.SERVER
        and owner.server == view.process
    ]
    facts.append(("members", "the server itself and its jobs; what runs in panes is in the sums of sessions"))
    return Explanation(
        title=f"server {view.label}",
        facts=tuple(facts),
        members=members_of(own, snapshot.owners, snapshot),
        parts=tuple(parts),
    )


def _program(name: str, snapshot: Snapshot) -> Explanation:
    by_id = {process.id: process for process in snapshot.table.processes.values()}
    labels = {listing.server: view.label for view, listing in snapshot.listings()}
    states = {
        tracked.agent: tracked.status.state
        for tracked in snapshot.tracked_agents
        if tracked.agent is not None
    }
    agents = [each for each in snapshot.agents if each.program == name]
    parts, members = [], []
    for each in agents:
        found = [by_id[member] for member in sorted(each.members) if member in by_id]
        members += found
        words = ", ".join(filter(None, (f"pane {each.pane.pane}", states.get(each), each.reason)))
        full = f"{labels.get(each.pane.server, '')}/{each.pane.pane}/{each.name}"
        parts.append(ExplainedPart(name=full, words=words, sums=sums_of(found, snapshot)))
    gone = [
        tracked for tracked in snapshot.tracked_agents if tracked.program == name and tracked.agent is None
    ]
    facts: Facts = [("agents", f"{len(agents)} run")]
    facts += [
        ("does not run", f"{tracked.server}/{tracked.session}/{tracked.name}: {tracked.status.state}")
        for tracked in gone
    ]
    return Explanation(
        title=f"program {name}",
        facts=tuple(facts),
        # Two agents may have the same process: an agent that another agent has started.
        members=members_of({each.id: each for each in members}.values(), snapshot.owners, snapshot),
        parts=tuple(parts),
    )


def _panes_of(listing: Listing, session: Session) -> list[Pane]:
    return [pane for pane in listing.panes if pane.session_id == session.id]


def _processes(listing: Listing, panes: Iterable[Pane], snapshot: Snapshot) -> list[Process]:
    members = snapshot.members()
    return [process for pane in panes for process in members.get(PaneKey(listing.server, pane.id), ())]


def _shown_server(view: ServerView) -> str:
    if view.listing is None:
        return view.label
    return f"{view.label} (tmux {visible_text(view.listing.version)}, pid {view.listing.server.pid})"


def _held(view: ServerView) -> tuple[str, str]:
    why = view.problem.detail or view.problem.reason if view.problem else "no answer"
    return "held", f"the server does not answer now ({why}); what is listed is of its last listing"
