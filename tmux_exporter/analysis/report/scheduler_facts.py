"""What `explain` says of scheduled check-ins: of one by its processes, of a pane by those that aim at it."""

from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.analysis.schedulers.warnings import REMARKS
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey

Facts = list[tuple[str, str]]


def facts_of_process(process: ProcessId, snapshot: Snapshot) -> Facts:
    """What is known of the check-in of which a process is the shell or the sleep."""
    facts: Facts = []
    for each in snapshot.schedulers:
        if process not in (each.process, each.sleep):
            continue
        facts.append(("scheduler", f"{each.state}: {each.reason}"))
        facts += [("remark", REMARKS[remark]) for remark in each.remarks]
        facts += [("target", visible_text(target)) for target in each.targets]
        facts += [("aims at", f"pane {key.pane}") for key in each.panes]
        other = each.sleep if process == each.process else each.process
        if other is not None:
            facts.append(("its sleep" if process == each.process else "its shell", str(other.pid)))
    return facts


def facts_of_pane(key: PaneKey, snapshot: Snapshot) -> Facts:
    """The check-ins that aim at a pane."""
    return [
        ("check-in", f"process {each.process.pid} is {each.state}: {each.reason}")
        for each in snapshot.schedulers
        if key in each.panes
    ]
