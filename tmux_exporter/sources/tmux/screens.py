"""Read the last rows of the screens of panes, by pane id; the text is not kept after the sample.

Unless `agents.pane_text` is `off`. The text is what an agent and its user write. It goes only to the screen
patterns of `analysis/agents`, which reduce it to a closed list of states: it is in no log, repr or error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.tmux import PaneKey, QueryFailure
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.query import screen_mark

MOST_PANES = 16
"""The limit of panes of one server in one query; the others follow in the next samples."""

MOST_BYTES = 64 << 10
"""The limit of bytes of one pane: many times a screen of 300 columns and 80 rows."""

LAST_ROWS = 24
"""Rows that are kept of a screen, counted upwards from the last one that is not blank."""

MOST_COLUMNS = 400
"""Characters that are kept of one row."""

DEADLINE_SECONDS = 1.0
LATE_REST_SECONDS = 5.0
"""After the first late answer; each that follows doubles it, up to SERVER_REST_SECONDS."""

SERVER_REST_SECONDS = 60.0
PANE_REST_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The screen of one pane: its last rows that are not blank, or why they are unknown, in our own words.

    `taken_at`: monotonic time; it was read at that time or later.
    """

    taken_at: float
    rows: tuple[str, ...] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A server, by its socket, and the panes to read, the most urgent first."""

    socket: str
    panes: tuple[PaneKey, ...]


class ScreenReader:
    """Queries screens, and keeps which servers and panes must wait; not thread-safe."""

    def __init__(self, *, uid: int, clock: Clock) -> None:
        self._uid = uid
        self._clock = clock
        self._servers: dict[str, float] = {}
        self._careful: dict[str, float] = {}
        self._panes: dict[PaneKey, float] = {}
        self._late: dict[str, int] = {}

    def read(self, asked: Sequence[Asked], *, transport: str, timeout: float) -> Mapping[PaneKey, Screen]:
        """Read as many panes as allowed now, all servers at once; raises nothing.

        A pane that is not in the result was not queried. If the answer is too long or refused, the server is
        left alone for a minute and then queried for one pane at a time, so that one pane does not block
        another. If it is late, which a busy machine explains, the server is left alone for some seconds, at
        each late answer in a row for longer.
        """
        now = self._clock.monotonic()
        for rests in (self._servers, self._careful):
            _forget(rests, now)
        _forget(self._panes, now)
        batches = {each.socket: self._batch(each) for each in asked if each.socket not in self._servers}
        answers = ask_all(
            [
                Question(socket=path, version=None, screens=tuple(key.pane for key in keys))
                for path, keys in batches.items()
                if keys
            ],
            uid=self._uid,
            timeout=min(timeout, DEADLINE_SECONDS),
            transport=transport,
            clock=self._clock,
        )
        found: dict[PaneKey, Screen] = {}
        for answer in answers:
            found.update(self._take(answer, batches[answer.socket]))
        return found

    def _batch(self, asked: Asked) -> tuple[PaneKey, ...]:
        most = 1 if asked.socket in self._careful else MOST_PANES
        return tuple(key for key in asked.panes if key not in self._panes)[:most]

    def _take(self, answer: Answer, keys: Sequence[PaneKey]) -> dict[PaneKey, Screen]:
        if answer.failure is QueryFailure.HUNG:
            late = self._late[answer.socket] = self._late.get(answer.socket, 0) + 1
            rest = min(SERVER_REST_SECONDS, LATE_REST_SECONDS * 2 ** min(late - 1, 10))
            self._servers[answer.socket] = answer.sent_at + rest
            # Once it has answered in time for a minute it is asked for all again.
            self._careful[answer.socket] = answer.sent_at + rest + SERVER_REST_SECONDS
        elif answer.failure is not None:
            self._servers[answer.socket] = answer.sent_at + SERVER_REST_SECONDS
            self._careful[answer.socket] = answer.sent_at + PANE_REST_SECONDS
            if len(keys) == 1:
                self._panes[keys[0]] = answer.sent_at + PANE_REST_SECONDS
        if answer.failure is not None:
            why = _FAILURES.get(answer.failure, "tmux could not be asked for its text")
            return {key: Screen(taken_at=answer.sent_at, problem=why) for key in keys}
        self._late.pop(answer.socket, None)
        texts = parse_screens(answer.stdout, answer.nonce)
        # Only a restarted server reuses the id of a pane, and then another server answers.
        return {
            key: (
                Screen(taken_at=answer.sent_at, rows=texts[key.pane])
                if key.pane in texts and answer.peer == key.server.pid
                else Screen(taken_at=answer.sent_at, problem="tmux did not show its text")
            )
            for key in keys
        }


_FAILURES = {
    QueryFailure.HUNG: "tmux did not show its text in time",
    QueryFailure.DENIED: "tmux refuses to show its text",
    QueryFailure.UNTRUSTED: "its text is too long, or its server is not trusted",
}


def _forget(rests: dict[str, float] | dict[PaneKey, float], now: float) -> None:
    for key in [key for key, until in rests.items() if until <= now]:
        del rests[key]  # type: ignore[arg-type]


def parse_screens(answer: bytes, nonce: str) -> dict[str, tuple[str, ...]]:
    """The last rows by pane id, of each pane whose text is complete; pure.

    A pane cannot forge a mark: it did not know the nonce. A text that is too long is dropped.
    """
    found: dict[str, tuple[str, ...]] = {}
    pieces = answer.split(nonce.encode())
    # Nothing comes before the first mark, and nothing that counts after the last.
    for piece in pieces[1:-1]:
        mark, newline, text = piece.partition(b"\n")
        number = mark[1:].decode("ascii", "replace")
        if newline and mark == screen_mark("", f"%{number}").encode() and len(text) <= MOST_BYTES:
            found[f"%{number}"] = last_rows(text)
    return found


def last_rows(text: bytes) -> tuple[str, ...]:
    """The last rows of a screen that are not blank, from top to bottom."""
    rows: list[str] = []
    for line in reversed(text.split(b"\n")):
        if row := line.decode("utf-8", "replace").rstrip():
            rows.append(row[:MOST_COLUMNS])
            if len(rows) == LAST_ROWS:
                break
    return tuple(reversed(rows))
