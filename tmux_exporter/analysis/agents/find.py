"""Finds coding agents: their panes, their processes and their names.

An agent is the topmost process of its program in its pane; launchers, relaunches and subagents of the same
program below it are part of it. Each process belongs to its nearest agent ancestor, so to one agent at most.
An agent of another program below it is a separate agent. A pane with `@agent` that runs no known program is
an agent of program `other`, unless it only shows a shell's prompt or a known program ran there before: then
that agent has ended.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.analysis.agents.helpers import helpers_of
from tmux_exporter.analysis.agents.name_rules import role_of
from tmux_exporter.analysis.agents.names import AgentNames, NameRequest, wanted_name
from tmux_exporter.analysis.programs.process_names import MCP
from tmux_exporter.analysis.programs.program import at_prompt
from tmux_exporter.analysis.programs.signatures import Signature, SignatureMatch, matcher
from tmux_exporter.config import AgentSettings
from tmux_exporter.facts.agents import Agent, Helper, HelperKind
from tmux_exporter.facts.owner import Evidence, Owner
from tmux_exporter.facts.process import Process, ProcessId
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
    helpers: tuple[Helper, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """One sample. `members` are the living processes of each pane, in the order of pids.

    `changed` are the panes in which, since the sample before, an owner changed, or a member came, went or
    changed its identity; `tmux_changed` as in Changes. `settings` have the rules for names and roles.
    """

    view: TmuxView
    owners: Mapping[ProcessId, Owner]
    members: Mapping[PaneKey, Sequence[Process]]
    changed: Collection[PaneKey]
    tmux_changed: bool
    signatures: Sequence[Signature]
    settings: AgentSettings


class _PaneFacts(NamedTuple):
    """What the agents of a pane depend on besides its members."""

    pid: int | None
    agent_option: str
    had_program: bool
    signatures: Sequence[Signature]


class AgentFinder:
    """Finds agents sample by sample; looks again only into panes that changed."""

    def __init__(self, names: AgentNames) -> None:
        """`names` keeps the names of agents between samples."""
        self._names = names
        self._panes: dict[PaneKey, tuple[_PaneFacts, tuple[_Found, ...]]] = {}
        self._found: Sequence[tuple[PaneKey, Pane, Listing, tuple[_Found, ...]]] = ()
        self._same: object = None
        self._agents: Mapping[ProcessId, Agent] = {}

    def find(self, facts: AgentFacts) -> tuple[Agent, ...]:
        """Every agent in the listed panes, oldest first. An unchanged agent is the same object."""
        requests: list[NameRequest] = []
        details: list[tuple[_Found, str]] = []
        held = self._names.panes_that_held_another(OTHER_PROGRAM)
        same = (facts.signatures, held)
        if facts.tmux_changed or facts.changed or same != self._same:
            self._found = tuple(self._in_panes(facts, held))
        self._same = same
        for key, pane, listing, found in self._found:
            window = next((each for each in listing.windows if each.id == pane.window_id), None)
            session = next(each for each in listing.sessions if each.id == pane.session_id)
            wanted, declared = wanted_name(pane, window, session, facts.settings.names)
            role = role_of(pane, window, session, facts.settings.roles)
            for each in found:
                details.append((each, role))
                requests.append(
                    NameRequest(
                        pane=key,
                        session_id=pane.session_id,
                        program=each.program,
                        process=each.root.id,
                        wanted=wanted,
                        declared=declared,
                    )
                )
        order = sorted(range(len(requests)), key=lambda at: _age(details[at][0].root))
        ordered = [requests[at] for at in order]
        given = self._names.assign(facts.view, ordered)
        keys = self._names.keys_of(ordered)
        agents = [
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
                helpers=details[at][0].helpers,
                number=key.number,
            )
            for at, name, key in zip(order, given, keys, strict=True)
        ]
        before = self._agents
        agents = [old if (old := before.get(each.process, each)) == each else each for each in agents]
        self._agents = {each.process: each for each in agents}
        return tuple(agents)

    def _in_panes(
        self, facts: AgentFacts, held: Container[PaneKey]
    ) -> Iterator[tuple[PaneKey, Pane, Listing, tuple[_Found, ...]]]:
        """The panes with agents, in the order of the listings."""
        match = matcher(tuple(facts.signatures)).match
        before, self._panes = self._panes, {}
        for server in facts.view.servers:
            for pane in server.listing.panes if server.listing else ():
                key = PaneKey(server.listing.server, pane.id) if server.listing else None
                if key is None or server.listing is None or not (members := facts.members.get(key)):
                    continue
                now = _PaneFacts(pane.pid, pane.agent_option, key in held, facts.signatures)
                kept = before.get(key)
                if kept is None or key in facts.changed or kept[0] != now:
                    agents = _PaneAgents(pane, _strong(members, facts.owners), facts.owners, match)
                    kept = (now, tuple(agents.found(had_program=now.had_program)))
                self._panes[key] = kept
                if kept[1]:
                    yield key, pane, server.listing, kept[1]


def _strong(members: Iterable[Process], owners: Mapping[ProcessId, Owner]) -> dict[int, Process]:
    """By pid; a marker is too weak to make anything an agent, or a part of one."""
    marker = Evidence.AGENT_MARKER
    return {each.id.pid: each for each in members if owners[each.id].evidence is not marker}


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
        self._services = {pid: found for pid, found in matches.items() if found.service}
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
            subagents = {pid for pid in programs if self._is_subagent(pid, root)}
            yield _Found(
                root=self._members[root],
                program=found.signature.program,
                version=next((each for pid in programs if (each := self._matches[pid].version)), ""),
                reason=found.reason,
                members=frozenset(self._members[pid].id for pid in members),
                programs=tuple(self._members[pid].id for pid in programs if not self._is_tool(pid, root)),
                helpers=self._helpers(members, {*programs} - subagents, subagents),
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
            helpers=self._helpers(members, {root.id.pid}, frozenset()),
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

    def _helpers(
        self, members: Iterable[int], own: Container[int], subagents: Iterable[int]
    ) -> tuple[Helper, ...]:
        kinds = dict.fromkeys(subagents, HelperKind.SUBAGENT)
        servers = (pid for pid, found in self._services.items() if MCP.search(found.command))
        kinds.update(dict.fromkeys(servers, HelperKind.MCP_SERVER))
        return helpers_of({pid: self._members[pid] for pid in members}, own, kinds)

    def _is_subagent(self, pid: int, root: int) -> bool:
        """Whether a process of the root's program is a subagent, and no launcher or relaunch."""
        parent = self._matches.get(self._members[pid].ppid)
        relaunched = parent is not None and parent.signature.program == self._program(root)
        return self._is_tool(pid, root) or (pid != root and not relaunched)

    def _is_tool(self, pid: int, root: int) -> bool:
        """Whether the agent has started a process as a tool, and not as a part of itself."""
        return pid != root and self._carries_marker(pid, root)
