"""A plan as a Markdown report: what would end, why, and what that would win back."""

import re
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import AgentReport, LeakReport, Report, SchedulerReport, TreeProcess
from tmux_exporter.remediator.decide.culprit import below_each
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.metrics import FIGURES, Subject
from tmux_exporter.remediator.record.log_fields import reason_words
from tmux_exporter.remediator.record.plan import Plan

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")
_MEMORY = FIGURES["tmux_agent_memory_bytes"]


class Gain(NamedTuple):
    """What ends with a target: its processes, and their memory and open files where these are known."""

    processes: int
    memory_bytes: int
    open_fds: int

    @property
    def words(self) -> str:
        """In a cell."""
        count = "1 process" if self.processes == 1 else f"{self.processes} processes"
        return f"{count}, {_MEMORY.told(self.memory_bytes)}, {self.open_fds} open files"


def markdown(plan: Plan, report: Report) -> str:
    """The report; a name of others is escaped, so that it is read as it is."""
    made = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(plan.made_at))
    lines = ["# What tmux-remediator would end", "", f"Made {made}. Nothing was signalled.", ""]
    if not plan.orders:
        return "\n".join([*lines, "Nothing."])
    lines += ["| policy | what | why | it would win back |", "| --- | --- | --- | --- |"]
    gains = []
    for order in plan.orders:
        subject = _subject(order, report)
        gains.append(_gain(order, subject, report))
        cells = (_escaped(order.policy.name), _what(order), _why(order, subject), gains[-1].words)
        lines.append(f"| {' | '.join(cells)} |")
    total = Gain(*map(sum, zip(*gains, strict=True)))
    return "\n".join([*lines, "", f"In all: {total.words}."])


def _subject(order: Order, report: Report) -> Subject | None:
    things: Iterable[SchedulerReport | AgentReport | LeakReport] = (
        *report.schedulers,
        *report.agents,
        *report.leaks,
    )
    return next((each for each in things if each.process == order.target.processes[0]), None)


def _what(order: Order) -> str:
    target = order.target
    name = f" {_escaped(target.name)}" if target.name else ""
    place = f" of session {_escaped(target.session)}" if target.session else ""
    kind = str(target.kind).replace("_", " ")
    if order.culprit in (None, target.processes[0]):
        words = f"{kind}{name}{place}, pid {target.processes[0].pid}"
    else:
        words = f"pid {order.first.pid} of {kind}{name}{place}, which lives"
    return f"{words}, with all below it" if order.with_below else words


def _why(order: Order, subject: Subject | None) -> str:
    found = [reason_words(each, holds=order.culprit is not None) for each in order.reasons]
    match subject:
        case SchedulerReport(state=state, reason=reason):
            found.append(f"{state}: {reason}")
        case LeakReport(kind=kind, reason=reason):
            found.append(f"{kind}: {reason}")
        case AgentReport(state=state) if not found:
            found.append(f"it is {state}")
    return _escaped("; ".join(found))


def _gain(order: Order, subject: Subject | None, report: Report) -> Gain:
    match subject:
        case AgentReport():
            return _of_tree(order, report.trees.get(order.target.processes[0], ()))
        case SchedulerReport() | LeakReport():
            return Gain(len(order.target.processes), subject.memory_bytes or 0, subject.open_fds or 0)
        case _:
            return Gain(len(order.target.processes), 0, 0)


def _of_tree(order: Order, tree: Sequence[TreeProcess]) -> Gain:
    ending: Sequence[ProcessId] = (order.first,)
    if order.with_below:
        ending = below_each(order.target.processes[0], tree).get(order.first, ending)
    members = [each for each in tree if each.process in set(ending)]
    return Gain(
        len(ending),
        sum(each.memory_bytes or 0 for each in members),
        sum(each.open_fds or 0 for each in members),
    )


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
