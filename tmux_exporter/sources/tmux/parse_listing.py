"""Parse the answer of a tmux server into a Listing; pure.

Only the nonce separates records: names and options may hold newlines, TABs and colons. An answer that is
not one complete and consistent listing is refused as a whole; a partial one would read as "the rest has
ended".
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import Listing, Pane, QueryFailure, Session, Window, WindowLink
from tmux_exporter.sources.tmux.ask import Answer
from tmux_exporter.sources.tmux.query import Record, ValueKind, allowed

MAX_ROWS = 20_000
"""The limit of rows; a pane has one row for each session that its window is linked into."""

_LAST_ASCII = "\x7f"
_ALERTS = ("[ ! ]", "[ . ]")
"""Codex alternates between these in its title when it asks for attention."""

_MAX_PID = 1 << 22
_FORMS = {
    ValueKind.ID: "([$@%][0-9]{1,10})",
    ValueKind.FLAG: "([01])",
    ValueKind.NUMBER: "([0-9]{1,18})",
    ValueKind.OPTIONAL_NUMBER: "([0-9]{0,18})",
}
_VERSION = re.compile(r"[A-Za-z0-9._+~-]{1,32}")

_Row = dict[str, str]
_Place = tuple[str, int]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class ListingError(Exception):
    """An answer that must not be used, and why."""

    def __init__(self, failure: QueryFailure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def parse(answer: Answer, server: ProcessId) -> Listing:
    """The listing in one answer of the server `server`, which is the process that listened on its socket.

    Raises ListingError: with the answer's own failure where it has one, UNTRUSTED where the server says that
    it is another process than our peer, PARTIAL where tmux cut a line short, else MALFORMED.
    The version is empty where the server does not answer the question for it (VERSION_NEEDS_SESSION).
    """
    if answer.failure is not None:
        raise ListingError(answer.failure, answer.detail)
    nonce = answer.nonce.encode("ascii")
    if answer.stdout.count(nonce) > 10 * MAX_ROWS:
        raise _malformed("more records than any listing has")
    # An idle server gives the same answer each time, but for the nonce.
    last, listing = _LAST.pop(server, (None, None))
    if last is None or listing is None or _but_for_nonce(last, answer.nonce) != _but_for_nonce(answer):
        listing = _listing(answer.stdout.split(nonce), answer.asked_as, server, answer.empty)
    _LAST[server] = answer, listing
    if len(_LAST) > _MOST_SERVERS:
        del _LAST[next(iter(_LAST))]
    return replace(listing, taken_at=answer.sent_at)


_LAST: dict[ProcessId, tuple[Answer, Listing]] = {}
_MOST_SERVERS = 8


def _but_for_nonce(answer: Answer, nonce: str = "") -> tuple[object, ...]:
    """What a listing is made of; with another nonce in the place of its own."""
    said = answer.stdout.replace(answer.nonce.encode(), nonce.encode()) if nonce else answer.stdout
    return said, answer.asked_as, answer.empty


def _listing(pieces: Sequence[bytes], asked_as: str | None, server: ProcessId, empty: bool) -> Listing:
    """Parse the pieces between the nonces."""
    rows = _rows(pieces, asked_as)
    version = _server_version(rows[Record.SERVER], server, empty)
    if bool(rows[Record.PANE]) == empty:
        raise _malformed("panes of a server without a session" if empty else "no pane at all")
    links = _Links(rows[Record.PANE])
    return Listing(
        server=server,
        version=version,
        sessions=tuple(links.sessions[key] for key in sorted(links.sessions, key=_number)),
        windows=tuple(links.windows[key] for key in sorted(links.windows, key=_number)),
        links=tuple(links.links[place] for place in sorted(links.links, key=lambda p: (_number(p[0]), p[1]))),
        panes=links.panes(),
        clients=len(rows[Record.CLIENT]),
        taken_at=0.0,
    )


def _malformed(detail: str) -> ListingError:
    return ListingError(QueryFailure.MALFORMED, detail)


def _number(tmux_id: str) -> int:
    return int(tmux_id[1:])


@lru_cache(maxsize=32)
def _shape(record: Record, version: str | None) -> tuple[re.Pattern[str], tuple[str, ...], tuple[str, ...]]:
    """The numbers' form, the numbers' names and the texts' names of one kind of record."""
    numbers = [v for v in allowed(record, version) if v.kind is not ValueKind.TEXT]
    texts = tuple(v.name for v in allowed(record, version) if v.kind is ValueKind.TEXT)
    form = re.compile(record + "".join(":" + _FORMS[v.kind] for v in numbers))
    return form, tuple(v.name for v in numbers), texts


