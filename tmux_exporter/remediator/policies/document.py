"""A policy file and the policies in it; what does not fit together is refused."""

from collections import Counter
from dataclasses import dataclass, field

from tmux_exporter.config.parsers import parse_label
from tmux_exporter.config.types import Choice, MisfitError, Records, Section, Text, key
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.remediation import Action, Method, Mode, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.actions import ActionDoc
from tmux_exporter.remediator.policies.conditions import WhenDoc, when_of
from tmux_exporter.remediator.policies.matches import MatchDoc
from tmux_exporter.remediator.policies.metrics import FIGURES
from tmux_exporter.remediator.policies.parsers import WAIT, DocumentKind, Version, choices, parse_name
from tmux_exporter.remediator.policies.parts import (
    BREAKER,
    BUDGET,
    COOLDOWN,
    MAX_AGE,
    MAX_MATCH,
    MODE,
    WARMUP,
    BreakerDoc,
    BudgetDoc,
    DefaultsDoc,
    MaxMatchDoc,
    ProtectedDoc,
    TotalDoc,
    VerifyDoc,
)
from tmux_exporter.remediator.policies.policy import PANE_STEPS, OptIn, Whom

METHODS = {
    TargetKind.SCHEDULER: Method.SCHEDULER_PAIR,
    TargetKind.AGENT: Method.AGENT_PROCESS,
    TargetKind.LEAKED_PROCESS: Method.LEAKED_PROCESS,
}
"""How each kind is ended; a throttle is judged in the same way."""

NEVER_SIGNALLED = frozenset({SchedulerState.UNKNOWN, SchedulerState.OPAQUE, SchedulerState.FIRING})
"""States in which the effect of a signal is unknown."""

WITHOUT_A_PERSON = frozenset({SchedulerState.DANGLING})
"""States in which a scheduler can do nothing any more."""

BY_KIND = frozenset({LeakKind.AGENT, LeakKind.AGENT_DAEMON, LeakKind.MCP_SERVER, LeakKind.DEV_SERVER})
"""Kinds of leaked processes that a stop may name without the hashes of their command lines."""

LEAST_AGE = 3600.0
"""So many seconds old must a process be that is ended by its kind."""

