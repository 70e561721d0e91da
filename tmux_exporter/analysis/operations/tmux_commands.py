"""Counters of tmux commands seen through kernel events: latency and failures by server and command."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tmux_exporter.analysis.histogram import Buckets
from tmux_exporter.analysis.operations.operations import BOUNDS
from tmux_exporter.facts.commands import CommandBatch, CommandRun
from tmux_exporter.facts.report import CommandFigures, CommandsReport

NO_SERVER = ""
"""The server label of a command whose server is not known."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _PairCounters:
    durations: Buckets = field(default_factory=lambda: Buckets(BOUNDS))
    errors: int = 0

    def add(self, run: CommandRun) -> None:
        self.durations.add(run.seconds)
        self.errors += run.failed

    def figures(self, key: _Key) -> CommandFigures:
        server, command = key
        return CommandFigures(
            server=server, command=command, duration=self.durations.histogram(), errors_total=self.errors
        )


class TmuxCommandCounters:
    """Every command that was seen to end; the counters of a server are dropped with it.

    A pair of server and command is shown with 0 in the first sample that has it, and with its values from the
    next one on: PromQL sees no increase in a counter that starts at 1.
    """

    def __init__(self) -> None:
        self._counters: dict[_Key, _PairCounters] = {}
        self._shown: set[_Key] = set()

    def report(
        self, batch: CommandBatch, servers: Mapping[str, str], canonical_paths: Mapping[str, str]
    ) -> CommandsReport | None:
        """End a sample; None where the kernel sends no events.

        `servers` maps socket paths to labels, `canonical_paths` other spellings of paths to canonical ones.
        """
        labels = {NO_SERVER, *servers.values()}
        self._counters = {key: counters for key, counters in self._counters.items() if key[0] in labels}
        self._shown &= self._counters.keys()
        self._add(batch.runs, servers, canonical_paths)
        shown = tuple(
            (counters if key in self._shown else _PairCounters()).figures(key)
            for key, counters in self._counters.items()
        )
        self._shown |= self._counters.keys()
        return CommandsReport(commands=shown, lost=batch.lost) if batch.listening else None

    def _add(
        self, runs: Iterable[CommandRun], servers: Mapping[str, str], canonical_paths: Mapping[str, str]
    ) -> None:
        for run in runs:
            label = NO_SERVER if run.socket is None else _label(run.socket, servers, canonical_paths)
            self._counters.setdefault((label, run.command), _PairCounters()).add(run)


def _label(socket: str, servers: Mapping[str, str], canonical_paths: Mapping[str, str]) -> str:
    path = posixpath.normpath(socket)
    folder, name = posixpath.split(path)
    spellings = (
        path,
        canonical_paths.get(path, ""),
        posixpath.join(canonical_paths.get(folder, folder), name),
    )
    return next((servers[each] for each in spellings if each in servers), NO_SERVER)
