"""What the listings of the servers show, with labels and with the keys of their counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.analysis.report.counter_keys import GroupKey, pane_key, session_key, unwatched_key
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing, Pane, PaneKey, ServerView, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPane:
    """A listed pane, by `place`; `key` is that of its counters."""

    server: str
    session: str
    pane: Pane
    place: PaneKey
    key: GroupKey
    window_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSession:
    """A listed session; `panes` are the places of its panes among all."""

    server: str
    label: str
    session: Session
    panes: Sequence[int] = field(compare=False)
    key: GroupKey


class Shown:
    """What the listings show, with labels, and the keys of their counters."""

    def __init__(self, panes: list[ShownPane], sessions: list[ShownSession]) -> None:
        self.panes = panes
        self.pane_keys = [each.key for each in panes]
        self.places = [each.place for each in panes]
        self.sessions = sessions
        self.session_keys = [each.key for each in sessions]
        self.unwatched_keys = [unwatched_key(each.server, each.label) for each in sessions]


def what_is_shown(
    listings: Sequence[tuple[ServerView, Listing]],
    labels: Mapping[tuple[ProcessId, str], str],
    window_names: Mapping[tuple[ProcessId, str], str],
) -> Shown:
    """Every listed pane and session; `labels` are those of sessions, by server and id."""
    panes = [
        ShownPane(
            server=view.label,
            session=label,
            pane=pane,
            place=PaneKey(listing.server, pane.id),
            key=pane_key(view.label, label, pane),
            window_name=window_names.get((listing.server, pane.window_id), ""),
        )
        for view, listing in listings
        for pane in listing.panes
        for label in (labels[listing.server, pane.session_id],)
    ]
    places: dict[tuple[ProcessId, str], list[int]] = {}
    for place, each in enumerate(panes):
        places.setdefault((each.place.server, each.pane.session_id), []).append(place)
    return Shown(
        panes=panes,
        sessions=[
            ShownSession(
                server=view.label,
                label=label,
                session=session,
                panes=places.get((listing.server, session.id), []),
                key=session_key(view.label, label),
            )
            for view, listing in listings
            for session in listing.sessions
            for label in (labels[listing.server, session.id],)
        ],
    )
