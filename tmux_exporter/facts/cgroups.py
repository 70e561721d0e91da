"""Facts about cgroups and the user's systemd: bounds, events, out-of-memory policy, what a lease can use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tmux_exporter.facts.process import Cgroup
from tmux_exporter.facts.remediation import LeaseMeans

SCOPE_PREFIX = "tmux-spawn-"
"""How newer versions of tmux name the systemd scope of a pane, where they are built with systemd."""

PIDFD_MEND = "upgrade the kernel (Linux 5.3), or allow pidfd_open where a sandbox forbids it"


class OomPolicy(StrEnum):
    """What systemd does with a unit when the kernel kills one of its processes for memory (closed list)."""

    CONTINUE = "continue"
    STOP = "stop"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupBounds:
    """The bounds of one cgroup, None where there is none: bytes, hundredths of a core, tasks."""

    memory_high: int | None = None
    memory_max: int | None = None
    cpu_percent: int | None = None
    tasks_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupPlace:
    """The cgroup (version 2) of a process.

    `owned` says that this user may move processes into it. `events` are the counts of its memory.events,
    empty where they cannot be read.
    """

    path: Cgroup
    bounds: CgroupBounds = CgroupBounds()
    owned: bool = False
    events: Mapping[str, int] = field(default_factory=dict)

    @property
    def pane_scope(self) -> str:
        """The systemd scope that tmux has made for its pane; empty where there is none."""
        return pane_scope(self.path)

    @property
    def is_pane_scope(self) -> bool:
        """Whether this is the scope that tmux has made for a pane, by a systemd of this user."""
        return bool(self.path) and self.owned and self.path[-1] == self.pane_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleMeans:
    """What this machine offers for a throttle.

    `problem` says why no cgroup can hold one, empty if one can, and `mend` what helps. `pause_problem` says
    why no keeper can hold a pause. `controllers` are those that the user's systemd may use.
    """

    problem: str
    mend: str = ""
    pause_problem: str = ""
    controllers: frozenset[str] = frozenset()

    @property
    def kinds(self) -> tuple["ThrottleKind", ...]:
        """Each kind of throttle, and whether this machine can do it."""
        return (
            ThrottleKind(
                means=LeaseMeans.SCOPE,
                offers="the user's systemd can hold memory, CPU and tasks",
                problem=self.problem,
                mend=self.mend,
            ),
            ThrottleKind(
                means=LeaseMeans.PAUSE,
                offers="a keeper can stop and continue processes (pause: true)",
                problem=self.pause_problem,
                mend=PIDFD_MEND if self.pause_problem else "",
            ),
        )

    def lacking(self, *, bounded: bool, pause: bool, whole_pane: bool = False) -> str:
        """Why no kind of throttle that a policy allows can be held, and what helps; empty where one can.

        `bounded` says that it has bounds of a cgroup, `pause` that it may stop processes, which none may that
        is of a `whole_pane`.
        """
        scope, paused = self.kinds
        allowed = [scope] * bounded + [paused] * pause
        if not all(each.problem for each in allowed):
            return ""
        instead = "" if pause or whole_pane or paused.problem else "; or add pause: true"
        return "; ".join(f"{each.problem} (mend: {each.mend})" for each in allowed) + instead


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleKind:
    """One kind of throttle: what it offers where it is possible, else `problem` and `mend`."""

    means: LeaseMeans
    offers: str
    problem: str
    mend: str


def is_pane_scope(name: str) -> bool:
    """Whether tmux has made a cgroup of this name for a pane."""
    return name.startswith(SCOPE_PREFIX) and name.endswith(".scope")


def pane_scope(path: Cgroup) -> str:
    """The innermost scope of a pane in a path: its parents differ with how the server was started."""
    return next(filter(is_pane_scope, reversed(path)), "")
