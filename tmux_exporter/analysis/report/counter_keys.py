"""Counter keys: the groups (session, pane, agent, …) that get the usage of a process.

A key consists of the labels under which its counter is exported, and nothing else: what gets a label
continues from the value of that label, so that no rename, swap or move makes a series jump or fall.
"""

import posixpath
from collections.abc import Hashable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from tmux_exporter.analysis.cpu.ledger_account import Charged, LedgerAccount
from tmux_exporter.analysis.ownership.attribution import is_unattributed
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import AgentState, TrackedAgent
from tmux_exporter.facts.changes import AuditTurns, Changes
from tmux_exporter.facts.label import Label, label_text
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState
from tmux_exporter.facts.tmux import Pane, PaneKey, TmuxView

GroupKey = tuple[Hashable, ...]

_INIT = 1

UNATTRIBUTED: GroupKey = ("unattributed",)
"""The key of usage that belongs to tmux but to no pane, existing or gone."""


def server_key(server: str) -> GroupKey:
    """The key of a tmux server's own process."""
    return ("server", server)


def session_key(server: str, session: str) -> GroupKey:
    """The key of a session: the usage of panes stays here after they have left."""
    return ("session", server, session)


def unwatched_key(server: str, session: str) -> GroupKey:
    """The key of what orphans of a session have used that no other counter of it has."""
    return ("unwatched", server, session)


def pane_key(server: str, session: str, pane: Pane) -> GroupKey:
    """The key of a pane in its current window."""
    return ("pane", server, session, pane.window_index, pane.id)


def agent_key(tracked: TrackedAgent) -> GroupKey:
    """The key of an agent, also of one that does not run now."""
    return ("agent", tracked.server, tracked.session, tracked.name)


def state_key(tracked: TrackedAgent, state: AgentState) -> GroupKey:
    """The key of an agent in one state."""
    return ("agent_state", tracked.server, tracked.session, tracked.name, state)


def scheduler_key(server: str, session: str, state: SchedulerState) -> GroupKey:
    """The key of all schedulers of a session in one state."""
    return ("scheduler", server, session, state)


MEMBER_KEYS = frozenset({"agent_state", "scheduler", "leak"})
"""First parts of the keys that end in a member of a closed list."""


def leak_key(server: str, session: str, kind: LeakKind) -> GroupKey:
    """The key of all leaked processes of one kind that a session left behind."""
    return ("leak", server, session, kind)


def server_labels(snapshot: Snapshot) -> dict[ProcessId, str]:
    """Labels of the servers that are known by their process."""
    return {view.process: view.label for view in snapshot.view.servers if view.process is not None}


def socket_label(path: str, view: TmuxView) -> Label:
    """The label that a server at a path would have; its path where another server has its name."""
    folder, name = posixpath.split(path)
    label = label_text(name)
    taken = {each.label for each in view.servers if each.socket != path}
    return label if folder in view.folders and label not in taken else label_text(path)


def scheduler_session(
    scheduler: Scheduler, snapshot: Snapshot, labels: Mapping[ProcessId, str]
) -> tuple[str, str]:
    """Server and session label of a scheduler, empty where they are not known."""
    if scheduler.server is None:
        return "", ""
    server = labels.get(scheduler.server, "")
    if scheduler.session_id is None:
        return server, ""
    return server, snapshot.session_labels.get((scheduler.server, scheduler.session_id), "")


def schedulers_by_session(snapshot: Snapshot) -> dict[tuple[str, str], list[Scheduler]]:
    """The pending schedulers by their server and session label."""
    labels = server_labels(snapshot)
    found: dict[tuple[str, str], list[Scheduler]] = {}
    for each in snapshot.schedulers:
        found.setdefault(scheduler_session(each, snapshot, labels), []).append(each)
    return found


