"""The smaller parts of a policy file: budgets, limits, what stops a policy, what is protected, defaults."""

from dataclasses import dataclass, field

from tmux_exporter.config.types import Choice, Duration, Integer, ListOf, Section, Text, key, setting
from tmux_exporter.facts.remediation import Mode
from tmux_exporter.remediator.policies.parsers import DAY, PATTERNS, WAIT, WINDOW, parse_comm
from tmux_exporter.remediator.policies.policy import OnExceed

_COUNT = Integer(at_least=0, at_most=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDoc:
    """How many things may be ended."""

    per_cycle: int | None = key(_COUNT, "In one cycle.", default=None)
    per_hour: int | None = key(_COUNT, "In an hour.", default=None)
    per_target_per_hour: int | None = key(
        _COUNT, "How often one and the same is tried in an hour.", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxMatchDoc:
    """How many matches are still believed: with more of them the eye is more likely wrong than the fleet."""

    count: int | None = key(_COUNT, "The most that may match.", default=None)
    percent: int | None = key(
        Integer(at_least=1, at_most=100),
        "The largest share of all things of that kind that may match, once more than `few` do.",
        default=None,
    )
    few: int | None = key(_COUNT, "So many may match whatever share that is.", default=None)
    on_exceed: OnExceed | None = key(
        Choice(of=OnExceed),
        "`abort`: nothing is done and the breaker opens; `recommend`: nothing is done, a person may "
        "apply the plan.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerDoc:
    """What stops a policy that does harm or has no effect."""

    failed_verifications: int | None = key(
        Integer(at_least=1, at_most=100), "So many targets survived.", default=None
    )
    regrets: int | None = key(
        Integer(at_least=1, at_most=100),
        "So many things that were ended, or what they waited for, came again within the cooldown.",
        default=None,
    )
    restarts_of_same_agent: int | None = key(
        Integer(at_least=1, at_most=100), "So many stops of one agent within `within`.", default=None
    )
    within: float | None = key(WINDOW, "See `restarts_of_same_agent`.", default=None)
    half_open_after: float | None = key(
        Duration(at_least=1, at_most=30 * DAY),
        "After so long one more action is let through; what comes of it closes the breaker or not.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDoc:
    """What has to be seen after a stop or a kill: without it the action counts as failed."""

    gone_within: float = key(
        Duration(at_least=0.1, at_most=60), "The target is gone so long after the last signal."
    )


MODE = setting(
    Choice(of=Mode),
    "`observe` only tells what it would do, `recommend` keeps a plan that a person can apply, `enforce` acts "
    "where the remediator was also started with `--enforce`.",
)
WARMUP = setting(
    WAIT, "For how long nothing is done after a start, a step of the clock or a new tmux server."
)
COOLDOWN = setting(WAIT, "How long until the same target is tried again.")
MAX_AGE = setting(Duration(at_least=1, at_most=300), "The oldest listing of tmux that counts.")
BUDGET = setting(Section(of=BudgetDoc), "How many things may be ended.")
MAX_MATCH = setting(Section(of=MaxMatchDoc), "How many matches are still believed.")
BREAKER = setting(Section(of=BreakerDoc), "What stops the policy.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsDoc:
    """What holds for each policy that says nothing else."""

    mode: Mode = field(default=Mode.OBSERVE, metadata=MODE)
    warmup: float = field(default=300.0, metadata=WARMUP)
    cooldown: float = field(default=600.0, metadata=COOLDOWN)
    max_age: float = field(default=30.0, metadata=MAX_AGE)
    budget: BudgetDoc = field(default=BudgetDoc(), metadata=BUDGET)
    max_match: MaxMatchDoc = field(default=MaxMatchDoc(), metadata=MAX_MATCH)
    breaker: BreakerDoc = field(default=BreakerDoc(), metadata=BREAKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalDoc:
    """How many things may be ended over all policies."""

    per_cycle: int = key(_COUNT, "In one cycle.", default=10)
    per_hour: int = key(_COUNT, "In an hour.", default=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedDoc:
    """What no policy touches, besides what is built in; it can only be added to."""

    comm: tuple[str, ...] = key(
        ListOf(item=Text(what="name", parser=parse_comm)),
        "Names of processes, as `ps -o comm` shows them.",
        default=(),
    )
    exe: tuple[str, ...] = key(PATTERNS, "Paths of program files.", default=())
    servers: tuple[str, ...] = key(PATTERNS, "Labels of tmux servers.", default=())
    sessions: tuple[str, ...] = key(PATTERNS, "Labels of sessions.", default=())
    agents: tuple[str, ...] = key(PATTERNS, "Labels of agents.", default=())
