"""Conversations of OpenCode (`opencode.db`, SQLite): rows of sessions and of their messages, read only.

The forms are those of 1.18. Numbers, identities and words of closed lists are picked within the database: no
text leaves it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tmux_exporter.facts.spending import (
    Event,
    Line,
    Occasion,
    RequestSeen,
    SpendingProblem,
    Tokens,
    ToolResult,
    ToolSeen,
)
from tmux_exporter.sources.common.untrusted_file import mark_of
from tmux_exporter.sources.spending.database import changes, opened_database, reading
from tmux_exporter.sources.spending.located import Note, Source
from tmux_exporter.sources.spending.values import key, model, number, tokens

if TYPE_CHECKING:
    import sqlite3

_MOST_ROWS = 512
_MOST_OPEN = 64
_SESSIONS = (
    "SELECT id, time_created FROM session "
    "WHERE directory = ? AND parent_id IS NULL AND time_updated >= ? LIMIT 64"
)
_SUBAGENTS = """
WITH RECURSIVE below(id, time_created) AS (
  SELECT id, time_created FROM session WHERE parent_id = ?
  UNION SELECT session.id, session.time_created FROM session JOIN below ON session.parent_id = below.id
) SELECT id, time_created FROM below LIMIT 256"""
_FIELDS = {
    "role": "role", "model": "modelID", "dollars": "cost", "input": "tokens.input", "output": "tokens.output",
    "reasoning": "tokens.reasoning", "read": "tokens.cache.read", "written": "tokens.cache.write",
    "completed": "time.completed", "finish": "finish", "summary": "summary",
}  # fmt: skip
_MESSAGES = (
    "SELECT id, time_created, "  # noqa: S608 - the names above only
    + ", ".join(f"json_extract(data, '$.{path}')" for path in _FIELDS.values())
    + " FROM message WHERE json_valid(data) AND "
)
_TOOLS = (
    "SELECT json_extract(data, '$.callID'), json_extract(data, '$.state.status') FROM part "
    "WHERE message_id = ? AND json_valid(data) AND json_extract(data, '$.type') = 'tool'"
)
_ENDED = {"completed": ToolResult.OK, "error": ToolResult.ERROR}


def home(environ: Mapping[str, str]) -> str:
    """The path of its database."""
    data = environ.get("XDG_DATA_HOME") or os.path.join(environ.get("HOME", "/"), ".local", "share")
    return os.path.join(data, "opencode", environ.get("OPENCODE_DB") or "opencode.db")


def place(base: str, folder: str) -> str:  # noqa: ARG001 - one for all folders
    """What changes where there is a new conversation."""
    log = f"{base}-wal"
    return log if mark_of(log) is not None else base


def candidates(base: str, folder: str, since: float, uid: int) -> Mapping[str, tuple[Source, ...]]:
    """The sessions of a folder that were changed since then, with their subagents. Raises OSError."""
    found: dict[str, tuple[Source, ...]] = {}
    with closing(opened_database(base, uid)) as database, reading():
        for session, created in database.execute(_SESSIONS, (folder, int(since * 1000))).fetchall():
            below = database.execute(_SUBAGENTS, (session,)).fetchall()
            found[session] = tuple(
                RowsSource(database=base, session=each, begins=at / 1000, main=each == session)
                for each, at in ((session, created), *below)
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsSource:
    """One session of a database; as Source says."""

    database: str
    session: str
    begins: float
    main: bool

    @property
    def path(self) -> str:
        """As Source says."""
        return f"{self.database}#{self.session}"

    def open(self, *, uid: int, since: float, note: Note) -> "FollowedRows":
        """As Source says."""
        return FollowedRows(self, uid=uid, since=since, note=note)


class FollowedRows:
    """The messages of one session, each when it is complete; as Followed says."""

    def __init__(self, source: RowsSource, *, uid: int, since: float, note: Note) -> None:
        self.whole, self.caught_up, self.taken = True, False, 0
        self._source, self._uid, self._note = source, uid, note
        # What was written before is of another process.
        self._behind = int(max(since, source.begins) * 1000) - 1, ""
        self._open: dict[str, None] = {}
        self._changes: object = None

    def look(self) -> bool:
        """As Followed says."""
        return self._changes != changes(self._source.database)

    def read(self, most: int) -> Iterator[Line | None]:  # noqa: ARG002 - rows are small
        """As Followed says."""
        seen = changes(self._source.database)
        with closing(opened_database(self._source.database, self._uid)) as database, reading():
            new = database.execute(
                f"{_MESSAGES} session_id = ? AND (time_created, id) > (?, ?) "
                f"ORDER BY time_created, id LIMIT {_MOST_ROWS}",
                (self._source.session, *self._behind),
            ).fetchall()
            waiting = [
                row
                for each in list(self._open)
                for row in database.execute(f"{_MESSAGES} id = ?", (each,)).fetchall()
            ]
            self.taken = 1024 * (len(new) + len(waiting))
            for row in (*waiting, *new):
                yield from self._line(database, row)
        if new:
            self._behind = new[-1][1], new[-1][0]
        if len(new) < _MOST_ROWS:
            self._changes, self.caught_up = seen, True

    def _line(self, database: "sqlite3.Connection", row: tuple[Any, ...]) -> Iterator[Line]:
        identity, created = row[:2]
        fields = dict(zip(_FIELDS, row[2:], strict=True))
        if fields["role"] == "assistant" and not fields["completed"]:
            self._open[identity] = None
            while len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]
            return
        self._open.pop(identity, None)
        try:
            events = tuple(self._events(identity, fields))
        except ValueError:
            self._note(SpendingProblem.MALFORMED)
            return
        tools = tuple(
            ToolSeen(key=call, result=_ENDED[status])
            for call, status in database.execute(_TOOLS, (identity,))
            if key(call) and status in _ENDED
        )
        if events or tools:
            yield Line(at=created / 1000, events=(*events, *tools))

    def _events(self, identity: str, fields: Mapping[str, Any]) -> Iterator[Event]:
        if fields["role"] == "user" and self._source.main:
            yield Occasion.PROMPT
        if fields["role"] != "assistant":
            return
        if fields["summary"]:
            yield Occasion.COMPACTION
        reasoning = tokens(fields, "reasoning")
        spent = Tokens(
            input=tokens(fields, "input"),
            output=tokens(fields, "output") + reasoning,
            cache_read=tokens(fields, "read"),
            cache_write_5m=tokens(fields, "written"),
            reasoning=reasoning,
        )
        if spent != Tokens():
            yield RequestSeen(
                key=identity,
                model=model(fields["model"]),
                tokens=spent,
                context=spent.input + spent.cache_read + spent.cache_write_5m if self._source.main else None,
                dollars=number(fields, "dollars") or 0.0,
            )
        if self._source.main and fields["finish"] == "stop" and not fields["summary"]:
            yield Occasion.TURN