def process_keys(
    snapshot: Snapshot, before: "_PaneKeys | None" = None
) -> dict[ProcessId, frozenset[GroupKey]]:
    """The keys that get the usage of each process in this sample; `before` are those of panes until now."""
    panes, others = _pane_keys(snapshot, before or {}), _other_keys(snapshot)
    found = {
        process: _keys(process, snapshot.owners.get(process), panes, others)
        for process in {**snapshot.owners, **others}
    }
    return {process: keys for process, keys in found.items() if keys}


_PaneKeys = Mapping[PaneKey, frozenset[GroupKey]]
_OtherKeys = Mapping[ProcessId, frozenset[GroupKey]]
_NONE: frozenset[GroupKey] = frozenset()
_ONLY_UNATTRIBUTED = frozenset({UNATTRIBUTED})


def _keys(
    process: ProcessId, owner: Owner | None, panes: _PaneKeys, others: _OtherKeys
) -> frozenset[GroupKey]:
    """The keys of one process: by its pane, and all others."""
    own = _NONE
    if owner is not None and owner.kind is OwnerKind.PANE and owner.pane is not None:
        own = panes.get(owner.pane, _NONE)
    elif owner is not None and is_unattributed(process, owner):
        own = _ONLY_UNATTRIBUTED
    other = others.get(process, _NONE)
    # One object for all members of a pane.
    return own | other if own and other else own or other


def _pane_keys(snapshot: Snapshot, before: _PaneKeys) -> _PaneKeys:
    """The keys that the members of each pane have.

    The panes of a server that has long not answered keep theirs: what they use meanwhile is not lost.
    """
    silent = {view.process for view in snapshot.view.servers if view.listing is None and not view.ended}
    found = {key: keys for key, keys in before.items() if key.server in silent} if silent else {}
    for key, (view, pane) in snapshot.panes().items():
        session = snapshot.session_labels[key.server, pane.session_id]
        found[key] = frozenset({pane_key(view.label, session, pane), session_key(view.label, session)})
    return found


def _other_keys(snapshot: Snapshot) -> _OtherKeys:
    """The keys by process of tmux servers, members of agents, schedulers and leaks."""
    found: dict[ProcessId, frozenset[GroupKey]] = {}

    def assign(process: ProcessId, keys: frozenset[GroupKey]) -> None:
        found[process] = found[process] | keys if process in found else keys

    for view in snapshot.view.servers:
        if view.process is not None:
            assign(view.process, frozenset({server_key(view.label)}))
    for tracked in snapshot.tracked_agents:
        keys = frozenset({agent_key(tracked), state_key(tracked, tracked.status.state)})
        for member in tracked.agent.members if tracked.agent else ():
            assign(member, keys)
    labels = server_labels(snapshot)
    for scheduler in snapshot.schedulers:
        keys = frozenset({scheduler_key(*scheduler_session(scheduler, snapshot, labels), scheduler.state)})
        for process_id in filter(None, (scheduler.process, scheduler.sleep)):
            assign(process_id, keys)
    for leak in snapshot.leaks.found:
        assign(leak.process, frozenset({leak_key(leak.server, leak.session, leak.kind)}))
    return found


def catch_all_keys(snapshot: Snapshot) -> dict[ProcessId, frozenset[GroupKey]]:
    """Processes that reap children of others, and the key that gets this reaped usage.

    A tmux server reaps its pane processes and jobs: what these used after they were last read is not its own.
    Orphans of a pane are reparented to init, or to another subreaper outside tmux that is the parent of a
    pane process or server; there they mix with orphans of other programs.
    """
    processes = snapshot.table.processes
    found = {view.process for view in snapshot.view.servers if view.process is not None}
    if not found:
        return {}
    pane = OwnerKind.PANE
    subreapers = {
        processes[member.pid].ppid
        for member, owner in snapshot.owners.items()
        if owner.kind is pane or member in found
    }
    for pid in {_INIT, *subreapers} & processes.keys():
        subreaper = processes[pid].id
        if subreaper not in snapshot.owners or snapshot.owners[subreaper].kind is OwnerKind.LEAKED:
            found.add(subreaper)
    return dict.fromkeys(found, _ONLY_UNATTRIBUTED)


