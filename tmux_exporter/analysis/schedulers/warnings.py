"""Warnings (remarks) about a scheduler beside its state: about its script and its target."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.analysis.programs.program import is_prompt_shell
from tmux_exporter.analysis.schedulers.destinations import Destination, ServerIndex
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript
from tmux_exporter.facts.agents import AgentState, TrackedAgent, WaitingReason
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.schedulers import SchedulerRemark
from tmux_exporter.facts.tmux import PaneKey

REMARKS: Mapping[SchedulerRemark, str] = {
    SchedulerRemark.FIRES_AT_ONCE: "it does not wait: its sleep is 0, as where a script counts fractions of "
    "minutes in SECONDS, or has no bc",
    SchedulerRemark.NEVER_SENDS: "it sends only if its sleep fails, for all its sends follow a ||",
    SchedulerRemark.TARGET_DEAD: "its target's pane is dead and reads nothing",
    SchedulerRemark.TARGET_AT_SHELL: "no agent runs in its target's pane: the shell there would run the text",
    SchedulerRemark.TARGET_WAITING: "the agent in its target's pane waits at a dialog: the keys would "
    "answer it",
    SchedulerRemark.TARGET_YOUNGER: "its target's session was made after it, under the same name",
}
"""The text of every remark."""

_DIALOGS = frozenset({
    WaitingReason.PERMISSION, WaitingReason.QUESTION, WaitingReason.DIALOG, WaitingReason.OTHER,
})  # fmt: skip
# Times are known to the second: the kernel reports its boot time, and tmux all times, in whole seconds.
_SURELY_LATER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneStates:
    """Panes with a running agent, and panes with an agent that waits for an answer of a person."""

    with_agent: Collection[PaneKey] = frozenset()
    waiting: Collection[PaneKey] = frozenset()


def pane_states(tracked_agents: Iterable[TrackedAgent]) -> PaneStates:
    """The pane states from tracked agents; an agent at its usage limit, for example, shows no dialog."""
    running = [
        tracked for tracked in tracked_agents if tracked.agent is not None and tracked.pane is not None
    ]
    return PaneStates(
        with_agent={tracked.pane for tracked in running if tracked.pane is not None},
        waiting={
            tracked.pane
            for tracked in running
            if tracked.pane is not None
            and tracked.status.state is AgentState.WAITING
            and tracked.status.reason in _DIALOGS
        },
    )


def remarks(
    script: PureScript,
    destinations: Sequence[Destination],
    began: float,
    *,
    panes: PaneStates,
    table: ProcessTable,
    servers: ServerIndex,
) -> tuple[SchedulerRemark, ...]:
    """The remarks on a pure script that `began` at this wall time, in the order of the closed list."""
    found: set[SchedulerRemark] = set()
    if script.delay == 0:
        found.add(SchedulerRemark.FIRES_AT_ONCE)
    if all(send.fallback for send in script.sends):
        found.add(SchedulerRemark.NEVER_SENDS)
    # A held listing may be wrong by now.
    for key in {
        destination.pane
        for destination in destinations
        if destination.pane is not None and destination.view is not None and destination.view.up
    }:
        pane, session = servers.pane(key), servers.session(key)
        if pane is None:
            continue
        if pane.dead:
            found.add(SchedulerRemark.TARGET_DEAD)
        elif key in panes.waiting:
            found.add(SchedulerRemark.TARGET_WAITING)
        elif key not in panes.with_agent and _is_at_shell(pane.pid, table):
            found.add(SchedulerRemark.TARGET_AT_SHELL)
        if session is not None and session.created - began > _SURELY_LATER_SECONDS:
            found.add(SchedulerRemark.TARGET_YOUNGER)
    return tuple(remark for remark in SchedulerRemark if remark in found)


def _is_at_shell(pid: int | None, table: ProcessTable) -> bool:
    """Whether an interactive shell reads the terminal of a pane whose first process is `pid`."""
    root = table.processes.get(pid) if pid is not None else None
    leader = table.processes.get(root.foreground_pgid) if root is not None else None
    if root is None or leader is None:
        return False
    return leader.alive and leader.tty == root.tty and is_prompt_shell(leader)
