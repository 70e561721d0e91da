"""What panes show: the last rows of their screens, asked by pane id, forgotten with the look that took them.

Only where `agents.pane_text` is set. What is read here is what an agent and its user write: it goes to
`analysis.screen_clues`, which makes words of a closed list of it, and nowhere else. So it is in no log, no
repr and no error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.tmux import PaneKey, QueryFailure
from tmux_exporter.sources.tmux.ask import Answer, Question, ask_all
from tmux_exporter.sources.tmux.query import screen_mark

MOST_PANES = 16
"""Panes that one server is asked for in one look; the others have their turn in the next ones."""

MOST_BYTES = 64 << 10
"""Text of one pane that is looked at: many times what fits on a screen of 300 columns and 80 rows."""

LAST_ROWS = 15
"""Rows that are kept of a screen, from its last one that is not blank upwards."""

MOST_COLUMNS = 400
"""Characters that are kept of one row."""

DEADLINE_SECONDS = 1.0
SERVER_REST_SECONDS = 60.0
PANE_REST_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What one pane shows: its last rows that are not blank, or why they are not known, in our own words.

    `taken_at` is the monotonic time before which it was not read.
    """

    taken_at: float
    rows: tuple[str, ...] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A server, by its socket, and the panes of it that are to be read, the most urgent first."""

    socket: str
    panes: tuple[PaneKey, ...]


class ScreenReader:
    """Asks, and remembers whom it must not ask for a while; never from two threads at once."""

    def __init__(self, *, uid: int, clock: Clock) -> None:
        self._uid = uid
        self._clock = clock
        self._servers: dict[str, float] = {}
        self._careful: dict[str, float] = {}
        self._panes: dict[PaneKey, float] = {}

    def read(self, asked: Sequence[Asked], *, transport: str, timeout: float) -> Mapping[PaneKey, Screen]:
        """The screens of as many panes as may be asked for now, all servers at once; raises nothing.

        A pane that is not in the result was not asked for. Where the answer did not come, or was too much,
        the server rests for a minute, and is then asked for one pane at a time: one pane costs no other.
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
        if answer.failure is not None:
            self._servers[answer.socket] = answer.sent_at + SERVER_REST_SECONDS
            self._careful[answer.socket] = answer.sent_at + PANE_REST_SECONDS
            if len(keys) == 1:
                self._panes[keys[0]] = answer.sent_at + PANE_REST_SECONDS
            why = _FAILURES.get(answer.failure, "tmux could not be asked for its text")
            return {key: Screen(taken_at=answer.sent_at, problem=why) for key in keys}
        texts = parse_screens(answer.stdout, answer.nonce)
        # The id of a pane is only told again by a server that was restarted: then another one answers.
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
    """The last rows by pane id, of each pane whose text is there to its end; pure.

    A pane cannot imitate a mark: the nonce was not known when it wrote. A text that is too long is not taken.
    """
    found: dict[str, tuple[str, ...]] = {}
    pieces = answer.split(nonce.encode())
    # Before the first mark stands nothing, and behind the last one nothing that counts.
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
