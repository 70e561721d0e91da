"""The culprit: the process of an agent that holds the figures for which a policy matches; pure.

A limit is of a whole tree, an act is on one process: the deepest one below the agent that holds at least two
thirds of each figure with all below it, and without which the rest is within the bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tmux_exporter.analysis.report.holder import SHARE, Branches, branches
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import AgentReport, PaneReport, Report, ServerReport, TreeProcess
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.conditions import ConditionState, ConditionStates, tree_of
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.metrics import FIGURES, Subject
from tmux_exporter.remediator.policies.policy import Condition, Policy, Whom


class Holding(NamedTuple):
    """A figure of an agent: its `value`, and how much of it the culprit holds."""

    condition: Condition
    value: float
    held: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Who holds the figures: `itself` is the agent's root process alone, else a process with all below it."""

    process: ProcessId
    name: str
    itself: bool
    holdings: tuple[Holding, ...]


def find_culprit(
    policy: Policy, candidate: TargetCandidate, report: Report, states: ConditionStates | None
) -> Culprit | None:
    """The culprit of an agent that a policy matches; None where it has none, or is not asked for one."""
    tree, target = tree_of(candidate, report), candidate.target
    if policy.whom is not Whom.CULPRIT or states is None or not target.processes:
        return None
    root = target.processes[0]
    if root not in {each.process for each in tree}:
        return None
    held = [
        (condition, state)
        for condition, state in states.held(policy.when)
        if FIGURES[condition.metric].is_held and state.shares
    ]
    if not held:
        return None
    below = below_each(root, tree)
    holders = [
        process for process in below if process != root and all(_holds(each, below[process]) for each in held)
    ]
    chosen = min(holders, key=lambda each: len(below[each]), default=None)
    # Two branches apart can only both hold two thirds of a growth while a third one shrinks.
    if any(chosen not in below[each] for each in holders):
        return None
    members = (root,) if chosen is None else below[chosen]
    if chosen is None and not all(_holds(each, members) for each in held):
        return None
    process = chosen or root
    return Culprit(
        process=process,
        name=next(each.name for each in tree if each.process == process),
        itself=chosen is None,
        holdings=tuple(
            Holding(condition, state.value or 0.0, _part(condition, state, members))
            for condition, state in held
        ),
    )


def memory_held(order: Order, candidate: TargetCandidate, report: Report) -> Mapping[ProcessId, int]:
    """The memory of what an order is for, by process: of an agent also of all below what is signalled first.

    Of a scheduler it is under its shell. Without what is not known.
    """
    subject = candidate.subject
    if isinstance(subject, PaneReport | ServerReport):
        return {}
    if not isinstance(subject, AgentReport):
        return {} if subject.memory_bytes is None else {subject.process: subject.memory_bytes}
    tree = tree_of(candidate, report)
    below = below_each(order.target.processes[0], tree).get(order.first, ())
    return {
        each.process: each.memory_bytes
        for each in tree
        if each.process in below and each.memory_bytes is not None
    }


def waits_itself(subject: Subject, culprit: Culprit | None) -> bool:
    """Whether a throttle would hold the main process of an agent that waits for a person."""
    waits = isinstance(subject, AgentReport) and subject.state is AgentState.WAITING
    return waits and (culprit is None or culprit.itself)


def awaits_somebody(subject: Subject, report: Report) -> bool:
    """Whether an agent waits for a person in the pane of this one."""
    return isinstance(subject, AgentReport) and any(
        each.state is AgentState.WAITING
        for each in report.agents
        if (each.server, each.pane) == (subject.server, subject.pane)
    )


def below_each(root: ProcessId, tree: Sequence[TreeProcess]) -> Branches:
    """Each process of a tree with all below it."""
    return branches(root, {each.process: each.parent for each in tree})


def _holds(held: tuple[Condition, ConditionState], members: Sequence[ProcessId]) -> bool:
    condition, state = held
    if state.value is None:
        return False
    part = _part(condition, state, members)
    inside = set(members)
    if FIGURES[condition.metric].is_worst:
        rest = max((share for each, share in state.shares.items() if each not in inside), default=0.0)
    else:
        rest = state.value - part
    return part >= SHARE * state.value and rest <= condition.above


def _part(condition: Condition, state: ConditionState, members: Sequence[ProcessId]) -> float:
    shares = [state.shares.get(each, 0.0) for each in members]
    return max(shares) if FIGURES[condition.metric].is_worst else sum(shares)
