"""Facts about schedulers: states, remarks, outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class SchedulerState(StrEnum):
    """What will become of a scheduler (closed list, a label), in order of precedence."""

    UNKNOWN = "unknown"
    OPAQUE = "opaque"
    FIRING = "firing"
    IMMORTAL = "immortal"
    SERVERLESS = "serverless"
    STALE_GENERATION = "stale_generation"
    DANGLING = "dangling"
    MISDIRECTED = "misdirected"
    OVERDUE = "overdue"
    DUPLICATE = "duplicate"
    ARMED_ORIGIN_GONE = "armed_origin_gone"
    ARMED = "armed"


class SchedulerRemark(StrEnum):
    """What else somebody should know of a scheduler, whatever its state (closed list)."""

    FIRES_AT_ONCE = "fires_at_once"
    NEVER_SENDS = "never_sends"
    TARGET_DEAD = "target_dead"
    TARGET_AT_SHELL = "target_at_shell"
    TARGET_WAITING = "target_waiting"
    TARGET_YOUNGER = "target_younger"


class SchedulerOutcome(StrEnum):
    """What became of a scheduler that is no longer pending (closed list, a label)."""

    FIRED = "fired"
    MISSED = "missed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A `sleep N && tmux send-keys …` shell with its one sleep child.

    `server` and `session_id` are those of the resolved target, else of the pane that made it, else None.
    `due` is the wall time at which the sleep ends, None where its argument is not a duration. `aimed` are
    the servers its keys would go to, as far as known; `judged_at` is the monotonic time of the oldest of
    their listings, or of the search for servers where there is none at its socket, and None where one of
    these is missing. `sockets` are the canonical paths at which it would look for a server and finds none.
    `panes` are those that its targets lead to.
    """

    process: ProcessId
    sleep: ProcessId | None
    state: SchedulerState
    reason: str
    targets: tuple[str, ...]
    server: ProcessId | None
    session_id: str | None
    due: float | None
    aimed: tuple[ProcessId, ...] = ()
    judged_at: float | None = None
    panes: tuple[PaneKey, ...] = ()
    remarks: tuple[SchedulerRemark, ...] = ()
    sockets: tuple[str, ...] = ()


class ShellQuestion(NamedTuple):
    """What is asked of a shell that waits for its `sleep`: the files of these `words` of its script.

    `zsh` and `login` say which files it reads at its start.
    """

    shell: ProcessId
    sleep: ProcessId | None
    words: tuple[str, ...]
    zsh: bool = False
    login: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFile:
    """The file that a word means: its name without links, whether it is one of the machine (and no script).

    `knows_tmux` says that the names of tmux's commands are in it.
    """

    name: str
    native: bool
    knows_tmux: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellFacts:
    """What decides which program a shell runs for a word.

    `variables` are BASH_ENV and ENV where it has them, `functions` the names of those that bash was handed.
    `programs` are by word all files that it may mean, None for one that cannot be seen. `startup_names_tmux`
    says that a file that it reads at its start has the word tmux in it, None that this cannot be told.
    """

    variables: Mapping[str, str]
    functions: frozenset[str]
    programs: Mapping[str, tuple[ProgramFile | None, ...]]
    startup_names_tmux: bool | None = False