@dataclass(frozen=True, slots=True)
class ShownKeys:
    """Keys that a report shows: of states and kinds all that begin alike are shown, or none.

    `keys` have no member where they would end in one.
    """

    keys: AbstractSet[GroupKey] = frozenset()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and (key[:-1] if key[0] in MEMBER_KEYS else key) in self.keys


def shown_keys(snapshot: Snapshot) -> ShownKeys:
    """The keys that a report of this snapshot shows; counters under other keys may expire."""
    found: set[GroupKey] = {UNATTRIBUTED}
    labels = snapshot.session_labels
    found.update(server_key(view.label) for view in snapshot.view.servers if view.process is not None)
    for view, listing in snapshot.listings():
        for session in listing.sessions:
            label = labels[listing.server, session.id]
            found.update((session_key(view.label, label), unwatched_key(view.label, label)))
        for pane in listing.panes:
            found.add(pane_key(view.label, labels[listing.server, pane.session_id], pane))
    found.update(agent_key(tracked) for tracked in snapshot.tracked_agents)
    found.update(state_key(tracked, tracked.status.state)[:-1] for tracked in snapshot.tracked_agents)
    found.update(("scheduler", *session) for session in scheduler_sessions(snapshot))
    found.update(("leak", *session) for session in leak_sessions(snapshot))
    return ShownKeys(found)


def _active_keys(snapshot: Snapshot, others: _OtherKeys) -> frozenset[GroupKey]:
    """The keys of states and kinds under which something can count; an exited agent has no process left."""
    found = {key for keys in others.values() for key in keys if key[0] in MEMBER_KEYS}
    found.update(state_key(tracked, tracked.status.state) for tracked in snapshot.tracked_agents)
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterKeys:
    """`process_keys`, `catch_all_keys` and `shown_keys` of one snapshot.

    Something can count under the `active` keys of states and kinds. `panes` are the keys of the members of
    each pane. `corrected` counts what an audit found wrong.
    """

    groups: Mapping[ProcessId, frozenset[GroupKey]]
    catch_alls: Mapping[ProcessId, frozenset[GroupKey]]
    shown: ShownKeys
    active: AbstractSet[GroupKey]
    panes: Mapping[PaneKey, frozenset[GroupKey]] = field(default_factory=dict)
    corrected: int = 0

    def orphans(self, ticks: Mapping[PaneKey, int]) -> dict[GroupKey, tuple[frozenset[GroupKey], int]]:
        """What orphans of panes have used, by the key of each pane, with the keys that it counts for."""
        return {
            key: (keys, count)
            for pane, count in ticks.items()
            for keys in (self.panes.get(pane, _NONE),)
            for key in keys
            if key[0] == "pane"
        }

    def charged(self, accounts: Mapping[PaneKey, LedgerAccount]) -> dict[GroupKey, Charged[GroupKey]]:
        """The accounts of panes by the key of each pane."""
        return {
            key: Charged(account, keys)
            for pane, account in accounts.items()
            for keys in (self.panes.get(pane, _NONE),)
            for key in keys
            if key[0] == "pane"
        }


