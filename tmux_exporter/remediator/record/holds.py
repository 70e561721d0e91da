"""Holds: a small file in the state folder, replaced atomically; it outlives the remediator and a reboot.

A file that cannot be read or parsed holds everything, because its content is unknown.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from tmux_exporter.base import strict_json
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import REMEDIATOR_HOLDS
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.record.plan_file import write
from tmux_exporter.sources.common.untrusted_file import read_guarded

VERSION = 1
LARGEST_BYTES = 1 << 20

EVERYTHING = Hold(until=math.inf)
"""What a file that cannot be understood holds."""

_NAMES = ("server", "session", "agent", "pane")
_FIELDS = {"until", "process", "boot", *_NAMES}


class Holds:
    """The file in `folder`, the private state folder of `uid`; `boot` identifies this boot."""

    def __init__(self, folder: Path, *, uid: int, boot: str) -> None:
        self._path = folder / REMEDIATOR_HOLDS
        self._uid = uid
        self._boot = boot

    def read(self) -> tuple[Hold, ...]:
        """Everything that is held, also what has run out; what is of a process of another boot is gone."""
        try:
            content = read_guarded(str(self._path), uid=self._uid, limit=LARGEST_BYTES)
            return tuple(self._parse(content))
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError):
            return (EVERYTHING,)

    def add(self, hold: Hold, wall: float) -> None:
        """Add a hold, or change its end. Raises OSError."""
        self._write((*self._others(hold, wall), hold))

    def release(self, hold: Hold, wall: float) -> bool:
        """Hold it no longer; whether it was held. Raises OSError."""
        before = self._current(wall)
        after = self._others(hold, wall)
        self._write(after)
        return len(after) < len(before)

    def _current(self, wall: float) -> tuple[Hold, ...]:
        found = self.read()
        if EVERYTHING in found:
            raise CannotSeeError(f"{self._path} is damaged, so everything is held; remove it to begin anew")
        return tuple(each for each in found if each.until > wall)

    def _others(self, hold: Hold, wall: float) -> tuple[Hold, ...]:
        return tuple(each for each in self._current(wall) if replace(each, until=hold.until) != hold)

    def _parse(self, content: bytes) -> Iterable[Hold]:
        document = strict_json.document(content, VERSION)
        for each in map(strict_json.record, strict_json.array(document["holds"])):
            process = each["process"]
            if process is not None and each["boot"] != self._boot:
                continue
            if each.keys() != _FIELDS:
                raise TypeError("not the fields of a hold")
            yield Hold(
                process=None if process is None else strict_json.process(process),
                until=strict_json.number(each["until"]),
                **{name: strict_json.text(each[name]) for name in _NAMES},
            )

    def _write(self, holds: Iterable[Hold]) -> None:
        document = {
            "version": VERSION,
            "holds": [{**asdict(each), "boot": self._boot} for each in holds],
        }
        content = json.dumps(document, allow_nan=False, indent=1).encode("ascii") + b"\n"
        write(self._path, content, durable=True)
