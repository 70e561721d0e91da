"""Facts that `doctor` needs besides a Report: programs, kernel features, limits, folders, tmux options.

`None` always means "not known".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tmux_exporter.facts.cgroups import CgroupPlace, OomPolicy, ThrottleMeans
from tmux_exporter.facts.process import ProcessId


class Feature(StrEnum):
    """Kernel features that the exporter uses where they exist."""

    PIDFD = "pidfd"
    SMAPS_ROLLUP = "smaps_rollup"
    IO = "io"
    PRESSURE = "pressure"
    CGROUP_V2 = "cgroup_v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A kernel limit and its current use."""

    used: int | None
    limit: int | None


NOT_KNOWN = Bound(used=None, limit=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritableFolder:
    """A folder that the exporter writes to; `problem` says why it cannot be used, None where it can."""

    path: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTelemetry:
    """Telemetry settings in an agent's environment; `otel_port` is the port of its own exporter."""

    pid: int
    otel_prometheus: bool
    otel_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAlike:
    """A program that behaves like an agent: in which pane, its name for people, its terminal's number."""

    pane: str
    process: ProcessId
    name: str
    tty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine of the user who runs `doctor`.

    `tmux_version` is that of `tmux -V` of the program on PATH. `programs` are paths of useful programs that
    are not required, None where one is not installed. `sysctls` are values by name (`kernel.pid_max`).
    `open_files` is the limit of the calling shell, `tasks` are processes and threads of this user,
    `cgroup_tasks` those of the own cgroup. `options` are tmux options by server label. `locale` decides
    whether tmux draws UTF-8. `claude_hooked` says whether Claude Code's settings call our hook, None without
    settings. `throttle` is what the user's systemd offers, `pane_places` are the cgroups of panes by their
    ids, `oom_policies` those of the scopes of panes, by their names. `look_alikes` are programs that behave
    like agents and are not known as such. `fork_events_problem` says why forks cannot be
    followed, empty where they can, None where nobody has asked.
    """

    system: str
    kernel: str
    tmux_path: str | None = None
    tmux_version: str | None = None
    locale: str = ""
    programs: Mapping[str, str | None] = field(default_factory=dict)
    features: Mapping[Feature, bool | None] = field(default_factory=dict)
    sysctls: Mapping[str, int] = field(default_factory=dict)
    open_files: int | None = None
    tasks: Bound = NOT_KNOWN
    cgroup_tasks: Bound = NOT_KNOWN
    folders: tuple[WritableFolder, ...] = ()
    agents: tuple[AgentTelemetry, ...] = ()
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claude_hooked: bool | None = None
    throttle: ThrottleMeans | None = None
    pane_places: Mapping[str, CgroupPlace] = field(default_factory=dict)
    oom_policies: Mapping[str, OomPolicy] = field(default_factory=dict)
    look_alikes: tuple[LookAlike, ...] = ()
    fork_events_problem: str | None = None
