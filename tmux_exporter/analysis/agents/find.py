"""Finds coding agents: their panes, their processes and their names.

An agent is the topmost process of its program in its pane; launchers, relaunches and subagents of the same
program below it are part of it. Each process belongs to its nearest agent ancestor, so to one agent at most.
An agent of another program below it is a separate agent. A pane with `@agent` that runs no known program is
an agent of program `other`, unless it only shows a shell's prompt or a known program ran there before: then
that agent has ended.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.names import AgentNames, NameRequest, wanted_name
from tmux_exporter.analysis.agents.roles import role_of
from tmux_exporter.analysis.programs.shells import at_prompt
from tmux_exporter.analysis.programs.signatures import Signature, SignatureMatch, matcher
from tmux_exporter.config import AgentSettings
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, TmuxView

OTHER_PROGRAM = "other"
"""The program of an agent that only its pane's `@agent` declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    root: Process
    program: str
    version: str
    reason: str
    members: frozenset[ProcessId]
    programs: tuple[ProcessId, ...]


def find_agents(
    table: ProcessTable,
    owners: Mapping[ProcessId, Owner],
    view: TmuxView,
    signatures: Sequence[Signature],
    names: AgentNames,
    *,
    settings: AgentSettings | None = None,
) -> tuple[Agent, ...]:
    """Every agent in the listed panes, oldest first; `names` keeps their names between samples.

    `settings` contain the configured rules for names and roles.
    """
    settings = settings or AgentSettings()
    listings = [server.listing for server in view.servers if server.listing is not None]
    by_pane = _members(table, owners, listings)
    match = matcher(tuple(signatures)).match
    requests: list[NameRequest] = []
    details: list[tuple[_Found, str]] = []
    for listing in listings:
        windows = {window.id: window for window in listing.windows}
        sessions = {session.id: session for session in listing.sessions}
        for pane in listing.panes:
            key = PaneKey(listing.server, pane.id)
            if not (members := by_pane[key]):
                continue
            window, session = windows.get(pane.window_id), sessions[pane.session_id]
            wanted, declared = wanted_name(pane, window, session, settings.names)
            had = names.has_held(key, OTHER_PROGRAM)
            for found in _PaneAgents(pane, members, owners, match).found(had_program=had):
                details.append((found, role_of(pane, window, session, settings.roles)))
                requests.append(
                    NameRequest(
                        pane=key,
                        session_id=pane.session_id,
                        program=found.program,
                        process=found.root.id,
                        wanted=wanted,
                        declared=declared,
                    )
                )
    order = sorted(range(len(requests)), key=lambda at: _age(details[at][0].root))
    ordered = [requests[at] for at in order]
    given = names.assign(view, ordered)
    keys = names.keys_of(ordered)
    return tuple(
        Agent(
            name=name,
            pane=requests[at].pane,
            process=requests[at].process,
            program=requests[at].program,
            version=details[at][0].version,
            role=details[at][1],
            reason=details[at][0].reason,
            members=details[at][0].members,
            programs=details[at][0].programs,
            number=key.number,
        )
        for at, name, key in zip(order, given, keys, strict=True)
    )


def _members(
    table: ProcessTable, owners: Mapping[ProcessId, Owner], listings: Sequence[Listing]
) -> dict[PaneKey, dict[int, Process]]:
    found: dict[PaneKey, dict[int, Process]] = {
        PaneKey(listing.server, pane.id): {} for listing in listings for pane in listing.panes
    }
    for pid, process in table.processes.items():
        owner = owners.get(process.id)
        # A marker is too weak to make a process an agent or a member of one.
        if owner is None or owner.evidence is Evidence.AGENT_MARKER:
            continue
        if owner.kind is OwnerKind.PANE and owner.pane in found and process.alive:
            found[owner.pane][pid] = process
    return found


def _age(process: Process) -> tuple[int, int]:
    return process.id.start_ticks, process.id.pid


