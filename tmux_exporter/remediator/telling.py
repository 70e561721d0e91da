"""What is said of a decision: labels, pids and figures, no command line and no target; in tmux no label."""

import logging
from collections.abc import Mapping

from tmux_exporter.model import SchedulerState
from tmux_exporter.remediation import Action, Mode
from tmux_exporter.remediator.candidates import Candidate
from tmux_exporter.remediator.history import Decision
from tmux_exporter.remediator.order import Target
from tmux_exporter.remediator.rules import Severity
from tmux_exporter.report import SchedulerReport

LEVELS = {Severity.CRITICAL: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}


def thing(candidate: Candidate) -> str:
    """What it is, in words."""
    subject = candidate.subject
    if not isinstance(subject, SchedulerReport):
        kind = str(candidate.target.kind).replace("_", " ")
        return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
    if subject.state is SchedulerState.DANGLING:
        return "an orphaned scheduler"
    return f"a scheduler ({str(subject.state).replace('_', ' ')})"


def warning(candidate: Candidate) -> str:
    """What is wrong with it, in words."""
    words = thing(candidate)
    return f"{words}: no target of it exists" if words == "an orphaned scheduler" else words


def pane_line(decision: Decision, mode: Mode) -> str:
    """What whoever looks at the session of a target is shown: words of ours, a pid and a time."""
    processes = decision.candidate.target.processes
    line = f"tmux-remediator: {thing(decision.candidate)} of this session"
    if not processes:
        return f"{line}. Its log says why"
    line, pid = f"{line}, pid {processes[0].pid}", processes[0].pid
    seconds = seconds_to_end(decision, mode)
    if seconds is None:
        return f"{line}. Its log says why"
    time = f"{-(-seconds // 60):.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    return f"{line}, is to be ended in {time}. To keep it: tmux-remediator hold {pid} 1h"


def seconds_to_end(decision: Decision, mode: Mode) -> float | None:
    """How long after a step its policy ends the target by itself, at the earliest; None where it does not."""
    policy, rung = decision.policy, decision.rung
    stop = policy.stop
    if mode is not Mode.ENFORCE or rung is None or stop is None or stop.approvals:
        return None
    steps = policy.ladder[policy.ladder.index(rung) + 1 :]
    return sum(each.after for each in steps if each.action is not Action.KILL)


def target_labels(target: Target) -> Mapping[str, object]:
    """What a target is called."""
    return {"kind": target.kind, "server": target.server, "session": target.session, "name": target.name}


def fields(decision: Decision, wall: float) -> Mapping[str, object]:
    """What a line of the log says of what a decision is about."""
    candidate = decision.candidate
    target, subject = candidate.target, candidate.subject
    found: dict[str, object] = {"policy": decision.policy.name}
    if isinstance(subject, SchedulerReport):
        due = subject.due_timestamp_seconds
        found |= {
            "shell": subject.process.pid,
            "sleep": subject.sleep.pid if subject.sleep else None,
            "server": target.server,
            "session": target.session,
            "seconds_left": None if due is None else round(due - wall),
        }
        return found
    if target.processes:
        found["process"] = target.processes[0].pid
    return found | {"server": target.server, "session": target.session, "target": target.name}
