"""What the policy language accepts, with what comes of it in the remediator's loop; and what it refuses.

A play is one policy on one target. The gate asks for every kind, action and mode, and for every action and
outcome: each has a play, or a reason why there is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState

Came = frozenset[tuple[Action, ActionOutcome]]


class Target(StrEnum):
    """What a play is on."""

    SHARED = "shared"
    CALM = "calm"
    DEAF = "deaf"
    STUCK = "stuck"
    CROWD = "crowd"
    HUNG = "hung"


class Meanwhile(StrEnum):
    """What happens to the target between the decision and the act, or the plan and its application."""

    NOTHING = "nothing"
    ENDS = "ends"
    HELD = "held"
    RETURNS = "returns"


@dataclass(frozen=True, slots=True)
class Play:
    """One policy, what it is on, and all that comes of it; `applied` is what comes of its plan.

    `grace`, `kill_after` and `gone_within` are in seconds. A quiet play shares its
    target, every other one has its own, in a session that is called as the play is.
    """

    name: str
    kind: TargetKind
    mode: Mode
    actions: tuple[Action, ...]
    came: Came
    refusals: frozenset[Refusal] = frozenset()
    target: Target = Target.CALM
    meanwhile: Meanwhile = Meanwhile.NOTHING
    grace: float = 1.0
    kill_after: float = 0.0
    gone_within: float = 0.3
    approvals: bool = False
    applied: str = ""

    @property
    def session(self) -> str:
        """The session of its target."""
        return Target.SHARED if self.target is Target.SHARED else self.name


OF_PANES = (Action.SAVE, Action.CLEAR_HISTORY, Action.SET_OPTION, Action.CLOSE_DEAD_PANE)
"""What is done with a pane alone, in this order."""

METHODS = {
    TargetKind.SCHEDULER: "scheduler_pair",
    TargetKind.AGENT: "agent_process",
    TargetKind.LEAKED_PROCESS: "leaked_process",
}
HELD = (TargetKind.AGENT, TargetKind.LEAKED_PROCESS)
"""What can be throttled."""

KINDS = (*METHODS, TargetKind.PANE, TargetKind.SERVER)

DONE, WOULD = ActionOutcome.DONE, ActionOutcome.WOULD
SURVIVED, VANISHED = ActionOutcome.SURVIVED, ActionOutcome.VANISHED
REFUSED, FAILED = ActionOutcome.REFUSED, ActionOutcome.FAILED
WARNED = (Action.WARN, DONE)
STOP = (Action.STOP,)
STOP_AND_KILL = (Action.STOP, Action.KILL)
OBSERVE, RECOMMEND, ENFORCE = Mode.OBSERVE, Mode.RECOMMEND, Mode.ENFORCE
AGENT = TargetKind.AGENT


def came(**outcomes: ActionOutcome) -> Came:
    """The outcome of each action."""
    return frozenset((Action(action), outcome) for action, outcome in outcomes.items())


def _quiet(kind: TargetKind, mode: Mode) -> Play:
    """Every step that ends nothing, on a target that all of these share."""
    has_process = kind in METHODS
    of_panes = OF_PANES if kind is TargetKind.PANE else ()
    taken = WOULD if mode is OBSERVE else DONE if has_process else VANISHED
    # A server has no session whose clients could be told.
    message = WOULD if mode is OBSERVE else VANISHED if kind is TargetKind.SERVER else DONE
    outcomes = {
        WARNED,
        (Action.WARN, message),
        (Action.SNAPSHOT, taken),
        *((each, DONE if mode is ENFORCE else WOULD) for each in of_panes),
    }
    refusals: set[Refusal] = set()
    if kind in HELD:
        # The main process of an agent is never stopped.
        spared = kind is TargetKind.AGENT and mode is ENFORCE
        outcomes.add((Action.THROTTLE, WOULD if mode is not ENFORCE else REFUSED if spared else DONE))
        refusals |= {Refusal.EVIDENCE} if spared else set()
        outcomes.add((Action.RAISE_FD_LIMIT, DONE if mode is ENFORCE else WOULD))
    return Play(
        f"{kind}-quiet-{mode}".replace("_", "-"),
        kind,
        mode,
        (
            Action.WARN,
            Action.SNAPSHOT,
            *((Action.THROTTLE, Action.RAISE_FD_LIMIT) if kind in HELD else ()),
            *of_panes,
        ),
        frozenset(outcomes),
        refusals=frozenset(refusals),
        target=Target.SHARED,
    )


def _endings(kind: TargetKind) -> Iterator[Play]:
    """A stop that is enough, and one that is not, in each mode."""
    name = kind.replace("_", "-")
    for actions, target in ((STOP, Target.CALM), (STOP_AND_KILL, Target.DEAF)):
        ends = came(stop=DONE) if target is Target.CALM else came(stop=SURVIVED, kill=DONE)
        words = "stop done" if target is Target.CALM else "stop survived, kill done"
        for mode, outcomes in ((OBSERVE, came(stop=WOULD)), (RECOMMEND, came(stop=WOULD)), (ENFORCE, ends)):
            yield Play(
                f"{name}-{actions[-1]}-{mode}", kind, mode, actions, outcomes, target=target,
                applied=words if mode is RECOMMEND else "",
            )  # fmt: skip


SLOW = 2.5
"""Seconds for which a deaf agent is waited for, while the targets of the plays after it change."""

SLOW_PLAY = Play("slow", AGENT, ENFORCE, STOP, came(stop=SURVIVED), target=Target.DEAF, grace=SLOW)
STARVED_PLAY = Play("starved", AGENT, ENFORCE, STOP, came(stop=SURVIVED), target=Target.DEAF, grace=SLOW)
"""While it is waited for, the remediator is left without a descriptor to open."""

HUNG_PLAY = Play("warn-failed", TargetKind.PANE, ENFORCE, (Action.WARN, *OF_PANES),
    # What failed is taken again once the server answers; the program of that pane runs.
    frozenset({WARNED, *((each, FAILED) for each in (Action.WARN, *OF_PANES)),
        *((each, DONE) for each in OF_PANES[:-1]), (OF_PANES[-1], REFUSED)}),
    target=Target.HUNG)  # fmt: skip
_AFTER_SLOW = (
    SLOW_PLAY,
    Play("stop-vanished", AGENT, ENFORCE, STOP, came(stop=VANISHED), meanwhile=Meanwhile.ENDS),
    Play("snapshot-vanished", AGENT, ENFORCE, (Action.SNAPSHOT,), came(snapshot=VANISHED),
        meanwhile=Meanwhile.ENDS),
    Play("throttle-vanished", AGENT, ENFORCE, (Action.THROTTLE,), came(throttle=VANISHED),
        meanwhile=Meanwhile.ENDS),
    Play("limit-vanished", AGENT, ENFORCE, (Action.RAISE_FD_LIMIT,), came(raise_fd_limit=VANISHED),
        meanwhile=Meanwhile.ENDS),
    Play("pane-vanished", TargetKind.PANE, ENFORCE, OF_PANES,
        frozenset((each, VANISHED) for each in OF_PANES), meanwhile=Meanwhile.ENDS),
    Play("stop-refused", TargetKind.SCHEDULER, ENFORCE, STOP, came(stop=REFUSED),
        refusals=frozenset({Refusal.CHANGED}), meanwhile=Meanwhile.RETURNS),
    HUNG_PLAY,
    Play("crowd", TargetKind.PANE, ENFORCE, (Action.WARN,), frozenset({WARNED, (Action.WARN, REFUSED)}),
        target=Target.CROWD),
    STARVED_PLAY,
    Play("snapshot-failed", AGENT, ENFORCE, (Action.SNAPSHOT,), came(snapshot=FAILED)),
    # Taken again once there are descriptors: an agent itself is never paused.
    Play("throttle-failed", AGENT, ENFORCE, (Action.THROTTLE,),
        came(throttle=FAILED) | came(throttle=REFUSED),
        refusals=frozenset({Refusal.EVIDENCE})),
    Play("limit-failed", AGENT, ENFORCE, (Action.RAISE_FD_LIMIT,), came(raise_fd_limit=FAILED)),
    Play("stop-failed", AGENT, ENFORCE, STOP, came(stop=FAILED)),
)  # fmt: skip

PLAYS: tuple[Play, ...] = (
    *(_quiet(kind, mode) for kind in KINDS for mode in (OBSERVE, RECOMMEND, ENFORCE)),
    *(play for kind in METHODS for play in _endings(kind)),
    Play("asks-first", AGENT, ENFORCE, STOP, frozenset(), refusals=frozenset({Refusal.APPROVAL}),
        approvals=True, applied="stop done"),
    Play("apply-vanished", AGENT, RECOMMEND, STOP, came(stop=WOULD), meanwhile=Meanwhile.ENDS,
        applied="stop vanished"),
    Play("apply-refused", AGENT, RECOMMEND, STOP, came(stop=WOULD), meanwhile=Meanwhile.HELD,
        applied="stop refused"),
    Play("kill-survived", AGENT, ENFORCE, STOP_AND_KILL, came(stop=SURVIVED, kill=SURVIVED),
        target=Target.STUCK),
    *_AFTER_SLOW,
)  # fmt: skip
"""In the order of the file: all that is due in one cycle is decided at once, and done in this order."""

KILL_FIRST, KILL_LATER = 11.0, 25.0
"""Seconds: more than what one act waits for, so that such a kill is decided and judged anew."""


def _late(name: str, kill: ActionOutcome, **changes: Any) -> Play:
    """A kill that is not of one act with its stop."""
    given: dict[str, Any] = {
        "target": Target.DEAF,
        "kill_after": KILL_LATER,
        "came": came(stop=SURVIVED, kill=kill),
    }
    return Play(name=f"late-{name}", kind=AGENT, mode=ENFORCE, actions=STOP_AND_KILL, **(given | changes))


LATE_WOULD = _late("would", WOULD, kill_after=KILL_FIRST, refusals=frozenset({Refusal.SWITCHED_OFF}))
LATE_SLOW = _late("slow", SURVIVED, target=Target.STUCK, gone_within=SLOW)
LATE_VANISHED = _late("vanished", VANISHED)
# What was refused is tried again, and then nothing speaks against it.
LATE_REFUSED = _late(
    "refused",
    REFUSED,
    came=came(stop=SURVIVED, kill=REFUSED) | came(kill=DONE),
    refusals=frozenset({Refusal.AUDIT}),
)
LATE_STARVED = _late("starved", SURVIVED, target=Target.STUCK, gone_within=SLOW)
LATE_FAILED = _late("failed", FAILED)

LATE_PLAYS = (LATE_WOULD, LATE_SLOW, LATE_VANISHED, LATE_REFUSED, LATE_STARVED, LATE_FAILED)
"""In the order of the file. While the slow one is waited for the audit cannot be written."""

UNRECORDED_PLAYS = (
    Play(
        "unrecorded",
        AGENT,
        ENFORCE,
        (Action.WARN, Action.SNAPSHOT, Action.RAISE_FD_LIMIT, Action.STOP),
        frozenset(
            {WARNED, (Action.WARN, REFUSED), *came(snapshot=REFUSED, raise_fd_limit=REFUSED, stop=REFUSED)}
        ),
        refusals=frozenset({Refusal.AUDIT}),
    ),
    Play(
        "unrecorded-pane",
        TargetKind.PANE,
        ENFORCE,
        OF_PANES,
        frozenset((each, REFUSED) for each in OF_PANES),
        refusals=frozenset({Refusal.AUDIT}),
    ),
)
"""Of a remediator without an audit."""

REFUSED_BY_LANGUAGE: Mapping[tuple[TargetKind, Action], str] = (
    {
        (kind, action): f"a {kind} cannot be stopped; use warn or snapshot"
        for kind, action in product((TargetKind.PANE, TargetKind.SERVER), STOP_AND_KILL)
    }
    | {
        (kind, Action.THROTTLE): f"a {kind} cannot be throttled; use warn or snapshot"
        for kind in TargetKind
        if kind not in HELD
    }
    | {
        (kind, Action.RAISE_FD_LIMIT): f"a {kind} has no limit to raise; use warn or snapshot"
        for kind in TargetKind
        if kind not in HELD
    }
    | {
        (kind, action): f"'{action}' is for panes, and this policy is for {kind}s"
        for kind, action in product(KINDS, OF_PANES)
        if kind is not TargetKind.PANE
    }
)
"""What check-config says to each."""


class By(StrEnum):
    """Who may end a scheduler of a state."""

    ITSELF = "itself"
    PERSON = "person"
    NOBODY = "nobody"


BY_STATE: Mapping[SchedulerState, By] = {
    SchedulerState.DANGLING: By.ITSELF,
    **dict.fromkeys((SchedulerState.UNKNOWN, SchedulerState.OPAQUE, SchedulerState.FIRING), By.NOBODY),
    **dict.fromkeys((SchedulerState.IMMORTAL, SchedulerState.SERVERLESS, SchedulerState.STALE_GENERATION,
        SchedulerState.MISDIRECTED, SchedulerState.OVERDUE, SchedulerState.DUPLICATE,
        SchedulerState.ARMED_ORIGIN_GONE, SchedulerState.ARMED), By.PERSON),
}  # fmt: skip

NO_CASE: Mapping[Action, frozenset[ActionOutcome]] = {
    # Who is told survives nothing.
    Action.WARN: frozenset({SURVIVED}),
    Action.SNAPSHOT: frozenset({SURVIVED}),
    Action.THROTTLE: frozenset({SURVIVED}),
    Action.RAISE_FD_LIMIT: frozenset({SURVIVED}),
    **dict.fromkeys(OF_PANES, frozenset({SURVIVED})),
}
"""Outcomes that an action cannot have."""