def _rows(raw: Sequence[bytes], asked_as: str | None) -> dict[Record, list[_Row]]:
    """The records by kind: nonce, kind and numbers, nonce, each text with a nonce behind it, newline.

    Hooks of the user (`after-list-panes`) may print text between records. A
    line that tmux cut (LINES_CUT, LINES_CUT_OFTEN) lacks nonces, or is empty.
    """
    pieces = [piece.decode("utf-8", "surrogateescape") for piece in raw]
    rows: dict[Record, list[_Row]] = {record: [] for record in Record}
    _check_between(pieces[0])
    at = 1
    while at < len(pieces):
        head = pieces[at]
        if head[:1] not in tuple(Record):
            raise _malformed("a record of no known kind")
        record = Record(head[0])
        form, numbers, texts = _shape(record, asked_as)
        match = form.fullmatch(head)
        end = at + 1 + len(texts)
        if match is None or end >= len(pieces) or not pieces[end].startswith("\n"):
            if any("\n" in piece for piece in pieces[at:end]):
                raise ListingError(QueryFailure.PARTIAL, f"tmux cut a record of kind {record} short")
            raise _malformed(f"a record of kind {record} is not in its form")
        _check_between(pieces[end][1:])
        rows[record].append(
            dict(zip(numbers, match.groups(), strict=True))
            | dict(zip(texts, pieces[at + 1 : end], strict=True))
        )
        if len(rows[record]) > MAX_ROWS:
            raise _malformed(f"more than {MAX_ROWS} records of kind {record}")
        at = end + 1
    return rows


def _check_between(text: str) -> None:
    if text.startswith("\n") or "\n\n" in text:
        raise ListingError(QueryFailure.PARTIAL, "an empty line in the place of a record")


def _server_version(rows: list[_Row], server: ProcessId, empty: bool) -> str:
    if not rows and empty:
        return ""
    if len(rows) != 1:
        raise _malformed("not one record of server facts")
    if int(rows[0]["pid"]) != server.pid:
        raise ListingError(
            QueryFailure.UNTRUSTED, "the server claims another pid than the process that listens"
        )
    if not _VERSION.fullmatch(rows[0]["version"]):
        raise _malformed("the server's version is none")
    return rows[0]["version"]


