"""The detail of one thing of a sample: what `explain` knows of it, without any foreign text."""

from collections.abc import Iterable
from dataclasses import replace

from tmux_exporter.analysis.report.usage import tree_process
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.facts.agents import AgentState, StateSource
from tmux_exporter.facts.detail import Detail, DetailProcess, Wanted
from tmux_exporter.facts.owner import Evidence, OwnerKind
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.report import AgentReport, PaneReport, Report

MOST = 300
"""Processes that are shown, those with the most memory."""


def detail(wanted: Wanted, snapshot: Snapshot, report: Report) -> Detail | None:
    """The thing with these labels in this sample; None where there is none."""
    if wanted.pid is not None:
        known = {each.process for each in report.schedulers} | {each.process for each in report.leaks}
        found = snapshot.table.processes.get(wanted.pid)
        return _of(_below(found, snapshot), snapshot) if found and found.id in known else None
    if wanted.agent:
        return _agent(wanted, snapshot, report)
    if wanted.pane or wanted.session:
        panes = tuple(each for each in report.panes if _is_meant(each, wanted))
        return _of_panes(panes, wanted.server, snapshot) if panes else None
    view = next((each for each in snapshot.view.servers if each.label == wanted.server), None)
    if view is None:
        return None
    own = (
        process
        for process in snapshot.table.processes.values()
        if (owner := snapshot.owners.get(process.id))
        and owner.kind is OwnerKind.SERVER
        and owner.server == view.process
    )
    return _of(own, snapshot)


def _is_meant(pane: PaneReport, wanted: Wanted) -> bool:
    return pane.server == wanted.server and (
        pane.pane == wanted.pane if wanted.pane else pane.session == wanted.session
    )


def _agent(wanted: Wanted, snapshot: Snapshot, report: Report) -> Detail | None:
    names = (wanted.server, wanted.session, wanted.agent)
    told = next((each for each in report.agents if (each.server, each.session, each.agent) == names), None)
    if told is None:
        return None
    agent = next((each for each in snapshot.agents if each.process == told.process), None)
    members = (snapshot.table.find(each) for each in agent.members) if agent else ()
    found = _of((each for each in members if each is not None), snapshot)
    panes = tuple(each for each in report.panes if (each.server, each.pane) == (told.server, told.pane))
    return replace(found, panes=panes, clues=_clues(told, snapshot))


def _clues(told: AgentReport, snapshot: Snapshot) -> tuple[tuple[StateSource, AgentState | None], ...]:
    names = (told.server, told.session, told.agent)
    tracked = next(
        (each for each in snapshot.tracked_agents if (each.server, each.session, each.name) == names), None
    )
    return tuple((each.source, each.state) for each in tracked.status.passed) if tracked else ()


def _of_panes(panes: tuple[PaneReport, ...], server: str, snapshot: Snapshot) -> Detail:
    wanted, members = {each.pane for each in panes}, snapshot.members()
    processes = (
        process
        for key, (view, _) in snapshot.panes().items()
        if view.label == server and key.pane in wanted
        for process in members.get(key, ())
    )
    return replace(_of(processes, snapshot), panes=panes)


def _below(root: Process, snapshot: Snapshot) -> Iterable[Process]:
    children: dict[int, list[Process]] = {}
    for process in snapshot.table.processes.values():
        children.setdefault(process.ppid, []).append(process)
    found = {root.id.pid: root}
    todo = [root]
    while todo:
        for child in children.get(todo.pop().id.pid, ()):
            if child.id.pid not in found:
                found[child.id.pid] = child
                todo.append(child)
    return found.values()


def _of(processes: Iterable[Process], snapshot: Snapshot) -> Detail:
    living = [each for each in processes if each.alive]
    living.sort(key=lambda each: (-(snapshot.memory.memory_bytes(each) or 0), each.id.pid))
    shown = (_process(each, snapshot) for each in living[:MOST])
    return Detail(processes=tuple(shown), left_out=max(0, len(living) - MOST))


def _process(process: Process, snapshot: Snapshot) -> DetailProcess:
    owner = snapshot.owners.get(process.id)
    return DetailProcess(
        figures=tree_process(process, snapshot),
        evidence=owner.evidence if owner else Evidence.NONE,
        pane=owner.pane.pane if owner and owner.pane else "",
        start_time_seconds=snapshot.table.start_time(process.id),
    )