class KeyTracker:
    """Returns the keys of each sample; updates only those that changed."""

    def __init__(self) -> None:
        self._panes: _PaneKeys = {}
        self._others: _OtherKeys = {}
        self._other_facts: object = None
        self._groups: Mapping[ProcessId, frozenset[GroupKey]] = {}
        self._catch_alls: Mapping[ProcessId, frozenset[GroupKey]] = {}
        self._shown = ShownKeys()
        self._active: AbstractSet[GroupKey] = frozenset()
        self._shown_facts: object = None
        self._audit = AuditTurns(0.5)

    def observe(self, snapshot: Snapshot, changed: AbstractSet[ProcessId], changes: Changes) -> CounterKeys:
        """The keys of a sample. `changed` are the processes whose owner changed since the last one."""
        self._update_groups(snapshot, set(changed), changes)
        owners, processes = snapshot.owners, snapshot.table.processes
        remade = (processes[pid].id for pid in changes.processes.identities if pid in processes)
        if changed or changes.tmux or any(process in owners for process in remade):
            self._catch_alls = catch_all_keys(snapshot)
        shown_facts, self._shown_facts = self._shown_facts, _shown_facts(snapshot)
        if changes.tmux or shown_facts != self._shown_facts:
            self._shown = shown_keys(snapshot)
        return CounterKeys(
            groups=self._groups,
            catch_alls=self._catch_alls,
            shown=self._shown,
            active=self._active,
            panes=self._panes,
            corrected=self._correct(snapshot) if self._audit.come(snapshot.table.taken_at) else 0,
        )

    def _correct(self, snapshot: Snapshot) -> int:
        """Work all keys out from nothing; the number of processes whose keys were wrong.

        Wrong ones are right from the next sample on.
        """
        groups, catch_alls = process_keys(snapshot, self._panes), catch_all_keys(snapshot)
        shown, active = shown_keys(snapshot), _active_keys(snapshot, _other_keys(snapshot))
        wrong = sum(groups.get(each) != self._groups.get(each) for each in groups.keys() | self._groups)
        wrong += (catch_alls, shown, active) != (self._catch_alls, self._shown, self._active)
        if wrong:
            self._groups, self._catch_alls, self._shown, self._active = groups, catch_alls, shown, active
            self._panes, self._others = _pane_keys(snapshot, self._panes), _other_keys(snapshot)
        return wrong

    def _update_groups(self, snapshot: Snapshot, stale: set[ProcessId], changes: Changes) -> None:
        owners = snapshot.owners
        other_facts, self._other_facts = self._other_facts, _other_facts(snapshot)
        if changes.tmux or other_facts != self._other_facts:
            before, self._others = self._others, _other_keys(snapshot)
            self._active = _active_keys(snapshot, self._others)
            ids = before.keys() | self._others.keys()
            stale |= {each for each in ids if before.get(each) != self._others.get(each)}
        if changes.tmux and (panes := _pane_keys(snapshot, self._panes)) != self._panes:
            self._panes = panes
            stale |= owners.keys()
        if not stale:
            return
        groups = dict(self._groups)
        for process in stale:
            if keys := _keys(process, owners.get(process), self._panes, self._others):
                groups[process] = keys
            else:
                groups.pop(process, None)
        self._groups = groups


def _other_facts(snapshot: Snapshot) -> object:
    """What `_other_keys` depends on besides tmux."""
    return (
        [
            (each.agent, each.server, each.session, each.name, each.status.state)
            for each in snapshot.tracked_agents
        ],
        [
            (each.process, each.sleep, each.server, each.session_id, each.state)
            for each in snapshot.schedulers
        ],
        [(each.process, each.server, each.session, each.kind) for each in snapshot.leaks.found],
    )


def _shown_facts(snapshot: Snapshot) -> object:
    """What `shown_keys` depends on besides tmux."""
    return (
        [(each.server, each.session, each.name) for each in snapshot.tracked_agents],
        [(each.server, each.session_id) for each in snapshot.schedulers],
        [(each.server, each.session) for each in snapshot.leaks.found],
        snapshot.leaks.unconfirmed,
    )


def leak_sessions(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Session keys under which a leak is possible: every session and server, and those of current leaks."""
    for view, listing in snapshot.listings():
        yield view.label, ""
        for session in listing.sessions:
            yield view.label, snapshot.session_labels[listing.server, session.id]
    yield from ((leak.server, leak.session) for leak in snapshot.leaks.found)
    yield from snapshot.leaks.unconfirmed


def scheduler_sessions(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Session keys under which a scheduler is possible: every session and server, and "not known"."""
    yield "", ""
    for view, listing in snapshot.listings():
        yield view.label, ""
        for session in listing.sessions:
            yield view.label, snapshot.session_labels[listing.server, session.id]
    labels = server_labels(snapshot)
    yield from (scheduler_session(each, snapshot, labels) for each in snapshot.schedulers)
