"""What an agent told its status line (`tmux-exporter statusline`): money, context window and quota."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import ContextSeen, Event, Line, MoneySeen, QuotaSeen, SpendingProblem
from tmux_exporter.sources.common.untrusted_file import Mark, UntrustedFileError, mark_of, read_guarded
from tmux_exporter.sources.spending.located import Note
from tmux_exporter.sources.spending.values import model
from tmux_exporter.wire.usage_line import FOLDER, LARGEST_BYTES, UsageLine, UsageLineError, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSource:
    """The file of one process in the runtime folder; as Source says."""

    path: str
    begins: None = None

    def open(self, *, uid: int, since: float, note: Note) -> "FollowedStatus":  # noqa: ARG002 - it is of this process only
        """As Source says."""
        return FollowedStatus(self.path, uid=uid, note=note)


def status_source(runtime: str, process: ProcessId) -> StatusSource:
    """The source of a process, whether there is a file yet or not."""
    return StatusSource(path=os.path.join(runtime, FOLDER, f"{process.pid}-{process.start_ticks}"))


class FollowedStatus:
    """As Followed says; each line says all of it anew."""

    whole, taken = True, LARGEST_BYTES

    def __init__(self, path: str, *, uid: int, note: Note) -> None:
        self.caught_up = False
        self._path, self._uid, self._note = path, uid, note
        self._mark: Mark | None = None

    def look(self) -> bool:
        """As Followed says."""
        self.caught_up = True
        mark = mark_of(self._path)
        return mark is not None and mark != self._mark

    def read(self, most: int) -> Iterator[Line | None]:  # noqa: ARG002 - it is a line
        """As Followed says. A file of another form tells nothing; what else is known of the agent stays."""
        mark = mark_of(self._path)
        try:
            found = parse(read_guarded(self._path, uid=self._uid, limit=LARGEST_BYTES))
        except FileNotFoundError:
            return
        except UntrustedFileError:
            self._note(SpendingProblem.UNTRUSTED)
        except UsageLineError:
            self._note(SpendingProblem.MALFORMED)
        else:
            if mark is not None:
                yield Line(at=mark.written, events=tuple(_events(found)))
        self._mark = mark


def _events(found: UsageLine) -> Iterator[Event]:
    yield MoneySeen(model=model(found.model), dollars=found.spent_dollars)
    yield ContextSeen(tokens=found.context, window=found.window)
    for window, (used, reset) in found.quotas.items():
        yield QuotaSeen(window=window, used_ratio=used / 100, reset=reset)
