"""Agent markers: ownership by the session id that an agent sets in the environment, the weakest evidence.

An agent passes its session id to everything that it starts. An orphan without the variables of tmux still has
it. The marker ties a process to a pane only where that is certain:

- an agent in that pane, by the process tree, has a child with the same id and is older than the process;
- no process with that id belongs elsewhere by other evidence, or has a living parent outside all panes: a
  session may continue in another pane or terminal;
- no agent of that program runs outside the panes, because it may have the same session.

A marker alone never proves a leak: only a process that an earlier sample tied to a pane can outlive it. Ids
are compared and never shown.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tmux_exporter.analysis.ownership.tmux_lookup import Presence, TmuxLookup, environment
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import matcher
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey

PROGRAMS = {"CLAUDE_CODE_SESSION_ID": "claude", "CODEX_SESSION_ID": "codex", "CODEX_THREAD_ID": "codex"}
"""The variables that hold a session id, and the program that sets them."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MATCHER = matcher(SIGNATURES)
_CERTAIN = (Evidence.TREE, Evidence.KERNEL_SESSION)

_Marker = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    agent: Process
    pane: PaneKey


class AgentMarkers:
    """The markers of one sample; built after the other evidence has been evaluated."""

    def __init__(
        self,
        table: ProcessTable,
        tmux: TmuxLookup,
        owners: Mapping[int, Owner | None],
        carriers: Iterable[Process],
    ) -> None:
        """`carriers` are the living processes of the table that carry a marker."""
        self._table = table
        self._tmux = tmux
        self._owners = owners
        self._carriers: dict[_Marker, list[Process]] = {}
        for process in carriers:
            for marker in _markers(process):
                self._carriers.setdefault(marker, []).append(process)
        self._holders: dict[_Marker, _Holder | None] = {}
        self._outside: frozenset[str] | None = None

    def owners(self, memory: Mapping[ProcessId, Owner]) -> dict[int, Owner]:
        """Owners by marker, by pid; `memory` is that of attribution."""
        found: dict[int, Owner] = {}
        for process in {each.id: each for line in self._carriers.values() for each in line}.values():
            if self._owners.get(process.id.pid) is None:
                before = memory.get(process.id)
                before = before if before and before.evidence is Evidence.AGENT_MARKER else None
                if (owner := self._owner(process, before)) is not None:
                    found[process.id.pid] = owner
        return found

    def _owner(self, process: Process, before: Owner | None) -> Owner | None:
        if not self._table.complete:
            # After an incomplete listing an agent elsewhere may be missing.
            return before
        markers = _markers(process)
        if not all(self._is_unambiguous(marker) for marker in markers):
            return None
        holders = [self._holder(marker) for marker in markers]
        held = [each for each in holders if each is not None]
        if not held:
            return self._remembered(before) if before is not None else None
        panes = {each.pane for each in held}
        if len(panes) > 1 or len(held) < len(markers) or not _are_older(held, process):
            return None
        if before is not None and before.pane not in panes:
            return None
        return before if before is not None and before.kind is OwnerKind.PANE else _owner_of(held[0])

    def _remembered(self, before: Owner) -> Owner | None:
        """The earlier owner where the agent is no longer seen in the pane; leaked where the pane is gone."""
        if before.pane is None:
            return None
        if self._tmux.presence(before.pane) is Presence.GONE and before.kind is OwnerKind.PANE:
            gone = f"{_named(before.pane)} is gone"
            return replace(before, kind=OwnerKind.LEAKED, reason=f"seen earlier: {before.reason}; {gone}")
        return before

    def _is_unambiguous(self, marker: _Marker) -> bool:
        if PROGRAMS[marker[0]] in self._agents_outside():
            return False
        owners = [self._owners.get(each.id.pid) for each in self._carriers[marker]]
        panes = {owner.pane for owner in owners if owner is not None}
        return (
            None not in panes
            and len(panes) <= 1
            and all(
                owner is not None or self._is_orphan(each, marker)
                for each, owner in zip(self._carriers[marker], owners, strict=True)
            )
            and all(
                self._agent_above(each, marker) is not None
                for each, owner in zip(self._carriers[marker], owners, strict=True)
                if owner is not None and owner.evidence is Evidence.TREE
            )
        )

    def _is_orphan(self, process: Process, marker: _Marker) -> bool:
        """Whether all its ancestors are init, or have the same marker and no owner."""
        top = self._top(process, marker)
        if top.ppid == 1:
            return True
        parent = self._parent(top)
        return parent is not None and parent.comm == "systemd" and parent.ppid == 1

    def _top(self, process: Process, marker: _Marker) -> Process:
        """Its topmost ancestor with the same marker, or the process itself."""
        seen = {process.id}
        parent = self._parent(process)
        while parent is not None and parent.id not in seen and marker in _markers(parent):
            seen.add(parent.id)
            process, parent = parent, self._parent(parent)
        return process

    def _parent(self, process: Process) -> Process | None:
        parent = self._table.processes.get(process.ppid)
        # A process that started later has reused the pid while the table was read.
        older = parent is not None and parent.id.start_ticks <= process.id.start_ticks
        return parent if older else None

    def _agent_above(self, process: Process, marker: _Marker) -> Process | None:
        """The agent that set the marker: the nearest ancestor without it, in the same pane."""
        agent = self._parent(self._top(process, marker))
        if agent is None or _program(agent) != PROGRAMS[marker[0]]:
            return None
        own, its = self._owners.get(process.id.pid), self._owners.get(agent.id.pid)
        return agent if own and its and its.evidence is Evidence.TREE and its.pane == own.pane else None

    def _holder(self, marker: _Marker) -> _Holder | None:
        """The youngest agent in a pane that passed this marker to a child."""
        if marker not in self._holders:
            found = []
            for each in self._carriers[marker]:
                owner = self._owners.get(each.id.pid)
                agent = self._agent_above(each, marker) if owner and owner.evidence is Evidence.TREE else None
                if owner is not None and owner.pane is not None and agent is not None:
                    found.append(_Holder(agent=agent, pane=owner.pane))
            self._holders[marker] = max(found, key=lambda each: each.agent.id.start_ticks, default=None)
        return self._holders[marker]

    def _agents_outside(self) -> frozenset[str]:
        """Programs of agents of this user that do not run in a pane for certain."""
        if self._outside is None:
            self._outside = frozenset(
                program
                for pid, process in self._table.processes.items()
                if process.alive
                and self._table.uid in (None, process.uid)
                and (program := _program(process))
                and not self._is_inside(pid)
            )
        return self._outside

    def _is_inside(self, pid: int) -> bool:
        owner = self._owners.get(pid)
        return owner is not None and owner.kind is OwnerKind.PANE and owner.evidence in _CERTAIN


def carries_marker(process: Process) -> bool | None:
    """True for a living process with a variable for the id of an agent's session, else None."""
    # Most processes have none of the kept variables.
    found = process.environ and not PROGRAMS.keys().isdisjoint(process.environ) and process.alive
    return True if found else None


def _markers(process: Process) -> tuple[_Marker, ...]:
    variables = environment(process)
    return tuple((name, text) for name in PROGRAMS if _ID.fullmatch(text := variables.get(name, "")))


def _program(process: Process) -> str:
    match = _MATCHER.match(process)
    return "" if match is None or match.service else match.signature.program


def _are_older(held: Iterable[_Holder], process: Process) -> bool:
    return all(each.agent.id.start_ticks <= process.id.start_ticks for each in held)


def _owner_of(holder: _Holder) -> Owner:
    agent = holder.agent
    return Owner(
        kind=OwnerKind.PANE,
        evidence=Evidence.AGENT_MARKER,
        reason=f"has the session id of {_program(agent)}, pid {agent.id.pid}, in {_named(holder.pane)}",
        server=holder.pane.server,
        pane=holder.pane,
    )


def _named(key: PaneKey) -> str:
    return f"pane {key.pane} of tmux server {key.server.pid}"
