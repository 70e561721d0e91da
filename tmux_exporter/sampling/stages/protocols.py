"""The sources of a sample, from this machine or from a test, and what was read for it."""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tmux_exporter.analysis.labels import SessionLabels
from tmux_exporter.analysis.ownership.lineage import Lineage
from tmux_exporter.config import Config, TmuxSettings
from tmux_exporter.facts.changes import Changes
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.ledgers import Counts, LedgerFolders, PaneScope, PidCount
from tmux_exporter.facts.operations import CommandBatch
from tmux_exporter.facts.process import (
    Descriptors,
    FileId,
    HeldFiles,
    LeakDetails,
    MemoryBounds,
    ProcessId,
    ProcessTable,
    ProportionsFound,
    SamePair,
)
from tmux_exporter.facts.remediation import RemediatorReport
from tmux_exporter.facts.report import OperationsReport
from tmux_exporter.facts.schedulers import ShellFacts, ShellQuestion
from tmux_exporter.facts.tmux import TmuxView
from tmux_exporter.facts.workspaces import Workspace
from tmux_exporter.sampling.stages.agent_clues import AgentWatch
from tmux_exporter.sampling.stages.spending import SpendingOpener

T = TypeVar("T")


class ProcessSource(Protocol):
    """Reads all processes."""

    def read(self) -> ProcessTable:
        """The processes as they are now."""


class ServerSource(Protocol):
    """Asks all tmux servers."""

    def configure(self, settings: TmuxSettings, interval: float) -> None:
        """Ask as these settings say from the next time on."""

    def read(self, table: ProcessTable) -> TmuxView:
        """The servers as they are now, asked after `table` was read."""


class LimitSource(Protocol):
    """Reads what the kernel lets processes have."""

    def read(self, processes: Set[ProcessId]) -> MemoryBounds:
        """The bounds of these processes as they are now, or were a moment ago."""


class LeakDetailSource(Protocol):
    """Reads what only few processes are asked for: those that seem to be leaked, and schedulers."""

    def read(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, LeakDetails]:
        """Those of these processes that are there, as they are now or were a moment ago."""

    def folders(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, str]:
        """The working folders of those of these processes that show it, now or a moment ago."""

    def descriptors(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, Descriptors]:
        """The terminals that those of these processes hold that show it, now or a moment ago."""

    def ports(self, processes: Iterable[ProcessId]) -> Mapping[ProcessId, frozenset[int]]:
        """The TCP ports on which those of these processes listen that show it, now."""

    def shells(self, questions: Iterable[ShellQuestion]) -> Mapping[ProcessId, ShellFacts] | None:
        """What decides which programs these shells run, now or a moment ago; None where nobody can ask."""


class LedgerSource(Protocol):
    """Reads the kernel's accounts of cgroups."""

    def folders(self, pid: int) -> LedgerFolders | None:
        """The cgroups of a process, None where they are not known."""

    def members(self, folder: str) -> frozenset[int] | None:
        """The pids in a cgroup and all below it, None where it is gone."""

    def cpu_nanoseconds(self, folder: str) -> int | None:
        """The CPU time that a cgroup and all below it have used, None where it is not known."""

    def memory_bytes(self, folder: str) -> int | None:
        """The anonymous and shared memory of a cgroup and all below it, None where it is not known."""

    def beside(self, folder: str, pids: frozenset[int]) -> Iterable[str]:
        """The cgroups of other hierarchies that hold exactly the processes of a cgroup, and only count."""

    def counts(self, folder: str, *, detail: bool) -> Counts:
        """What a cgroup and all below it have counted, as far as known; `detail`: not only kills."""

    def kills_below(self, folder: str) -> int | None:
        """OOM kills in all cgroups below this one, also in those that are gone; None where not known."""

    def scopes(self, known: Container[str]) -> Iterable[PaneScope]:
        """The cgroups that tmux made for panes of this user, but those with known names."""

    def pids(self, folder: str) -> PidCount | None:
        """Processes and threads in a cgroup and all below it, None where they are not known."""


class LineageSource(Protocol):
    """Follows forks by the kernel's events."""

    @property
    def forks(self) -> Lineage:
        """What it has learned; only for `use`."""

    @property
    def listening(self) -> bool:
        """Whether events come."""

    @property
    def lost(self) -> int:
        """How often events were lost."""

    def configure(self, *, wanted: bool) -> None:
        """Follow forks from now on, or not."""

    def use(self, work: Callable[[], T]) -> T:
        """Do this while no event is taken."""

    def suspended_seconds(self) -> float:
        """How long the machine has slept since boot: starts of processes count it, events do not."""


class ProportionSource(Protocol):
    """Reads how much of their memory processes share."""

    def read(self, processes: Iterable[ProcessId]) -> ProportionsFound:
        """As many of these as there is time for."""


class HeldFileSource(Protocol):
    """Reads files in memory that have no name, and who shares a table of open files."""

    def read(self, processes: Iterable[ProcessId]) -> HeldFiles:
        """What each of these holds open."""

    def mapped(self, processes: Iterable[ProcessId]) -> frozenset[FileId]:
        """Those that one of these maps."""

    def same_tables(self, pairs: Iterable[SamePair]) -> Mapping[SamePair, bool | None]:
        """Whether the two of each pair have one table of open files; None where nobody can tell."""


class WorkspaceSource(Protocol):
    """Measures folders in the background."""

    def read(self, folders: Collection[str]) -> Mapping[str, Workspace]:
        """Those of these folders that have been measured wholly, within the last minutes."""


class RemediatorSource(Protocol):
    """Reads what the remediator tells of itself."""

    def read(self) -> RemediatorReport | None:
        """Its last word, None where none has run."""


class HostSource(Protocol):
    """Reads the machine."""

    def read(self, table: ProcessTable) -> HostFacts:
        """The machine as it is now, with the processes of `table`."""


class OperationSource(Protocol):
    """Lets others report their operations, into the `Operations` of the same sampler."""

    def read(self, look: Callable[[], OperationsReport]) -> OperationsReport | None:
        """What `look` returns while no report is being counted; None where they cannot come here."""


class CommandSource(Protocol):
    """Watches the tmux commands of this user."""

    def configure(self, *, wanted: bool, most_per_second: int) -> None:
        """Watch from now on, or not; look at so many programs a second."""

    def take_ended(self) -> CommandBatch | None:
        """What has ended since the last harvest; None where it is not wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of one sampler; None: that part of the report stays unknown or empty."""

    processes: ProcessSource
    tmux: ServerSource
    limits: LimitSource
    remediator: RemediatorSource | None = None
    host: HostSource | None = None
    leak_details: LeakDetailSource | None = None
    proportions: ProportionSource | None = None
    held_files: HeldFileSource | None = None
    ledgers: LedgerSource | None = None
    reports: OperationSource | None = None
    commands: CommandSource | None = None
    lineage: LineageSource | None = None
    workspaces: WorkspaceSource | None = None
    watch: AgentWatch | None = None
    open_spending: SpendingOpener | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """All processes, what tmux said after they were read, the labels of its sessions, the settings.

    `changes` are those since the facts of the sample before.
    """

    table: ProcessTable
    view: TmuxView
    labels: SessionLabels
    config: Config
    changes: Changes
