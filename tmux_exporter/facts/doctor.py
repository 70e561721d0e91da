"""What `doctor` looks at besides a Report: programs, kernel features, limits, places, options of tmux.

`None` always means "not known".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Feature(StrEnum):
    """What the kernel may or may not offer, by what it is good for here."""

    PIDFD = "pidfd"
    SMAPS_ROLLUP = "smaps_rollup"
    IO = "io"
    PRESSURE = "pressure"
    CGROUP_V2 = "cgroup_v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit of the kernel with what is used of it."""

    used: int | None
    limit: int | None


NOT_KNOWN = Bound(used=None, limit=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritableFolder:
    """A folder that we write to; `problem` says in words why it cannot be used, None where it can."""

    path: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTelemetry:
    """What an agent's own environment says of its telemetry; `otel_port` is where its exporter listens."""

    pid: int
    otel_prometheus: bool
    otel_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One look at the machine of the user who runs `doctor`.

    `tmux_version` is what `tmux -V` of the program on PATH names. `programs` are paths of what is useful
    but not needed, None where it is not installed. `sysctls` are numbers by name (`kernel.pid_max`).
    `open_files` is the limit of the shell that ran us, `tasks` what this user has of processes and threads,
    `cgroup_tasks` the same of our cgroup. `options` are the options of tmux by the label of the server.
    `locale` is what decides whether tmux draws UTF-8. `claude_hooked` says whether Claude Code's settings
    call our hook, None where it has no settings.
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
