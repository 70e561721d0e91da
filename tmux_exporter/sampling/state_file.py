"""The small state file: agents' names and states, who is missing, ties of processes; never a counter.

It lies in the state folder and survives the exporter. A record that is not as this version writes it is left
out, and said in the log: its names are then given anew, all others stay.
"""

import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.log import log_fields
from tmux_exporter.base.paths import private_folder
from tmux_exporter.facts.agents import (
    AgentKey,
    AgentState,
    SavedAgent,
    SavedAgents,
    SavedName,
    SavedTie,
    WaitingReason,
)
from tmux_exporter.facts.label import Label, SessionKey, bounded, is_visible
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sources.common.untrusted_file import UntrustedFileError, read_guarded

_log = logging.getLogger(__name__)
T = TypeVar("T")

NAME = "agents.json"
VERSION = 1
LARGEST_BYTES = 64 * 1024 * 1024
"""More than is ever written: 10,000 lives and 20,000 names, whose labels take thrice their bytes in JSON."""
MOST_TIES = 10_000
KEEP_SECONDS = 60.0
"""What changes with every sample (when an agent was last seen) is written no more often than this."""


class StateFile:
    """The file in `folder`, of `uid`. `boot` names this boot of the machine: another left no process."""

    def __init__(self, folder: Path, *, uid: int, clock: Clock, boot: str) -> None:
        self._folder = folder
        self._uid = uid
        self._clock = clock
        self._boot = boot
        self._kept: SavedAgents | None = None
        self._kept_at = -math.inf
        self._failing = False

    def load(self) -> SavedAgents:
        """What was kept; empty where there is nothing to be believed. Raises nothing."""
        path = str(self._folder / NAME)
        refused: list[str] = []
        try:
            content = read_guarded(path, uid=self._uid, limit=LARGEST_BYTES)
            memory = parse(content, boot=self._boot, now=self._clock.time(), refused=refused)
            if refused:
                _log.warning(
                    "records of the state file are not used",
                    extra=log_fields(file=path, records=len(refused), problem=refused[0]),
                )
            return memory
        except FileNotFoundError:
            return SavedAgents()
        except (UntrustedFileError, ValueError) as error:
            _log.warning("the state file is not used", extra=log_fields(file=path, problem=str(error)))
            return SavedAgents()

    def keep(self, memory: SavedAgents) -> None:
        """Write it if it has changed; what changes with every sample not often. A failure is logged once."""
        if memory == self._kept:
            return
        rests = self._kept is not None and _lasting(memory) == _lasting(self._kept)
        if rests and self._clock.monotonic() - self._kept_at < KEEP_SECONDS:
            return
        try:
            self._write(render(memory, boot=self._boot))
            self._failing = False
        except (OSError, CannotSeeError) as error:
            if not self._failing:
                _log.warning("the state file cannot be written", extra=log_fields(problem=str(error)))
            self._failing = True
        self._kept, self._kept_at = memory, self._clock.monotonic()

    def _write(self, content: bytes) -> None:
        folder = private_folder(self._folder, self._uid)
        draft = folder / f".{NAME}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(draft, flags, 0o600), "wb") as stream:
                stream.write(content)
            os.replace(draft, folder / NAME)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def boot_id(proc_root: str) -> str:
    """What names this boot; empty where nothing does, and then nothing of processes is believed."""
    try:
        return Path(proc_root, "sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def without_screens(memory: SavedAgents) -> SavedAgents:
    """The same without the states that were read on screens."""
    return replace(
        memory,
        tracked_agents=tuple(
            replace(each, state=AgentState.UNKNOWN, reason=None) if each.from_screen else each
            for each in memory.tracked_agents
        ),
    )


def _lasting(memory: SavedAgents) -> SavedAgents:
    return replace(memory, tracked_agents=tuple(replace(each, seen=0.0) for each in memory.tracked_agents))


def render(memory: SavedAgents, *, boot: str) -> bytes:
    """The content of the file."""
    document = {
        "version": VERSION,
        "boot": boot,
        "lives": [
            {
                "place": _written_place(each.key),
                "name": each.name,
                "version": each.version,
                "role": each.role,
                "process": each.process,
                "up": each.up,
                "seen": each.seen,
                "state": each.state,
                "reason": each.reason,
                "since": each.since,
                "screen": each.from_screen,
            }
            for each in memory.tracked_agents
        ],
        "names": [
            {
                "place": _written_place(each.key),
                "name": each.name,
                "wanted": each.wanted,
                "session": each.session_id,
                "holder": each.holder,
            }
            for each in memory.names
        ],
        "absent": memory.absent,
        "ties": [
            [*each.process, *each.pane.server, each.pane.pane, each.by_lineage]
            for each in memory.ties[:MOST_TIES]
        ],
        "left": [[*pane.server, pane.pane, *labels] for pane, labels in memory.left[:MOST_TIES]],
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def parse(content: bytes, *, boot: str, now: float, refused: list[str] | None = None) -> SavedAgents:
    """What the content says at the wall time `now`.

    A record that we do not write is left out, and why is added to `refused`. Raises ValueError where the
    content as a whole is not of this version.
    """
    document = strict_json.document(content, VERSION)
    reasons = [] if refused is None else refused
    if not boot or document.get("boot") != boot:
        document = {**document, "lives": [], "names": [], "ties": [], "left": []}
    return SavedAgents(
        tracked_agents=_records(document, "lives", lambda each: _tracked(each, now), reasons),
        names=_records(document, "names", _name, reasons),
        absent=_records(document, "absent", lambda each: _absentee(each, now), reasons),
        # Files of before do not have it.
        ties=_records({"ties": [], **document}, "ties", _tie, reasons),
        left=_records({"left": [], **document}, "left", _left, reasons),
    )


def _written_place(place: AgentKey) -> list[object]:
    return [*place.pane.server, place.pane.pane, place.program, place.number]


def _tracked(value: dict[str, Any], now: float) -> SavedAgent:
    reason = value["reason"]
    return SavedAgent(
        key=_place(value["place"]),
        name=_text(value["name"]),
        version=_text(value["version"]),
        role=_text(value["role"]),
        process=strict_json.process(value["process"]),
        up=strict_json.flag(value["up"]),
        seen=min(strict_json.number(value["seen"]), now),
        state=AgentState(value["state"]),
        reason=None if reason is None else WaitingReason(reason),
        # The clock may have been set back since.
        since=min(strict_json.number(value["since"]), now),
        from_screen=strict_json.flag(value.get("screen", False)),
    )


def _name(value: dict[str, Any]) -> SavedName:
    return SavedName(
        key=_place(value["place"]),
        name=_text(value["name"]),
        wanted=_text(value["wanted"]),
        session_id=_text(value["session"]),
        holder=strict_json.process(value["holder"]),
    )


def _tie(value: list[Any]) -> SavedTie:
    pid, start, server_pid, server_start, pane, by_lineage = value
    server = ProcessId(strict_json.count(server_pid), strict_json.count(server_start))
    return SavedTie(
        process=ProcessId(strict_json.count(pid), strict_json.count(start)),
        pane=PaneKey(server, _text(pane)),
        by_lineage=strict_json.flag(by_lineage),
    )


def _left(value: list[Any]) -> tuple[PaneKey, SessionKey]:
    pid, start, pane, server, session = value
    key = PaneKey(ProcessId(strict_json.count(pid), strict_json.count(start)), _text(pane))
    return key, (_text(server), _text(session))


def _absentee(value: list[Any], now: float) -> tuple[str, str, str, float]:
    server, session, agent, since = value
    return _text(server), _text(session), _text(agent), min(strict_json.number(since), now)


def _place(value: list[Any]) -> AgentKey:
    pid, start, pane, program, number = value
    server = ProcessId(strict_json.count(pid), strict_json.count(start))
    return AgentKey(PaneKey(server, _text(pane)), _text(program), strict_json.count(number))


def _records(
    document: dict[str, Any], part: str, of: Callable[[Any], T], refused: list[str]
) -> tuple[T, ...]:
    records = document.get(part)
    if not isinstance(records, list):
        refused.append(f"{part}: no list")
        return ()
    taken = []
    for place, each in enumerate(records):
        try:
            taken.append(of(each))
        except KeyError:
            refused.append(f"{part}[{place}]: a field is missing")
        except (TypeError, ValueError):
            refused.append(f"{part}[{place}]: a value that this version does not write")
    return tuple(taken)


def _text(value: object) -> Label:
    """A text that this version writes, or that an older one did: those knew no bound."""
    text = strict_json.text(value)
    if not is_visible(text):
        raise TypeError("no text")
    return bounded(text)
