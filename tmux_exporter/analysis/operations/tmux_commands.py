"""Counters of tmux commands seen through kernel events: latency and failures by server and command."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tmux_exporter.analysis.operations.operations import Durations
from tmux_exporter.facts.commands import CommandBatch, CommandRun
from tmux_exporter.facts.report import CommandFigures, CommandsReport

NO_SERVER = ""
"""The server label of a command whose server is not known."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _Tally:
    durations: Durations = field(default_factory=Durations)
    errors: int = 0

    def add(self, run: CommandRun) -> None:
        self.durations.add(run.seconds)
        self.errors += run.failed

    def figures(self, key: _Key) -> CommandFigures:
        server, command = key
        return CommandFigures(
            server=server, command=command, duration=self.durations.histogram(), errors_total=self.errors
        )


class Commands:
    """Every command that was seen to end; the counters of a server are dropped with it.

    A pair of server and command is shown with 0 in the first sample that has it, and with its values from the
    next one on: PromQL sees no increase in a counter that starts at 1.
    """

    def __init__(self) -> None:
        self._tallies: dict[_Key, _Tally] = {}
        self._shown: set[_Key] = set()

    def report(
        self, batch: CommandBatch, servers: Mapping[str, str], places: Mapping[str, str]
    ) -> CommandsReport | None:
        """End a sample; None where the kernel sends no events.

        `servers` maps socket paths to labels, `places` other spellings of folders and sockets to canonical
        paths.
        """
        labels = {NO_SERVER, *servers.values()}
        self._tallies = {key: tally for key, tally in self._tallies.items() if key[0] in labels}
        self._shown &= self._tallies.keys()
        self._add(batch.runs, servers, places)
        shown = tuple(
            (tally if key in self._shown else _Tally()).figures(key) for key, tally in self._tallies.items()
        )
        self._shown |= self._tallies.keys()
        return CommandsReport(commands=shown, lost=batch.lost) if batch.listening else None

    def _add(self, runs: Iterable[CommandRun], servers: Mapping[str, str], places: Mapping[str, str]) -> None:
        for run in runs:
            label = NO_SERVER if run.socket is None else _label(run.socket, servers, places)
            self._tallies.setdefault((label, run.command), _Tally()).add(run)


def _label(socket: str, servers: Mapping[str, str], places: Mapping[str, str]) -> str:
    path = posixpath.normpath(socket)
    folder, name = posixpath.split(path)
    spellings = (path, places.get(path, ""), posixpath.join(places.get(folder, folder), name))
    return next((servers[each] for each in spellings if each in servers), NO_SERVER)
