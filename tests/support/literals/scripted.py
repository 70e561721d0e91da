"""Sources that say what a test has written down, sample by sample."""

from collections.abc import Iterable

from tmux_exporter.config import TmuxSettings
from tmux_exporter.facts.process import MemoryBounds, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import TmuxView


class Processes:
    """One table after the other."""

    def __init__(self, *tables: ProcessTable) -> None:
        self.tables = list(tables)

    def read(self) -> ProcessTable:
        return self.tables.pop(0)


class Servers:
    """One view after the other; `settings` are those that it was given."""

    def __init__(self, *views: TmuxView) -> None:
        self.views = list(views)
        self.settings: list[tuple[TmuxSettings, float]] = []

    def configure(self, settings: TmuxSettings, interval: float) -> None:
        self.settings.append((settings, interval))

    def read(self, table: ProcessTable) -> TmuxView:
        assert table.complete in (True, False)
        return self.views.pop(0)


class Bounds:
    """No limits."""

    def read(self, processes: Iterable[ProcessId]) -> MemoryBounds:
        list(processes)
        return MemoryBounds()
