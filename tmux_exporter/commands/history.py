"""The last hour of every agent and session: counters and bytes, a point each 15 s.

The page asks for it once and goes on by itself with the reports that it gets. Nothing is kept before the
first page asks. A rate is the reader's to work out (D12).
"""

import json
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.report import AgentReport, Report, SessionReport, Usage

STEP_SECONDS = 15.0
POINTS = 240
_EARLY_SECONDS = 1.0
"""A sample that comes so much early is the next point all the same."""

_NOT_KNOWN = 2**32 - 1
_TICKS = 100
"""Counters are kept in hundredths of a second, memory in KiB: 4 bytes each."""

_GZIP = 31
"""The window of zlib, as gzip wraps it."""

_STATES = tuple(AgentState)
_NO_STATE = len(_STATES)

Key = tuple[str, ...]


class _Row:
    """The points of one agent or session, by slot."""

    __slots__ = ("cpu", "last", "memory", "states")

    def __init__(self, *, states: bool) -> None:
        self.cpu = array("I", [_NOT_KNOWN]) * POINTS
        self.memory = array("I", [_NOT_KNOWN]) * POINTS
        self.states = bytearray([_NO_STATE]) * POINTS if states else bytearray()
        self.last = 0

    def put(self, slot: int, usage: Usage | None, state: AgentState | None) -> None:
        self.cpu[slot] = min(round(usage.cpu_seconds_total * _TICKS), _NOT_KNOWN - 1) if usage else _NOT_KNOWN
        memory = usage.memory_bytes if usage else None
        self.memory[slot] = _NOT_KNOWN if memory is None else min(memory // 1024, _NOT_KNOWN - 1)
        if self.states:
            self.states[slot] = _NO_STATE if state is None else _STATES.index(state)


class History:
    """Takes reports in one thread, answers in any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: list[float] = []
        self._taken = 0
        self._rows: dict[Key, _Row] = {}
        self._made: tuple[int, bytes] = (-1, b"")

    def take(self, report: Report) -> None:
        """Keep this sample where a point is due. After a step of the clock it begins anew."""
        with self._lock:
            if self._times:
                since = report.timestamp - self._times[-1]
                if 0 <= since < STEP_SECONDS - _EARLY_SECONDS:
                    return
                if since < 0:
                    self._times, self._taken, self._rows = [], 0, {}
            self._put(report)

    def _put(self, report: Report) -> None:
        slot = self._taken % POINTS
        self._taken += 1
        self._times = [*self._times[-(POINTS - 1) :], report.timestamp]
        things: tuple[SessionReport | AgentReport, ...] = (*report.sessions, *report.agents)
        for each in things:
            key = _key(each)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = _Row(states=isinstance(each, AgentReport))
            agent = each if isinstance(each, AgentReport) else None
            row.put(slot, each.usage if agent is None or agent.up else None, agent.state if agent else None)
            row.last = self._taken
        for key, row in list(self._rows.items()):
            if row.last <= self._taken - POINTS:
                del self._rows[key]
            elif row.last != self._taken:
                row.put(slot, None, None)

    def gzipped(self) -> bytes:
        """All points as JSON, the oldest first, compressed; null is not known."""
        with self._lock:
            if self._made[0] != self._taken:
                # Piece by piece: the whole text is twenty times what it is made from.
                packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
                packed = [packer.compress(piece.encode("ascii")) for piece in self._pieces()]
                self._made = self._taken, b"".join((*packed, packer.flush()))
            return self._made[1]

    def _pieces(self) -> Iterator[str]:
        many = len(self._times)
        order = [slot % POINTS for slot in range(self._taken - many, self._taken)]
        yield f'{{"version":1,"step_seconds":{STEP_SECONDS},"timestamps":{_dumps(self._times)}'
        for name, length in (("sessions", 2), ("agents", 3)):
            yield f',"{name}":['
            for place, key in enumerate(key for key in self._rows if len(key) == length):
                yield ("," if place else "") + _dumps(self._told(key, order))
            yield "]"
        yield "}"

    def _told(self, key: Key, order: Sequence[int]) -> dict[str, object]:
        row = self._rows[key]
        states = {"states": _runs(row.states[slot] for slot in order)} if row.states else {}
        return {
            **dict(zip(("server", "session", "agent"), key, strict=False)),
            "cpu_seconds_total": _told(row.cpu, order, 1 / _TICKS),
            "memory_bytes": _told(row.memory, order, 1024),
            **states,
        }


def _dumps(thing: object) -> str:
    return json.dumps(thing, separators=(",", ":"))


def _key(thing: SessionReport | AgentReport) -> Key:
    names = (thing.server, thing.session)
    return (*names, thing.agent) if isinstance(thing, AgentReport) else names


def _told(values: Sequence[int], order: Sequence[int], factor: float) -> list[float | None]:
    return [None if values[slot] == _NOT_KNOWN else round(values[slot] * factor, 2) for slot in order]


def _runs(states: Iterable[int]) -> list[tuple[str | None, int]]:
    """Each state with the number of points that it lasted."""
    return [
        (str(_STATES[state]) if state < _NO_STATE else None, sum(1 for _ in run))
        for state, run in groupby(states)
    ]
