"""Facts about schedulers (`sleep N && tmux send-keys …`): state, remarks, outcome, targets, programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey


class SchedulerState(StrEnum):
    """State of a pending scheduler (closed list, a label), in order of precedence."""

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
    """Warnings about a scheduler in any state (closed list)."""

    FIRES_AT_ONCE = "fires_at_once"
    NEVER_SENDS = "never_sends"
    TARGET_DEAD = "target_dead"
    TARGET_AT_SHELL = "target_at_shell"
    TARGET_WAITING = "target_waiting"
    TARGET_YOUNGER = "target_younger"


class SchedulerOutcome(StrEnum):
    """How a scheduler that is no longer pending ended (closed list, a label)."""

    FIRED = "fired"
    MISSED = "missed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A `sleep N && tmux send-keys …` shell and its sleep child.

    `server` and `session_id` are those of the resolved target, else of the pane that started it, else None.
    `due` is the wall time at which the sleep ends, None where its argument is no duration. `aimed` are the
    known servers that its keys would go to. `judged_at` is the monotonic time of the oldest of their
    listings, or of the search for servers where none is at its socket; None where one of these is missing.
    `sockets` are canonical paths where it would look for a server and none is. `panes` are the resolved
    targets.
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
    """A request for the program files that a waiting shell would run for these `words` of its script.

    `zsh` and `login` decide which startup files the shell reads.
    """

    shell: ProcessId
    sleep: ProcessId | None
    words: tuple[str, ...]
    zsh: bool = False
    login: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFile:
    """The program file of a word: its resolved name, and whether it is native code (no script).

    `knows_tmux`: the file contains the names of tmux commands.
    """

    name: str
    native: bool
    knows_tmux: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellFacts:
    """Facts that decide which program a shell runs for a word.

    `variables` are BASH_ENV and ENV where set, `functions` the names of exported bash functions. `programs`
    maps each word to all files that it may mean, None for one that cannot be read. `startup_names_tmux`: a
    startup file of the shell contains the word tmux; None where that is not known.
    """

    variables: Mapping[str, str]
    functions: frozenset[str]
    programs: Mapping[str, tuple[ProgramFile | None, ...]]
    startup_names_tmux: bool | None = False
