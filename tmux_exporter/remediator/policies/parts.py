"""The smaller parts of a policy file: budgets, limits, what stops a policy, what is protected, defaults."""

from dataclasses import dataclass, field

from tmux_exporter.config.types import Choice, Duration, Integer, ListOf, Section, Text, setting
from tmux_exporter.facts.remediation import Mode
from tmux_exporter.remediator.policies.parsers import DAY, PATTERNS, WAIT, WINDOW, parse_comm
from tmux_exporter.remediator.policies.policy import OnExceed

_COUNT = Integer(at_least=0, at_most=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDoc:
    """How many things may be ended."""

    per_cycle: int | None = field(default=None, metadata=setting(_COUNT, "In one cycle."))
    per_hour: int | None = field(default=None, metadata=setting(_COUNT, "In an hour."))
    per_target_per_hour: int | None = field(
        default=None, metadata=setting(_COUNT, "How often one and the same is tried in an hour.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxMatchDoc:
    """How many matches are still believed: with more of them the eye is more likely wrong than the fleet."""

    count: int | None = field(default=None, metadata=setting(_COUNT, "The most that may match."))
    percent: int | None = field(
        default=None,
        metadata=setting(
            Integer(at_least=1, at_most=100),
            "The largest share of all things of that kind that may match, once more than `few` do.",
        ),
    )
    few: int | None = field(
        default=None, metadata=setting(_COUNT, "So many may match whatever share that is.")
    )
    on_exceed: OnExceed | None = field(
        default=None,
        metadata=setting(
            Choice(of=OnExceed),
            "`abort`: nothing is done and the breaker opens; `recommend`: nothing is done, a person may "
            "apply the plan.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerDoc:
    """What stops a policy that does harm or has no effect."""

    failed_verifications: int | None = field(
        default=None, metadata=setting(Integer(at_least=1, at_most=100), "So many targets survived.")
    )
    regrets: int | None = field(
        default=None,
        metadata=setting(
            Integer(at_least=1, at_most=100),
            "So many things that were ended, or what they waited for, came again within the cooldown.",
        ),
    )
    restarts_of_same_agent: int | None = field(
        default=None,
        metadata=setting(Integer(at_least=1, at_most=100), "So many stops of one agent within `within`."),
    )
    within: float | None = field(default=None, metadata=setting(WINDOW, "See `restarts_of_same_agent`."))
    half_open_after: float | None = field(
        default=None,
        metadata=setting(
            Duration(at_least=1, at_most=30 * DAY),
            "After so long one more action is let through; what comes of it closes the breaker or not.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDoc:
    """What has to be seen after a stop or a kill: without it the action counts as failed."""

    gone_within: float = field(
        metadata=setting(
            Duration(at_least=0.1, at_most=60), "The target is gone so long after the last signal."
        )
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
MAX_AGE = setting(Duration(at_least=1, at_most=300), "The oldest look at tmux that counts.")
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

    per_cycle: int = field(default=10, metadata=setting(_COUNT, "In one cycle."))
    per_hour: int = field(default=120, metadata=setting(_COUNT, "In an hour."))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedDoc:
    """What no policy touches, besides what is built in; it can only be added to."""

    comm: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            ListOf(item=Text(what="name", parser=parse_comm)),
            "Names of processes, as `ps -o comm` shows them.",
        ),
    )
    exe: tuple[str, ...] = field(default=(), metadata=setting(PATTERNS, "Paths of program files."))
    servers: tuple[str, ...] = field(default=(), metadata=setting(PATTERNS, "Labels of tmux servers."))
    sessions: tuple[str, ...] = field(default=(), metadata=setting(PATTERNS, "Labels of sessions."))
    agents: tuple[str, ...] = field(default=(), metadata=setting(PATTERNS, "Labels of agents."))
