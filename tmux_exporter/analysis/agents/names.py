"""Names of agents: chosen once, unique in their session, kept while their pane exists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.name_rules import LocationNames
from tmux_exporter.config import NameConfig
from tmux_exporter.facts.agents import AgentKey, SavedName
from tmux_exporter.facts.label import label_text, suffixed
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Pane, PaneKey, Session, TmuxView, Window

_MOST_ABSENT = 10_000
"""Names of absent agents that are kept; beyond this, the name given first is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRequest:
    """An agent that needs a name. `wanted` is a label; `declared`: it comes from `@agent`."""

    pane: PaneKey
    session_id: str
    program: str
    process: ProcessId
    wanted: str
    declared: bool


@dataclass(slots=True, kw_only=True)
class _Entry:
    name: str
    base: str
    holder: ProcessId
    session_id: str
    present: bool


def wanted_name(
    pane: Pane, window: Window | None, session: Session, rules: Sequence[NameConfig] = ()
) -> tuple[str, bool]:
    """The wanted name of an agent in `pane`, and whether it comes from the pane's `@agent`.

    Without `@agent` it is the name of the first configured rule that matches, else the window's name unless
    tmux chose it, else `session:window`.
    """
    if pane.agent_option.strip():
        return label_text(pane.agent_option), True
    location = LocationNames.of(window, session) if rules else None
    if location and (name := next((r.name for r in rules if location.fit(r.windows, r.sessions)), "")):
        return name, False
    if window is not None and window.name and not window.automatic_rename:
        return label_text(window.name), False
    return suffixed(label_text(session.name), f":{pane.window_index}"), False


class AgentNames:
    """Gives names to agents and keeps them by server, pane and program.

    A name stays when the window or session is renamed and when the agent restarts in its pane. Only `@agent`
    changes it, or a move into a session where another agent has the name.
    """

    def __init__(self, memory: Iterable[SavedName] = ()) -> None:
        self._entries: dict[AgentKey, _Entry] = {
            each.key: _Entry(
                name=each.name,
                base=each.wanted,
                holder=each.holder,
                session_id=each.session_id,
                present=False,
            )
            for each in memory
        }

    def memory(self) -> tuple[SavedName, ...]:
        """What the state file keeps."""
        return tuple(
            SavedName(
                key=key, name=entry.name, wanted=entry.base, session_id=entry.session_id, holder=entry.holder
            )
            for key, entry in self._entries.items()
        )

    def assign(self, view: TmuxView, requests: Sequence[NameRequest]) -> tuple[str, ...]:
        """The names of all agents of one sample, in the order of `requests`."""
        self._drop_gone(view)
        keys = self.keys_of(requests)
        taken = self._reserved(set(keys))
        order = sorted(range(len(requests)), key=lambda at: self._priority(keys[at], requests[at]))
        for at in order:
            self._give_name(keys[at], requests[at], taken)
        live = set(keys)
        for key, entry in self._entries.items():
            entry.present = key in live
        return tuple(self._entries[key].name for key in keys)

    def panes_that_held_another(self, program: str) -> set[PaneKey]:
        """The panes that have, or had, an agent of a program other than `program`."""
        return {key.pane for key in self._entries if key.program != program}

    def keys_of(self, requests: Sequence[NameRequest]) -> list[AgentKey]:
        """The key of each request, numbered within program and pane; a known process keeps its number."""
        numbers = {
            (pane, program, entry.holder): number for (pane, program, number), entry in self._entries.items()
        }
        keys: dict[int, AgentKey] = {}
        for at, request in enumerate(requests):
            number = numbers.get((request.pane, request.program, request.process))
            if number is not None:
                keys[at] = AgentKey(request.pane, request.program, number)
        used = set(keys.values())
        for at, request in enumerate(requests):
            number = 0
            while at not in keys:
                key = AgentKey(request.pane, request.program, number)
                if key not in used:
                    keys[at] = key
                    used.add(key)
                number += 1
        return [keys[at] for at in range(len(requests))]

    def _reserved(self, live: set[AgentKey]) -> dict[tuple[ProcessId, str], dict[str, PaneKey | None]]:
        """Names reserved for absent agents, by session; only agents in the same pane may use one."""
        taken: dict[tuple[ProcessId, str], dict[str, PaneKey | None]] = {}
        for key, entry in self._entries.items():
            if key not in live:
                taken.setdefault((key[0].server, entry.session_id), {})[entry.name] = key[0]
        return taken

    def _priority(self, key: AgentKey, request: NameRequest) -> int:
        """Order of naming: unchanged names first, then changed ones, then returning agents, then new ones."""
        entry = self._entries.get(key)
        if entry is None:
            return 3
        if not entry.present:
            return 2
        keeps = entry.base == _base(entry, request) and entry.session_id == request.session_id
        return 0 if keeps else 1

    def _give_name(
        self,
        key: AgentKey,
        request: NameRequest,
        taken: dict[tuple[ProcessId, str], dict[str, PaneKey | None]],
    ) -> None:
        used = taken.setdefault((request.pane.server, request.session_id), {})
        entry = self._entries.get(key)
        base = _base(entry, request)
        wanted = entry.name if entry is not None and entry.base == base else base
        name = wanted if used.get(wanted, request.pane) == request.pane else ""
        if not name:
            name, number = base, 1
            while used.get(name, request.pane) != request.pane:
                number += 1
                name = suffixed(base, f"#{number}")
        # From now on it is taken, also for the same pane.
        used[name] = None
        self._entries[key] = _Entry(
            name=name, base=base, holder=request.process, session_id=request.session_id, present=True
        )

    def _drop_gone(self, view: TmuxView) -> None:
        gone = gone_panes(view, {key.pane for key in self._entries})
        kept = {key: entry for key, entry in self._entries.items() if key.pane not in gone}
        absent = [key for key, entry in kept.items() if not entry.present]
        for key in absent[: max(0, len(absent) - _MOST_ABSENT)]:
            del kept[key]
        self._entries = kept


def _base(entry: _Entry | None, request: NameRequest) -> str:
    return request.wanted if entry is None or request.declared else entry.base


def gone_panes(view: TmuxView, panes: Iterable[PaneKey]) -> set[PaneKey]:
    """The panes that are proven to be gone; a server that does not answer proves nothing."""
    panes = list(panes)
    if not panes:
        return set()
    servers = {each.process: each for each in view.servers if each.process is not None}
    listed = {
        PaneKey(each.listing.server, pane.id)
        for each in view.servers
        if each.listing is not None
        for pane in each.listing.panes
    }
    unseen_is_gone = not view.problems and all(each.process is not None for each in view.servers)
    gone = set()
    for key in panes:
        server = servers.get(key.server)
        ended = unseen_is_gone if server is None else server.ended
        if ended or (server is not None and server.up and key not in listed):
            gone.add(key)
    return gone
