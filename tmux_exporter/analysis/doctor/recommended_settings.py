"""The settings of tmux and of the kernel that help a fleet of agents: the lines that `doctor` compares with.

`deploy/tuning/` ships the same lines as files; a test holds them against this table. Lines that are often
recommended and do not help here are left out on purpose: `status-interval 5` redraws more often than the
default, `monitor-activity` and the `visual-*` options are off anyway, `vm.max_map_count` and
`net.core.somaxconn` bound nothing that agents in tmux use.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of tmux that should be at most or at least this; `scope` is set-option's flag."""

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
    """A number of the kernel that should be at least this."""

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
"""Open files that a shell should be allowed (`nofile`)."""
