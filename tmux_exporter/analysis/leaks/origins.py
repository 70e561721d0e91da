"""Where panes were: the labels of their server and session, kept for what outlives them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView

_MOST_GONE = 2_000
"""Panes that are gone and still known; beyond, those that nobody asked for longest are forgotten."""

SessionKey = tuple[str, str]
"""Finished labels of a server and a session; empty where they are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    server: str
    session_id: str
    session: str


class PaneOrigins:
    """Remembers the place of every pane that was ever listed, whatever becomes of its server."""

    def __init__(self) -> None:
        self._panes: dict[PaneKey, _Known] = {}
        self._labels: Mapping[tuple[ProcessId, str], str] = {}
        self._servers: dict[ProcessId, str] = {}

    def observe(self, view: TmuxView, session_labels: Mapping[tuple[ProcessId, str], str]) -> None:
        """Take in the panes of one sample."""
        self._labels = session_labels
        self._servers = {each.process: each.label for each in view.servers if each.process is not None}
        listed: set[PaneKey] = set()
        for each in view.servers:
            for pane in each.listing.panes if each.listing else ():
                key = PaneKey(each.listing.server, pane.id) if each.listing else None
                if key is None:
                    continue
                listed.add(key)
                known = self._panes.get(key)
                label = session_labels.get((key.server, pane.session_id), "")
                if known is None or (known.session_id, known.session) != (pane.session_id, label):
                    self._panes[key] = _Known(server=each.label, session_id=pane.session_id, session=label)
        if len(self._panes) > len(listed) + _MOST_GONE:
            gone = [key for key in self._panes if key not in listed]
            for key in gone[: len(gone) - _MOST_GONE]:
                del self._panes[key]

    def recall(self, key: PaneKey, place: SessionKey) -> None:
        """Take in where a pane was that is not listed any more; what is listed goes before."""
        self._panes.setdefault(key, _Known(server=place[0], session_id="", session=place[1]))

    def of_pane(self, key: PaneKey) -> SessionKey | None:
        """The place of a pane; its session's label of today where that is still there."""
        known = self._panes.get(key)
        if known is None:
            return None
        label = self._labels.get((key.server, known.session_id), known.session)
        known = known if label == known.session else replace(known, session=label)
        # The one that is asked for last is forgotten last.
        del self._panes[key]
        self._panes[key] = known
        return known.server, label

    def of_session(self, server: ProcessId | None, session_id: str | None) -> SessionKey:
        """The place of a session that is there."""
        if server is None:
            return "", ""
        label = self._labels.get((server, session_id), "") if session_id is not None else ""
        return self._servers.get(server, ""), label

    def of(self, owner: Owner | None, process: Process) -> SessionKey:
        """The place of what left a process behind."""
        if owner is None or owner.server is None:
            return "", ""
        if owner.pane is not None and (place := self.of_pane(owner.pane)) is not None:
            return place
        return self._servers.get(owner.server, ""), self._first_session(owner.server, process)

    def _first_session(self, server: ProcessId, process: Process) -> str:
        """The session in which the pane was made, as TMUX says it; a pane may have moved since."""
        variable = (process.environ or {}).get("TMUX", "")
        socket_and_pid, comma, number = variable.rpartition(",")
        if not comma or not socket_and_pid.endswith(f",{server.pid}") or not number.isdecimal():
            return ""
        return self._labels.get((server, f"${number}"), "")