def _agree(table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if table.setdefault(key, value) != value:
        raise _malformed(f"two rows contradict each other about {key}")


class _Links:
    """The rows combined: one for each session, window link in it, and pane of that window."""

    def __init__(self, rows: list[_Row]) -> None:
        self.sessions: dict[str, Session] = {}
        self.windows: dict[str, Window] = {}
        self.links: dict[_Place, WindowLink] = {}
        self._row_of: dict[tuple[_Place, str], _Row] = {}
        self._window_of: dict[str, str] = {}
        self._facts_of: dict[str, tuple[str, ...]] = {}
        self._panes_at: dict[_Place, list[str]] = {}
        for row in rows:
            self._add(row)
        self._check()

    def _add(self, row: _Row) -> None:
        session, window, pane = row["session_id"], row["window_id"], row["pane_id"]
        if (session[0], window[0], pane[0]) != ("$", "@", "%"):
            raise _malformed("an id of another kind than its field")
        place = (session, int(row["window_index"]))
        if (place, pane) in self._row_of:
            raise _malformed(f"pane {pane} comes twice in one place")
        self._row_of[place, pane] = row
        self._panes_at.setdefault(place, []).append(pane)
        _agree(self._window_of, pane, window)
        # Without the options: tmux inherits them from the session, so the rows of a pane may differ in them.
        facts = tuple(value for name, value in row.items() if name.startswith(("pane_", "history_")))
        _agree(self._facts_of, pane, facts)
        _agree(self.sessions, session, _session(row))
        _agree(self.windows, window, _window(row))
        link = WindowLink(
            session_id=session, window_id=window, index=place[1], active=row["window_active"] == "1"
        )
        _agree(self.links, place, link)

    def _check(self) -> None:
        """All links of a window must show the same panes; no session or window has two active ones."""
        panes_of: dict[str, frozenset[str]] = {}
        for place, link in self.links.items():
            _agree(panes_of, link.window_id, frozenset(self._panes_at[place]))
            active = [
                pane for pane in self._panes_at[place] if self._row_of[place, pane]["pane_active"] == "1"
            ]
            if len(active) > 1:
                raise _malformed(f"window {link.window_id} has two active panes")
        active_sessions = [link.session_id for link in self.links.values() if link.active]
        if len(active_sessions) != len(set(active_sessions)):
            raise _malformed("a session has two active windows")

    def panes(self) -> tuple[Pane, ...]:
        """Every pane once, as in the first link of its window in its oldest session."""
        owners: dict[str, tuple[int, int, _Place]] = {}
        for place, link in self.links.items():
            age = (self.sessions[link.session_id].created, _number(link.session_id), place)
            owners[link.window_id] = min(age, owners.get(link.window_id, age))
        found = [_pane(self._row_of[owners[window][2], pane]) for pane, window in self._window_of.items()]
        return tuple(sorted(found, key=lambda pane: _number(pane.id)))


def _session(row: _Row) -> Session:
    return Session(
        id=row["session_id"],
        name=row["session_name"],
        created=int(row["session_created"]),
        activity=int(row["session_activity"]),
        attached=int(row["session_attached"]),
        group=row["session_group"],
    )


def _window(row: _Row) -> Window:
    return Window(
        id=row["window_id"],
        name=row["window_name"],
        automatic_rename=row["automatic-rename"] == "1",
        activity=int(row["window_activity"]),
    )


_NOT_PROTECTED = ("", "0", "no", "off", "false")


def _pane(row: _Row) -> Pane:
    dead = row["pane_dead"] == "1"
    pid = int(row["pane_pid"] or 0)
    if pid > _MAX_PID:
        raise _malformed(f"the pid of pane {row['pane_id']} is none")
    return Pane(
        id=row["pane_id"],
        pid=pid if pid and not dead else None,
        session_id=row["session_id"],
        window_id=row["window_id"],
        window_index=int(row["window_index"]),
        index=int(row["pane_index"]),
        active=row["pane_active"] == "1",
        dead=dead,
        dead_status=_optional(row["pane_dead_status"]) if dead else None,
        dead_signal=_optional(row.get("pane_dead_signal", "")) if dead else None,
        history_lines=int(row["history_size"]),
        history_limit_lines=int(row["history_limit"]),
        history_bytes=int(row["history_bytes"]),
        agent_option=row["@agent"],
        role_option=row["@role"],
        protected=row["@protect"] not in _NOT_PROTECTED,
        title_sign=_sign(row["pane_title"]),
    )


def _sign(title: str) -> str:
    """The sign before the text of a title; the text is dropped."""
    if title.startswith(_ALERTS):
        return "!"
    sign = title[:1]
    return sign if sign > _LAST_ASCII and sign.isprintable() and not sign.isalnum() else ""


def _optional(number: str) -> int | None:
    return int(number) if number else None
