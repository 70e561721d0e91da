"""The built-in policy, for those who name no file: schedulers whose every target is gone."""

from tmux_exporter.facts.remediation import Action, Method, Mode, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.policy import LadderStep, OnExceed, Policy, TargetMatch

ORPHANED_SCHEDULERS = Policy(
    name="orphaned-schedulers",
    mode=Mode.ENFORCE,
    description="schedulers none of whose targets exists any more",
    match=TargetMatch(kind=TargetKind.SCHEDULER, states=(SchedulerState.DANGLING,)),
    ladder=(
        LadderStep(action=Action.WARN),
        LadderStep(action=Action.STOP, after=300.0, method=Method.SCHEDULER_PAIR),
        LadderStep(action=Action.KILL, after=3.0),
    ),
    per_cycle=5,
    per_hour=60,
    max_match=50,
    max_match_ratio=0.9,
    on_exceed=OnExceed.RECOMMEND,
)
"""Its mode only says what it may do: without `--enforce` nothing is signalled."""
