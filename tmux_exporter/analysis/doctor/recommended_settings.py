"""Recommended settings of tmux and of the kernel (sysctl) for a fleet of agents, as `doctor` checks them.

`deploy/tuning/` ships the same lines as files; a test compares them with this table. Some common
recommendations do not help here and are left out: `status-interval 5` redraws more often than the default,
`monitor-activity` and the `visual-*` options are off by default, `vm.max_map_count` and `net.core.somaxconn`
limit nothing that agents in tmux use.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A tmux option that should be at most or at least `wanted`; `scope` is the flag of set-option."""

    name: str
    scope: str
    wanted: int
    at_most: bool
    why: str

    @property
    def line(self) -> str:
        """The line for ~/.tmux.conf."""
        return f"set-option {self.scope} {self.name} {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """A kernel setting that should be at least `wanted`."""

    name: str
    wanted: int
    why: str

    @property
    def line(self) -> str:
        """The line for /etc/sysctl.d."""
        return f"{self.name} = {self.wanted}"


OPTIONS = (
    Option(
        name="history-limit",
        scope="-g",
        wanted=10_000,
        at_most=True,
        why="every pane keeps that many lines in the server's memory, and agents fill them",
    ),
    Option(
        name="escape-time",
        scope="-s",
        wanted=50,
        at_most=True,
        why="an orchestrator's Escape waits that many milliseconds before an agent gets it",
    ),
)

INOTIFY_INSTANCES = Sysctl(
    name="fs.inotify.max_user_instances",
    wanted=1024,
    why="each agent and each dev server watches files; when instances run out, they stop seeing changes",
)

SYSCTLS = (
    Sysctl(
        name="kernel.pid_max",
        wanted=4_194_304,
        why="every tool that an agent runs takes process ids; when they run out, nothing starts any more",
    ),
    INOTIFY_INSTANCES,
    Sysctl(
        name="fs.inotify.max_user_watches",
        wanted=524_288,
        why="a watcher of a large repository needs one for each folder",
    ),
)

OPEN_FILES = 65_536
"""Recommended limit of open files for a shell (`nofile`)."""