_QUIET = (Action.WARN, Action.SNAPSHOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDoc:
    """One policy: what it is for, from when on, and what is done then."""

    name: str = key(Text(what="a-z, 0-9, `-`", parser=parse_name), "Its name, a label in `/metrics`.")
    description: str = key(Text(what="text", parser=parse_label), "What it is good for.", default="")
    mode: Mode | None = field(default=None, metadata=MODE)
    match: MatchDoc = key(Section(of=MatchDoc), "Which things it is for.")
    when: WhenDoc | None = key(Section(of=WhenDoc), "Which of their figures have to be where.", default=None)
    for_: float = key(WAIT, "For how long both must have held, in every complete sample, before a step.")
    actions: tuple[ActionDoc, ...] = key(Records(of=ActionDoc), "The steps, in their order.")
    verify: VerifyDoc | None = key(
        Section(of=VerifyDoc), "What has to be seen afterwards; needed for a stop.", default=None
    )
    allow: tuple[OptIn, ...] = key(
        choices(OptIn), "What it may touch that is otherwise never touched.", default=()
    )
    whom: Whom | None = key(
        Choice(of=Whom),
        "Which process of an agent the steps are for. `culprit`: the deepest process below the agent that "
        "holds, with all below it, two thirds of the figure, and without which the rest is within the bound; "
        "the agent itself where it holds that much itself; where nobody does, nothing ends. `agent`: its own "
        "process. `tree`: that and all that it has started. `culprit` where nothing is said and `when` asks "
        "for a figure that processes hold, else `agent`.",
        default=None,
    )
    warmup: float | None = field(default=None, metadata=WARMUP)
    cooldown: float | None = field(default=None, metadata=COOLDOWN)
    max_age: float | None = field(default=None, metadata=MAX_AGE)
    budget: BudgetDoc = field(default=BudgetDoc(), metadata=BUDGET)
    max_match: MaxMatchDoc = field(default=MaxMatchDoc(), metadata=MAX_MATCH)
    breaker: BreakerDoc = field(default=BreakerDoc(), metadata=BREAKER)

    def __post_init__(self) -> None:
        _check_ladder(self)
        _check_pane_steps(self)
        _check_limit(self)
        _check_figures(self)
        _check_whom(self)
        _check_throttle(self)
        stop = next((each for each in self.actions if each.do is Action.STOP), None)
        if stop is None:
            return
        if self.verify is None:
            raise MisfitError("a stop has to be verified; add verify: {gone_within: 5s}", "actions")
        method = METHODS.get(self.match.kind)
        if method is None:
            raise MisfitError(f"a {self.match.kind} cannot be stopped; use warn or snapshot", "actions")
        if stop.method is not method:
            raise MisfitError(f"a {self.match.kind} is stopped by method: {method}", "actions")
        if self.match.kind is TargetKind.LEAKED_PROCESS and self.match.cmdline_sha256 is None:
            _check_described(self.match, "stop")
        if _is_every_agent(self):
            raise MisfitError("this would stop every agent; add program, state or a when", "match")
        _check_states(self)


def _is_every_agent(made: PolicyDoc) -> bool:
    return made.match.kind is TargetKind.AGENT and not (made.match.program or made.when or made.match.state)


def _check_throttle(made: PolicyDoc) -> None:
    if all(each.do is not Action.THROTTLE for each in made.actions):
        return
    kind = made.match.kind
    if kind not in (TargetKind.AGENT, TargetKind.LEAKED_PROCESS):
        raise MisfitError(f"a {kind} cannot be throttled; use warn or snapshot", "actions")
    if kind is TargetKind.LEAKED_PROCESS and made.match.cmdline_sha256 is None:
        _check_described(made.match, "throttle")
    if _is_every_agent(made):
        raise MisfitError("this would throttle every agent; add program, state or a when", "match")
    if kind is not TargetKind.AGENT and any(each.whole_pane for each in made.actions):
        raise MisfitError(f"a {kind} has no pane any more; remove whole_pane", "actions")


def _check_limit(made: PolicyDoc) -> None:
    if all(each.do is not Action.RAISE_FD_LIMIT for each in made.actions):
        return
    if (kind := made.match.kind) not in (TargetKind.AGENT, TargetKind.LEAKED_PROCESS):
        raise MisfitError(f"a {kind} has no limit to raise; use warn or snapshot", "actions")
    if _is_every_agent(made):
        raise MisfitError("this would raise the limit of every agent; add program, state or a when", "match")


def _check_ladder(made: PolicyDoc) -> None:
    if not made.actions:
        raise MisfitError("nothing is done; add - do: warn", "actions")
    asked = [each.do for each in made.actions]
    for action, count in Counter(asked).items():
        if count > 1 and action in (Action.STOP, Action.KILL):
            raise MisfitError(f"there are {count} steps '{action}'; keep one", "actions")
    if Action.KILL in asked and asked[-2:] != [Action.STOP, Action.KILL]:
        raise MisfitError("a kill only follows a stop without effect; put it last, after a stop", "actions")
    if Action.STOP in asked and asked.index(Action.STOP) < len(asked) - 1 - (Action.KILL in asked):
        raise MisfitError("nothing but a kill can follow a stop; put the stop at the end", "actions")


def _check_pane_steps(made: PolicyDoc) -> None:
    asked = [each.do for each in made.actions]
    first = next((each for each in asked if each in PANE_STEPS), None)
    if first is not None and made.match.kind is not TargetKind.PANE:
        raise MisfitError(f"'{first}' is for panes, and this policy is for {made.match.kind}s", "actions")
    if Action.CLEAR_HISTORY in asked and Action.SAVE not in asked[: asked.index(Action.CLEAR_HISTORY)]:
        raise MisfitError("a history is saved before it is cleared; add do: save before it", "actions")


def _check_figures(made: PolicyDoc) -> None:
    if made.when is None:
        return
    for condition in when_of(made.when).conditions:
        kind = FIGURES[condition.metric].kind
        if kind not in (made.match.kind, TargetKind.SERVER):
            words = f"{condition.metric} is of {kind}s, and this policy is for {made.match.kind}s"
            raise MisfitError(f"{words}; use a figure of its own", "when")


def _check_whom(made: PolicyDoc) -> None:
    if made.whom is not None and made.match.kind is not TargetKind.AGENT:
        raise MisfitError(f"a {made.match.kind} has no tree to choose from; remove it", "whom")
    if made.whom is Whom.CULPRIT and not asks_for_a_share(made):
        raise MisfitError("no figure here is held by one process; add a when, or say agent or tree", "whom")


def asks_for_a_share(made: PolicyDoc) -> bool:
    """Whether a figure of its `when` is one that single processes of an agent hold."""
    if made.when is None:
        return False
    return any(FIGURES[each.metric].is_held for each in when_of(made.when).conditions)


def _check_described(match: MatchDoc, step: str) -> None:
    """A step without a hash is only for what a program is made for, and only once it is old."""
    kinds = " or ".join(sorted(BY_KIND))
    if not match.leak_kind or not BY_KIND.issuperset(match.leak_kind):
        raise MisfitError(
            f"a {step} needs cmdline_sha256, or leak_kind {kinds} with program and age", "match"
        )
    if not match.program:
        raise MisfitError(f"a {step} by kind needs the programs that it is for; add program", "match")
    if match.age is None or match.age < LEAST_AGE:
        raise MisfitError(f"a {step} by kind is only for what is at least 1h old; add age: 2h", "match")


def _check_states(made: PolicyDoc) -> None:
    if made.match.kind is not TargetKind.SCHEDULER:
        return
    if never := sorted({SchedulerState(each) for each in made.match.state} & NEVER_SIGNALLED):
        raise MisfitError(f"what is '{never[0]}' is never ended; remove that state or the stop", "match")
    if made.mode is Mode.ENFORCE and (state := _for_a_person(made)):
        raise MisfitError(
            f"only a person ends what is '{state}'; add approvals: {{required: 1}} to the stop", "actions"
        )


def _for_a_person(made: PolicyDoc) -> str | None:
    """A state of schedulers that only a person may end, and that the policy would end by itself."""
    stops = [each for each in made.actions if each.do is Action.STOP]
    if made.match.kind is not TargetKind.SCHEDULER or not stops or stops[0].approvals is not None:
        return None
    return next(iter(sorted(set(map(SchedulerState, made.match.state)) - WITHOUT_A_PERSON)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDoc:
    """A whole file."""

    apiVersion: Version = key(Choice(of=Version), "The language of the file.")  # noqa: N815 - the file's word
    kind: DocumentKind = key(Choice(of=DocumentKind), "What the file is.")
    defaults: DefaultsDoc = key(
        Section(of=DefaultsDoc), "What holds for each policy that says nothing else.", default=DefaultsDoc()
    )
    total: TotalDoc = key(
        Section(of=TotalDoc), "How many things may be ended over all policies.", default=TotalDoc()
    )
    protected: ProtectedDoc = key(Section(of=ProtectedDoc), "What no policy touches.", default=ProtectedDoc())
    policies: tuple[PolicyDoc, ...] = key(Records(of=PolicyDoc), "The policies.")

    def __post_init__(self) -> None:
        if not self.policies:
            raise MisfitError("there is no policy; add one, or run without a file", "policies")
        if self.defaults.mode is Mode.ENFORCE:
            for each in self.policies:
                if each.mode is None and (state := _for_a_person(each)):
                    raise MisfitError(
                        f"so policy '{each.name}' enforces, and only a person ends what is '{state}'; "
                        "give it a mode of its own, or approvals: {required: 1}",
                        "defaults",
                    )
        for name, count in Counter(each.name for each in self.policies).items():
            if count > 1:
                raise MisfitError(f"{count} policies are called '{name}'; rename all but one", "policies")
