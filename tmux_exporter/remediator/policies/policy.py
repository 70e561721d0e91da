"""Policies as frozen values, all times in seconds, with a digest."""

import fnmatch
import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.remediation import Action, Method, Mode, Signal, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState

PANE_STEPS = frozenset({Action.SAVE, Action.CLEAR_HISTORY, Action.SET_OPTION, Action.CLOSE_DEAD_PANE})
"""Steps that are for panes alone."""

IDLE_TIME = "tmux_agent_idle_seconds"
"""For how long an agent has done nothing."""

_WAITS = ("hold", "warmup", "cooldown", "budget_window")


class Severity(StrEnum):
    """Severity of a warning (closed list)."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Channel(StrEnum):
    """Where a warning goes (closed list); PANE_MESSAGE: to clients attached to its session."""

    METRIC = "metric"
    LOG = "log"
    PANE_MESSAGE = "pane_message"


class SnapshotPart(StrEnum):
    """What a snapshot holds (closed list)."""

    STATUS = "status"
    LIMITS = "limits"
    FD_KINDS = "fd_kinds"
    STACKS = "stacks"
    PY_SPY = "py_spy"
    SCREEN = "screen"


class OnExceed(StrEnum):
    """What more matches than expected lead to (closed list).

    ABORT: nothing is done, and the breaker opens. RECOMMEND: nothing is done; all of them stay in the plan.
    """

    ABORT = "abort"
    RECOMMEND = "recommend"


class OptIn(StrEnum):
    """What is never touched unless a policy says that it may be (closed list)."""

    ATTACHED_SESSION = "attached_session"
    PANE_SHELL = "pane_shell"
    LISTENING_SOCKET = "listening_socket"
    MOVED_FOR_GOOD = "moved_for_good"


class Whom(StrEnum):
    """Which process of an agent a step is for (closed list).

    CULPRIT: the deepest one below the agent that holds, with all below it, the figures of the policy; the
    agent itself only where it holds them itself. AGENT: its root process. TREE: that and all below it.
    """

    CULPRIT = "culprit"
    AGENT = "agent"
    TREE = "tree"


class NamePattern(NamedTuple):
    """A name, or a pattern in which `*` and `?` stand for any text and any character."""

    text: str
    glob: bool = False

    def fits(self, name: str) -> bool:
        """Whether it names `name`."""
        return bool(_compiled(self.text).fullmatch(name)) if self.glob else self.text == name


def _compiled(glob: str) -> re.Pattern[str]:
    # `re` keeps the last few hundred; the loader lets no pattern have more than a few stars.
    return re.compile(fnmatch.translate(glob), re.DOTALL)


def fits(patterns: tuple[NamePattern, ...], name: str) -> bool:
    """Whether one of them names `name`, or there is none."""
    return not patterns or any(each.fits(name) for each in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetMatch:
    """Which targets of one kind match; empty or None does not narrow.

    `states` are of schedulers, `agent_states` and `programs` of agents, `leak_kinds` and `argv_sha256` of
    leaked processes: only those whose command line has one of these hashes, and with `opted_in` none at all
    where there is no hash. `leak_programs` are patterns of its name or of the first word of it, `age` the
    least age of a leaked process in seconds, `listening` whether it listens on a TCP port. `history_bytes` is
    the least history of a pane, `dead` whether its process has ended, `attached` whether a client is attached
    to its session.
    """

    kind: TargetKind
    servers: tuple[NamePattern, ...] = ()
    sessions: tuple[NamePattern, ...] = ()
    states: tuple[SchedulerState, ...] = ()
    programs: tuple[str, ...] = ()
    agent_states: tuple[AgentState, ...] = ()
    leak_kinds: tuple[LeakKind, ...] = ()
    argv_sha256: tuple[str, ...] = ()
    opted_in: bool = False
    leak_programs: tuple[NamePattern, ...] = ()
    age: float | None = None
    listening: bool | None = None
    history_bytes: int | None = None
    dead: bool | None = None
    attached: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A figure of the target is above `above`, and was not below `clear_below` since.

    `metric` is its name on `/metrics`. With `rate_over` it is by how much the figure grows a second, over the
    last so many seconds.
    """

    metric: str
    above: float
    clear_below: float
    rate_over: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions that must all hold, or one of them with `one_is_enough`."""

    conditions: tuple[Condition, ...] = ()
    one_is_enough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Bounds of a tree of processes that end by themselves after `lease` seconds.

    `memory_high` is in bytes, `cpu_percent` in hundredths of a core, `tasks_max` in processes and threads:
    these need a cgroup of the user's systemd. With `pause` the tree is stopped and continued instead where
    there is no such cgroup, or no other bound. With `whole_pane` they are of all that runs in its pane.
    """

    lease: float
    memory_high: int | None = None
    cpu_percent: int | None = None
    tasks_max: int | None = None
    pause: bool = False
    whole_pane: bool = False

    @property
    def needs_cgroup(self) -> bool:
        """Whether one of its bounds can only be held by a cgroup."""
        return (self.memory_high, self.cpu_percent, self.tasks_max) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderStep:
    """One step of a ladder, taken `after` so many seconds on the one before it.

    `via` and `severity` are of a warning, `parts` of a snapshot, `throttle` of a throttle, `method`, `signal`
    and `grace` (how long the target then has) of a stop, `max_bytes` (the largest history) of a save, `value`
    of a set option. A step that needs `approvals` is only planned; a plan is good for `approval_expires`.
    """

    action: Action
    after: float = 0.0
    via: tuple[Channel, ...] = (Channel.METRIC, Channel.LOG)
    severity: Severity = Severity.WARNING
    parts: tuple[SnapshotPart, ...] = ()
    method: Method | None = None
    signal: Signal = Signal.TERM
    grace: float = 3.0
    approvals: int = 0
    approval_expires: float = 3600.0
    throttle: Throttle | None = None
    max_bytes: int | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What stops a policy that does harm or has no effect; each count is of what it takes to open.

    `failed_verifications`: targets that survived. `regrets`: ended things that were missed, for they, or what
    they were for, came again within `regret_window`. `restarts`: stops of one and the same agent within
    `restarts_within`; None: as many as there may be. After `half_open_after` one action is let through; None:
    it stays open until the remediator is started again.
    """

    failed_verifications: int = 2
    regrets: int = 1
    regret_window: float = 600.0
    restarts: int | None = None
    restarts_within: float = 7200.0
    half_open_after: float | None = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What no policy touches, besides what is built in; names of programs, servers, sessions and agents.

    `comm` and `exe` are of the process, the rest are labels.
    """

    comm: tuple[str, ...] = ()
    exe: tuple[NamePattern, ...] = ()
    servers: tuple[NamePattern, ...] = ()
    sessions: tuple[NamePattern, ...] = ()
    agents: tuple[NamePattern, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy.

    What people are given time for scales in tests: `hold` is for how long one must have matched before the
    first step, `warmup` for how long nothing is done after a start, a step of the clock or a new tmux server,
    `cooldown` until the same one is tried again, `budget_window` is the hour of `per_hour` and
    `per_target_per_hour`, and the `after` of each step.

    What machines need does not scale: `remaining` is the least that a scheduler's sleep must have left,
    `max_age` the oldest tmux listing that counts, `gone_within` the time after KILL in which it must be gone,
    `clock_jump` the step of the wall clock that calls for a new warm-up.

    `allow` are its opt-ins. `whom` is only of a policy for agents. `servers` are the labels of the tmux
    servers that `--server` names, empty for all. More matches than `max_match`, or than `max_match_ratio` of
    all things of that kind once they are more than `max_match_few`, mean a wrong observation: then none is
    terminated, and `on_exceed` applies.
    """

    name: str
    mode: Mode
    description: str = ""
    match: TargetMatch
    when: When = When()
    ladder: tuple[LadderStep, ...]
    allow: tuple[OptIn, ...] = ()
    whom: Whom = Whom.AGENT
    servers: tuple[str, ...] = ()
    hold: float = 300.0
    warmup: float = 300.0
    cooldown: float = 600.0
    budget_window: float = 3600.0
    remaining: float = 30.0
    max_age: float = 30.0
    gone_within: float = 5.0
    clock_jump: float = 10.0
    per_cycle: int = 1
    per_hour: int = 6
    per_target_per_hour: int = 2
    max_match: int = 10
    max_match_ratio: float = 0.25
    max_match_few: int = 10
    on_exceed: OnExceed = OnExceed.ABORT
    breaker: Breaker = Breaker()
    protected: Protection = Protection()

    @property
    def by_hash(self) -> bool:
        """Whether it names the command lines of leaked processes by their hashes."""
        return self.match.opted_in

    @property
    def by_rest(self) -> bool:
        """Whether it is for agents that do nothing: by for how long, or by their state."""
        idles = [each.metric == IDLE_TIME for each in self.when.conditions]
        # Where another bound is enough, it holds as for everybody: who waits for its quota has idled for 0 s.
        return bool(self.match.agent_states) or (
            all(idles) and bool(idles) if self.when.one_is_enough else any(idles)
        )

    @property
    def stop(self) -> LadderStep | None:
        """The step that ends the target, if one does."""
        return next((rung for rung in self.ladder if rung.action is Action.STOP), None)

    @property
    def kill(self) -> LadderStep | None:
        """The step after a stop that had no effect, if there is one."""
        return next((rung for rung in self.ladder if rung.action is Action.KILL), None)

    @property
    def acts(self) -> bool:
        """Whether a step changes something about the target: the vetoes are for these policies."""
        return any(rung.action in (Action.STOP, Action.THROTTLE) for rung in self.ladder)

    @property
    def stop_after(self) -> float:
        """How long after the first step the target is ended; for ever where it never is."""
        return math.inf if self.stop is None else self.stop.after

    @property
    def grace(self) -> float:
        """How long the target has to end after the first signal."""
        return 0.0 if self.stop is None else self.stop.grace

    def scaled(self, factor: float) -> "Policy":
        """The same policy with every wait for people times `factor`: 1 for them, less for tests."""
        ladder = tuple(
            rung if rung.action is Action.KILL else replace(rung, after=rung.after * factor)
            for rung in self.ladder
        )
        return replace(self, ladder=ladder, **{name: getattr(self, name) * factor for name in _WAITS})

    @property
    def digest(self) -> str:
        """SHA-256 of all its values."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """The policies that run together, and their common budget.

    `remarks` say what of their files has no effect and where that stands, `unable` what this machine cannot
    do; they are no part of the policies.
    """

    policies: tuple[Policy, ...]
    per_cycle: int = 10
    per_hour: int = 120
    remarks: tuple[str, ...] = field(default=(), compare=False)
    unable: tuple[str, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        values = asdict(replace(self, remarks=(), unable=()))
        del values["remarks"], values["unable"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode("ascii")).hexdigest()
