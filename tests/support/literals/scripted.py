"""Sources that say what a test has written down, sample by sample."""

from collections.abc import Callable, Iterable

from tmux_exporter.base.clock import Clock
from tmux_exporter.config import Config, TmuxSettings
from tmux_exporter.facts.agents import SavedAgents
from tmux_exporter.facts.process import Descriptors, LeakDetails, MemoryBounds, ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import ShellQuestion
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sampling.stages.protocols import (
    HeldFileSource,
    HostSource,
    LeakDetailSource,
    LedgerSource,
    LimitSource,
    LineageSource,
    ProcessSource,
    ProportionSource,
    ServerSource,
    Sources,
)


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


class Harmless:
    """Nobody is in a unit or listens."""

    def read(self, processes: Iterable[ProcessId]) -> dict[ProcessId, LeakDetails]:
        return {each: LeakDetails(unit="", listens=False) for each in processes}

    def shells(self, _questions: Iterable[ShellQuestion]) -> None:
        return None

    def descriptors(self, _processes: Iterable[ProcessId]) -> dict[ProcessId, Descriptors]:
        return {}

    def folders(self, _processes: Iterable[ProcessId]) -> dict[ProcessId, str]:
        return {}

    def ports(self, _processes: Iterable[ProcessId]) -> dict[ProcessId, frozenset[int]]:
        return {}


def sampler_of(
    processes: ProcessSource,
    tmux: ServerSource,
    *,
    clock: Clock,
    config: Config | None = None,
    default_socket: str = "/tmp/tmux-1000/default",
    limits: LimitSource | None = None,
    host: HostSource | None = None,
    leak_details: LeakDetailSource | None = None,
    proportions: ProportionSource | None = None,
    held_files: HeldFileSource | None = None,
    ledgers: LedgerSource | None = None,
    lineage: LineageSource | None = None,
    memory: SavedAgents | None = None,
    keep: Callable[[SavedAgents], None] | None = None,
) -> Sampler:
    """A sampler on these sources alone."""
    sources = Sources(
        processes=processes,
        tmux=tmux,
        limits=limits or Bounds(),
        host=host,
        leak_details=leak_details,
        proportions=proportions,
        held_files=held_files,
        ledgers=ledgers,
        lineage=lineage,
    )
    return Sampler(
        config or Config(), clock, sources, default_socket=default_socket, memory=memory, keep=keep
    )
