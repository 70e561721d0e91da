"""The living processes of each pane, looked up again only where one of them has changed."""

from collections.abc import Mapping, Sequence

from tmux_exporter.analysis.report.view import Members, Rosters, living
from tmux_exporter.facts.changes import changed_since
from tmux_exporter.facts.process import Process, ProcessTable
from tmux_exporter.facts.tmux import PaneKey


class PaneMembers:
    """Those of the last table. A pane of which nothing changed keeps the very same sequence."""

    def __init__(self) -> None:
        self._rosters: Rosters = {}
        self._panes_of: Mapping[int, Sequence[PaneKey]] = {}
        self._before: Mapping[int, Process] = {}
        self._found: Members = {}

    def of(self, table: ProcessTable, rosters: Rosters) -> Members:
        """The members by pane, in the order of their pids. Rosters that are the same object are the same."""
        before, self._before = self._before, table.processes
        if rosters is self._rosters:
            changed = changed_since(before, table)
            stale = {key for pid in changed for key in self._panes_of.get(pid, ())}
            self._found = {**self._found, **{key: living(rosters[key], table) for key in stale}}
        else:
            self._rosters = rosters
            panes_of: dict[int, list[PaneKey]] = {}
            for key, roster in rosters.items():
                for process in roster:
                    panes_of.setdefault(process.pid, []).append(key)
            self._panes_of = panes_of
            self._found = {key: living(roster, table) for key, roster in rosters.items()}
        return self._found
