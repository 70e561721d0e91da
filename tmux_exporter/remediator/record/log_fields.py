"""Log fields and texts of a decision: labels, pids and figures, no command line and no scheduler target."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tmux_exporter.facts.remediation import Action, Mode
from tmux_exporter.facts.report import PaneReport, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.culprit import Culprit
from tmux_exporter.remediator.decide.order import Reason, Target
from tmux_exporter.remediator.decide.state import Decision, Readings
from tmux_exporter.remediator.policies.metrics import FIGURES, Figure
from tmux_exporter.remediator.policies.policy import Condition, Severity

LEVELS = {Severity.CRITICAL: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}


class ConditionReading(NamedTuple):
    """A figure that makes something match, and its bound; both as texts with their unit."""

    figure: Figure
    value: str
    bound: str

    @property
    def words(self) -> str:
        """In a sentence."""
        return f"{self.figure.words} {self.value}, {self.bound}"


def describe_target(candidate: TargetCandidate) -> str:
    """A target in a sentence."""
    subject = candidate.subject
    if not isinstance(subject, SchedulerReport):
        kind = str(candidate.target.kind).replace("_", " ")
        return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
    if subject.state is SchedulerState.DANGLING:
        return "an orphaned scheduler"
    return f"a scheduler ({str(subject.state).replace('_', ' ')})"


def describe_end(decision: Decision) -> str:
    """What a decision is for, in a sentence: the target, its pane, or the process that holds its figures."""
    target, culprit = describe_target(decision.candidate), decision.culprit
    if decision.rung is not None and decision.rung.throttle is not None and decision.rung.throttle.whole_pane:
        return f"the whole pane of {target}"
    return target if culprit is None or culprit.itself else f"a process of {target}"


def warning_text(decision: Decision) -> str:
    """The warning about a target."""
    words = describe_target(decision.candidate)
    if words == "an orphaned scheduler":
        return f"{words}: no target of it exists"
    over = " and ".join(each.figure.words for each in readings(decision))
    holder = f", held by pid {decision.culprit.process.pid}" if decision.culprit else ""
    return f"{words}: {over} above its bound{holder}" if over else words


def readings(decision: Decision) -> Iterator[ConditionReading]:
    """The figures that make it match."""
    subject, least = decision.candidate.subject, decision.policy.match.history_bytes
    if isinstance(subject, PaneReport) and least is not None:
        figure = FIGURES["tmux_pane_history_bytes"]
        yield ConditionReading(figure, figure.told(subject.history_bytes), f"at least {figure.told(least)}")
    yield from map(_reading, decision.readings)


def _reading(held: tuple[Condition, float]) -> ConditionReading:
    condition, value = held
    figure, rate = FIGURES[condition.metric], condition.rate_over is not None
    bound = f"above {figure.told(condition.above, rate=rate)}"
    return ConditionReading(figure, figure.told(value, rate=rate), bound)


def figures_text(readings: Readings) -> str:
    """Figures that hold, by their names, each with its bound."""
    return _text(map(_reading, readings))


def _text(readings: Iterable[ConditionReading]) -> str:
    return "; ".join(f"{each.figure.name} {each.value}, {each.bound}" for each in readings)


def reason_words(reason: Reason, *, holds: bool) -> str:
    """A figure for which something is done, its bound, and how much of it the culprit `holds`."""
    figure, rate = FIGURES[reason.metric], reason.rate_over is not None
    words = f"{figure.words} {figure.told(reason.value, rate=rate)}, above "
    words += figure.told(reason.above, rate=rate)
    return f"{words}; it holds {figure.told(reason.held, rate=rate)}" if holds else words


def holds_text(culprit: Culprit) -> str:
    """How much of each figure a culprit holds."""
    return "; ".join(
        FIGURES[each.condition.metric].told(each.held, rate=each.condition.rate_over is not None)
        for each in culprit.holdings
    )


def local_time(wall: float) -> str:
    """A wall time as the log writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(wall))


def pane_line(decision: Decision, mode: Mode, longest: int) -> str:
    """The line for clients of the target's session: fixed words, a pid, figures and times.

    It has as many figures as there is room for; the log has all of them.
    """
    culprit, target = decision.culprit, describe_end(decision)
    processes = decision.candidate.target.processes[:1] if culprit is None else (culprit.process,)
    pids = [f"pid {each.pid}" for each in processes]
    held = decision.held // 60 * 60 or decision.held // 1
    seconds = seconds_to_end(decision, mode)
    if not processes or seconds is None:
        end = ". Its log says why"
    else:
        end = f" is to be ended in {_span(seconds)}. To keep it: tmux-remediator hold {processes[0].pid} 1h"
        pids = []
    figures = [each.words for each in readings(decision)]

    def line(figures: list[str]) -> str:
        facts = [", ".join([*pids, *figures]), f"for {_span(held)}" if held else ""]
        about = " ".join(filter(None, facts))
        return f"tmux-remediator: {target} of this session{about and f' ({about})'}{end}"

    while figures and len(line(figures)) > longest:
        figures.pop()
    return line(figures)


def _span(seconds: float) -> str:
    return f"{-(-seconds // 60):.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


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
    """What a line of the log says of what a decision is about, which figures make it so and since when."""
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
    else:
        if target.processes:
            found["process"] = target.processes[0].pid
        found |= {"server": target.server, "session": target.session, "target": target.name}
    if figures := _text(readings(decision)):
        found["figures"] = figures
    if (culprit := decision.culprit) is not None:
        found |= {
            "culprit": culprit.process.pid,
            "culprit_name": culprit.name,
            "culprit_holds": holds_text(culprit),
        }
    found["since"] = local_time(wall - decision.held)
    return found
