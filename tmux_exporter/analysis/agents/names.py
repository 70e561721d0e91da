"""Names of agents: chosen once, unique in their session, kept for as long as their pane lives."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.agents.name_rules import LocationNames
from tmux_exporter.config import NameConfig
from tmux_exporter.facts.agents import AgentKey, SavedName
from tmux_exporter.facts.label import label_text, suffixed
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Pane, PaneKey, Session, TmuxView, Window

_MOST_ABSENT = 10_000
"""Names of absent agents that are kept; beyond, those that were given first are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRequest:
    """An agent that needs a name. `wanted` is a finished label; `declared` says that `@agent` gave it."""

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
    """What an agent of `pane` would like to be called, and whether the pane's `@agent` says so.

    Without `@agent` it is what the first of the configuration's `rules` that fits says, else the window's
    name where somebody chose it, else `session:window`.
    """
    if pane.agent_option.strip():
        return label_text(pane.agent_option), True
    place = LocationNames.of(window, session) if rules else None
    if place and (name := next((r.name for r in rules if place.fit(r.windows, r.sessions)), "")):
        return name, False
    if window is not None and window.name and not window.automatic_rename:
        return label_text(window.name), False
    return suffixed(label_text(session.name), f":{pane.window_index}"), False


class AgentNames:
    """Gives names and remembers them by server, pane and program.

    A name stays when its window or session is renamed and when its agent is started again in its pane. Only
    `@agent` changes it, or a move into a session where somebody else has it.
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
        """What must survive us."""
        return tuple(
            SavedName(
                key=place,
                name=entry.name,
                wanted=entry.base,
                session_id=entry.session_id,
                holder=entry.holder,
            )
            for place, entry in self._entries.items()
        )

    def assign(self, view: TmuxView, claims: Sequence[NameRequest]) -> tuple[str, ...]:
        """The names of all agents of one sample, in the order of `claims`."""
        self._forget(view)
        slots = self.keys_of(claims)
        taken = self._reserved(set(slots))
        order = sorted(range(len(claims)), key=lambda at: self._turn(slots[at], claims[at]))
        for at in order:
            self._name(slots[at], claims[at], taken)
        live = set(slots)
        for slot, entry in self._entries.items():
            entry.present = slot in live
        return tuple(self._entries[slot].name for slot in slots)

    def has_held(self, pane: PaneKey, program: str) -> bool:
        """Whether the pane holds, or has held, an agent of a program other than `program`."""
        return any(place.pane == pane and place.program != program for place in self._entries)

    def keys_of(self, claims: Sequence[NameRequest]) -> list[AgentKey]:
        """A place for each claim among those of its program in its pane; a process keeps its own."""
        numbers = {
            (pane, program, entry.holder): number for (pane, program, number), entry in self._entries.items()
        }
        slots: dict[int, AgentKey] = {}
        for at, claim in enumerate(claims):
            number = numbers.get((claim.pane, claim.program, claim.process))
            if number is not None:
                slots[at] = AgentKey(claim.pane, claim.program, number)
        used = set(slots.values())
        for at, claim in enumerate(claims):
            number = 0
            while at not in slots:
                slot = AgentKey(claim.pane, claim.program, number)
                if slot not in used:
                    slots[at] = slot
                    used.add(slot)
                number += 1
        return [slots[at] for at in range(len(claims))]

    def _reserved(self, live: set[AgentKey]) -> dict[tuple[ProcessId, str], dict[str, PaneKey | None]]:
        """Names that absent agents may come back to, by session; their own pane may use them meanwhile."""
        taken: dict[tuple[ProcessId, str], dict[str, PaneKey | None]] = {}
        for slot, entry in self._entries.items():
            if slot not in live:
                taken.setdefault((slot[0].server, entry.session_id), {})[entry.name] = slot[0]
        return taken

    def _turn(self, slot: AgentKey, claim: NameRequest) -> int:
        """Who keeps a name comes first, then who changes it, then who comes back, then who is new."""
        entry = self._entries.get(slot)
        if entry is None:
            return 3
        if not entry.present:
            return 2
        keeps = entry.base == _base(entry, claim) and entry.session_id == claim.session_id
        return 0 if keeps else 1

    def _name(
        self,
        slot: AgentKey,
        claim: NameRequest,
        taken: dict[tuple[ProcessId, str], dict[str, PaneKey | None]],
    ) -> None:
        used = taken.setdefault((claim.pane.server, claim.session_id), {})
        entry = self._entries.get(slot)
        base = _base(entry, claim)
        wanted = entry.name if entry is not None and entry.base == base else base
        name = wanted if used.get(wanted, claim.pane) == claim.pane else ""
        if not name:
            name, number = base, 1
            while used.get(name, claim.pane) != claim.pane:
                number += 1
                name = suffixed(base, f"#{number}")
        # From now on it is taken for every pane, also its own.
        used[name] = None
        self._entries[slot] = _Entry(
            name=name, base=base, holder=claim.process, session_id=claim.session_id, present=True
        )

    def _forget(self, view: TmuxView) -> None:
        gone = gone_panes(view, {slot.pane for slot in self._entries})
        kept = {slot: entry for slot, entry in self._entries.items() if slot.pane not in gone}
        absent = [slot for slot, entry in kept.items() if not entry.present]
        for slot in absent[: max(0, len(absent) - _MOST_ABSENT)]:
            del kept[slot]
        self._entries = kept


def _base(entry: _Entry | None, claim: NameRequest) -> str:
    return claim.wanted if entry is None or claim.declared else entry.base


def gone_panes(view: TmuxView, panes: Iterable[PaneKey]) -> set[PaneKey]:
    """The panes that are proven to be gone: a server that does not answer proves nothing."""
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