class _PaneAgents:
    """The agents of one pane."""

    def __init__(
        self,
        pane: Pane,
        members: Mapping[int, Process],
        owners: Mapping[ProcessId, Owner],
        match: Callable[[Process], SignatureMatch | None],
    ) -> None:
        self._pane = pane
        self._members = members
        self._owners = owners
        matches = {pid: found for pid, process in members.items() if (found := match(process)) is not None}
        self._services = {pid for pid, found in matches.items() if found.service}
        self._matches = {pid: found for pid, found in matches.items() if not found.service}

    def found(self, *, had_program: bool) -> Iterator[_Found]:
        """Every agent; `had_program`: an agent of a known program ran in this pane before."""
        roots = self._roots()
        if not roots:
            if not had_program:
                yield from self._declared()
            return
        nearest_root = {pid: self._nearest(pid, roots) for pid in self._members}
        nearest_root.update(self._orphans(roots, nearest_root))
        for root in sorted(roots, key=lambda pid: _age(self._members[pid])):
            found = self._matches[root]
            members = [pid for pid in self._members if nearest_root[pid] == root]
            programs = self._programs(root, members)
            yield _Found(
                root=self._members[root],
                program=found.signature.program,
                version=next((each for pid in programs if (each := self._matches[pid].version)), ""),
                reason=found.reason,
                members=frozenset(self._members[pid].id for pid in members),
                programs=tuple(self._members[pid].id for pid in programs if not self._is_tool(pid, root)),
            )

    def _declared(self) -> Iterator[_Found]:
        """The whole tree of a pane without a known program, if `@agent` declares it."""
        root = self._members.get(self._pane.pid) if self._pane.pid is not None else None
        if root is None or not self._pane.agent_option.strip() or at_prompt(root, self._members.values()):
            return
        members = [pid for pid in self._members if self._nearest(pid, {root.id.pid}) is not None]
        yield _Found(
            root=root,
            program=OTHER_PROGRAM,
            version="",
            reason="the pane's @agent says so",
            members=frozenset(self._members[pid].id for pid in members),
            programs=(root.id,),
        )

    def _roots(self) -> set[int]:
        roots = {pid for pid in self._matches if not self._has_ancestor_of_its_program(pid)}
        firm = {self._program(pid) for pid in roots if self._in_tree(pid)}
        # A reparented subagent still belongs to its agent; it is no second agent.
        return {
            pid
            for pid in roots
            if self._in_tree(pid) or self._program(pid) not in firm or not self._carries_marker(pid, pid)
        }

    def _has_ancestor_of_its_program(self, pid: int) -> bool:
        return any(
            ancestor in self._matches and self._program(ancestor) == self._program(pid)
            for ancestor in self._ancestors(pid)
        )

    def _orphans(self, roots: set[int], nearest_root: Mapping[int, int | None]) -> dict[int, int | None]:
        """Reparented processes with an agent's marker, and their descendants."""
        by_marker: dict[int, int | None] = {}
        for pid, root in nearest_root.items():
            if root is None and not self._in_tree(pid) and pid not in self._services:
                fitting = [root for root in roots if self._carries_marker(pid, root)]
                older = [root for root in fitting if _age(self._members[root]) <= _age(self._members[pid])]
                if older:
                    by_marker[pid] = max(older, key=lambda root: _age(self._members[root]))
        below_them = {
            pid: by_marker[nearest]
            for pid, root in nearest_root.items()
            if root is None
            and pid not in by_marker
            and (nearest := self._nearest(pid, set(by_marker))) is not None
        }
        return {**by_marker, **below_them}

    def _carries_marker(self, pid: int, root: int) -> bool:
        """Whether `pid` has a marker of the program of `root` that the pane's shell does not have.

        A tmux server that an agent started passes the agent's variables to every pane.
        """
        environ = self._members[pid].environ
        shell = self._members.get(self._pane.pid) if self._pane.pid is not None else None
        if environ is None or shell is None or shell.environ is None:
            return False
        markers = self._matches[root].signature.markers
        return any(marker in environ and marker not in shell.environ for marker in markers)

    def _in_tree(self, pid: int) -> bool:
        return self._owners[self._members[pid].id].evidence is Evidence.TREE

    def _program(self, pid: int) -> str:
        return self._matches[pid].signature.program

    def _nearest(self, pid: int, heads: set[int]) -> int | None:
        if pid in heads:
            return pid
        return next((ancestor for ancestor in self._ancestors(pid) if ancestor in heads), None)

    def _ancestors(self, pid: int) -> Iterator[int]:
        """Ancestors within the pane; stops at a cycle, which a race while reading can make."""
        seen = {pid}
        parent = self._members[pid].ppid
        while parent in self._members and parent not in seen:
            yield parent
            seen.add(parent)
            parent = self._members[parent].ppid

    def _programs(self, root: int, members: Sequence[int]) -> list[int]:
        """The processes of the root's program, the root first."""
        same = [pid for pid in members if pid in self._matches and self._program(pid) == self._program(root)]
        return sorted(same, key=lambda pid: (pid != root, _age(self._members[pid])))

    def _is_tool(self, pid: int, root: int) -> bool:
        """Whether the agent has started a process as a tool, and not as a part of itself."""
        return pid != root and self._carries_marker(pid, root)
