"""`explain`: why a process, pane or agent is attributed and counted as it is, with evidence and members."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tmux_exporter.analysis.report.explain_groups import explain_group, groups_called, names_of_groups
from tmux_exporter.analysis.report.explained import Explanation, members_of, name_of, sources_of
from tmux_exporter.analysis.report.holder import branches, holder
from tmux_exporter.analysis.report.usage import most_repeated_command
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.analysis.schedulers.warnings import REMARKS
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.agents import Agent, TrackedAgent
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.ledgers import PaneLedger
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import Pane, PaneKey, ServerView

_ARGV_SHOWN = 200
_PID_DIGITS = 10


Thing = PaneKey | Agent | TrackedAgent


def explain(target: str, snapshot: Snapshot) -> Explanation:
    """Explain a pid (`1234`), a pane (`%3`), an agent, a session, a server or a program by its name.

    With `SERVER/` in front where needed, or `agent:`, `session:`, `server:`, `program:`. A process, a pane
    and an agent go before all others of their name. Raises CannotSeeError with the candidates when there is
    none or more than one.
    """
    found, groups = _things(target, snapshot), groups_called(target, snapshot)
    is_pid = target.isdecimal() and len(target) <= _PID_DIGITS
    # tmux calls its sessions by numbers, too.
    if is_pid and (int(target) in snapshot.table.processes or not (found or groups)):
        return _process(int(target), snapshot)
    if len(found) == 1:
        explanation = _of_thing(next(iter(found.values())), snapshot)
        also = tuple(("also called so", full) for full in groups)
        return replace(explanation, facts=(*explanation.facts, *also))
    if not found and len(groups) == 1:
        return explain_group(next(iter(groups.values())), snapshot)
    if found or groups:
        choices = {full: _shown_thing(thing, snapshot) for full, thing in found.items()}
        choices |= {full: group.words for full, group in groups.items()}
        lines = "".join(f"\n  {full}  {words}" for full, words in choices.items())
        raise CannotSeeError(f"{visible_text(target)} is ambiguous; say one of:{lines}")
    agents = {agent.name for agent in snapshot.agents} | {tracked.name for tracked in snapshot.tracked_agents}
    known = "; ".join(
        f"{kind}: {', '.join(sorted(names)) or 'none'}"
        for kind, names in (("agents", agents), *names_of_groups(snapshot).items())
    )
    raise CannotSeeError(f"no pane and no agent {visible_text(target)}, nor anything else; {known}")


def _of_thing(thing: Thing, snapshot: Snapshot) -> Explanation:
    if isinstance(thing, TrackedAgent):
        return _not_running(thing, snapshot)
    return _pane(thing, snapshot) if isinstance(thing, tuple) else _agent(thing, snapshot)


def _shown_thing(thing: Thing, snapshot: Snapshot) -> str:
    """A short description of a pane or an agent."""
    if isinstance(thing, TrackedAgent):
        return f"an agent that does not run, in session {thing.session}"
    key = thing if isinstance(thing, tuple) else thing.pane
    _, pane = snapshot.panes()[key]
    session = f"session {snapshot.session_labels[key.server, pane.session_id]}"
    return f"a pane of {session}" if isinstance(thing, tuple) else f"an agent ({thing.program}) in {session}"


def _things(target: str, snapshot: Snapshot) -> dict[str, Thing]:
    """Panes and agents, running or not, of that name, by an unambiguous full name."""
    labels = {view.process: view.label for view, _ in snapshot.listings()}
    found: dict[str, Thing] = {}
    for key in snapshot.panes():
        full = f"{labels[key.server]}/{key.pane}"
        if target in (key.pane, full):
            found[full] = key
    name = target.removeprefix("agent:")
    for agent in snapshot.agents:
        server = labels.get(agent.pane.server, "")
        full = f"{server}/{agent.pane.pane}/{agent.name}"
        if name in (agent.name, f"{server}/{agent.name}", full):
            found[full] = agent
    for tracked in snapshot.tracked_agents:
        full = f"{tracked.server}/{tracked.session}/{tracked.name}"
        if tracked.agent is None and name in (tracked.name, f"{tracked.server}/{tracked.name}", full):
            found[full] = tracked
    return found


def _process(pid: int, snapshot: Snapshot) -> Explanation:
    process = snapshot.table.processes.get(pid)
    if process is None:
        if not snapshot.table.complete:
            raise CannotSeeError("the processes of this machine cannot be listed; is /proc mounted?")
        raise CannotSeeError(f"no process {pid}")
    owner = snapshot.owners.get(process.id)
    panes = snapshot.panes()
    facts = [("process", name_of(process)), ("command", _command(process)), ("state", _state(process))]
    if process.exe:
        facts.append(("program file", visible_text(process.exe)))
    facts += _owner_facts(owner, snapshot, panes)
    facts += [
        ("agent", f"{agent.name} ({agent.program}): {agent.reason}")
        for agent in snapshot.agents
        if process.id in agent.members
    ]
    facts += _scheduler_facts(process.id, snapshot)
    facts += _leak_facts(process, snapshot)
    if process.unreadable:
        facts.append(("not readable", ", ".join(sorted(process.unreadable))))
    return Explanation(
        title=f"process {pid}",
        facts=tuple(facts),
        members=members_of([process], snapshot.owners, snapshot),
        holders=(process.id,),
    )


def _scheduler_facts(process: ProcessId, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Facts of the scheduler whose shell or sleep this process is."""
    facts: list[tuple[str, str]] = []
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


def _schedulers_aiming_at(key: PaneKey, snapshot: Snapshot) -> list[tuple[str, str]]:
    """The schedulers with this pane as their target."""
    return [
        ("check-in", f"process {each.process.pid} is {each.state}: {each.reason}")
        for each in snapshot.schedulers
        if key in each.panes
    ]


def _leak_facts(process: Process, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Kind and origin of a leaked process, else the reason of its exemption."""
    for leak in snapshot.leaks.found:
        if leak.process == process.id:
            origin = " ".join(part for part in (leak.server, leak.session) if part) or "nowhere known"
            return [("leaked", f"{leak.kind}: {leak.reason}"), ("left by", origin)]
    if (why := snapshot.leaks.exempt.get(process.id)) is not None:
        return [("not leaked", why)]
    return []


def _pane(key: PaneKey, snapshot: Snapshot) -> Explanation:
    view, pane = snapshot.panes()[key]
    facts = [*_pane_facts(view, pane, snapshot), *sources_of([key], snapshot)]
    facts += [
        ("agent", f"{agent.name} ({agent.program}): {agent.reason}")
        for agent in snapshot.agents
        if agent.pane == key
    ]
    facts += _schedulers_aiming_at(key, snapshot)
    members = members_of(snapshot.members().get(key, ()), snapshot.owners, snapshot)
    return Explanation(title=f"pane {key.pane}", facts=tuple(facts), members=members)


def _agent(agent: Agent, snapshot: Snapshot) -> Explanation:
    view, pane = snapshot.panes()[agent.pane]
    facts = [("program", " ".join(part for part in (agent.program, agent.version) if part))]
    if agent.role:
        facts.append(("role", agent.role))
    facts += [("why an agent", agent.reason), ("pane", agent.pane.pane)]
    facts += _state_facts(
        next((tracked for tracked in snapshot.tracked_agents if tracked.agent == agent), None)
    )
    facts += _pane_facts(view, pane, snapshot)
    by_id = {process.id: process for process in snapshot.table.processes.values()}
    processes = [by_id[member] for member in sorted(agent.members) if member in by_id]
    count, argv = most_repeated_command(processes)
    if count > 1:
        facts.append(("same command", f"{count} of its processes run: {_shown(argv)}"))
    holders = _holder_facts(agent.process, processes, snapshot)
    facts += [(label, words) for label, words, _ in holders]
    return Explanation(
        title=f"agent {agent.name}",
        facts=tuple(facts),
        members=members_of(processes, snapshot.owners, snapshot),
        holders=tuple(dict.fromkeys(each for _, _, each in holders)),
    )


def _holder_facts(
    root: ProcessId, processes: Sequence[Process], snapshot: Snapshot
) -> list[tuple[str, str, ProcessId]]:
    """Who holds most of an agent's memory, descriptors and CPU time, where one process does; since when."""
    if root not in {each.id for each in processes}:
        return []
    below = branches(root, {each.id: each.ppid for each in processes})
    by_id = {each.id: each for each in processes}
    figures: Mapping[str, Mapping[ProcessId, float]] = {
        "memory": {each.id: snapshot.memory.memory_bytes(each) or 0 for each in processes},
        "open files": {each.id: each.open_fds or 0 for each in processes},
        "CPU time": {each.id: each.cpu_ticks for each in processes},
    }
    facts = []
    for name, of_each in figures.items():
        found = holder(root, below, of_each) if len(processes) > 1 else None
        if found is None:
            continue
        members = (root,) if found == root else below[found]
        share = sum(of_each[each] for each in members) / sum(of_each.values())
        others = len(members) - 1
        words = f", with {others} below it" if others else ""
        told = f"process {found.pid} ({name_of(by_id[found])}){words}: {share:.0%} of all"
        limit = by_id[found].max_fds
        if name == "open files" and limit is not None:
            told += f", its limit is {limit}"
        told += f"; started {_moment(snapshot.table.start_time(found))}"
        facts.append((f"holds {name}", told, found))
    return facts


def _not_running(tracked: TrackedAgent, snapshot: Snapshot) -> Explanation:
    """An agent that has ended, or that is only declared."""
    facts = [
        ("program", " ".join(part for part in (tracked.program, tracked.version) if part) or "not known")
    ]
    if tracked.role:
        facts.append(("role", tracked.role))
    facts += _state_facts(tracked)
    if tracked.pane is not None and tracked.pane in snapshot.panes():
        facts += [("pane", tracked.pane.pane), *_pane_facts(*snapshot.panes()[tracked.pane], snapshot)]
    else:
        facts += [("server", tracked.server), ("session", tracked.session)]
    return Explanation(title=f"agent {tracked.name}", facts=tuple(facts), members=())


def _state_facts(tracked: TrackedAgent | None) -> list[tuple[str, str]]:
    """The state of an agent, its source, and what the other sources say."""
    if tracked is None:
        return []
    status = tracked.status
    reason = f" ({status.reason})" if status.reason else ""
    return [
        ("state", f"{status.state}{reason}"),
        *([("limit ends", _moment(status.until))] if status.until is not None else ()),
        ("since", _moment(status.since)),
        ("told by", f"{status.source}: {status.why}"),
        *(("not decisive", f"{clue.source}: {clue.why}") for clue in status.passed),
    ]


def _moment(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _pane_facts(view: ServerView, pane: Pane, snapshot: Snapshot) -> list[tuple[str, str]]:
    listing = view.listing
    if listing is None:
        return [("server", view.label)]
    window = next((window for window in listing.windows if window.id == pane.window_id), None)
    facts = [
        ("server", f"{view.label} (tmux {visible_text(listing.version)}, pid {listing.server.pid})"),
        ("session", snapshot.session_labels[listing.server, pane.session_id]),
        ("window", f"{pane.window_index} {visible_text(window.name) if window else ''}".strip()),
    ]
    if not view.up:
        why = view.problem.detail or view.problem.reason if view.problem else "no answer"
        facts.append(("held", f"the server does not answer now ({why}); this is its last listing"))
    if pane.dead:
        facts.append(("dead", f"its command ended with status {pane.dead_status}"))
    elif pane.pid is None:
        facts.append(("root process", "none that is proven to be this pane's"))
    else:
        facts.append(("root process", str(pane.pid)))
    return facts + _ledger_facts(snapshot.ledgers.get(PaneKey(listing.server, pane.id)), pane)


def _ledger_facts(ledger: PaneLedger | None, pane: Pane) -> list[tuple[str, str]]:
    """Which accounts of the kernel the figures of a pane can rest on."""
    if pane.dead:
        return []
    if ledger is None or not ledger.cgroups:
        return [("cgroup of its own", "none is known: its processes are what is counted")]
    facts = [("cgroup of its own", visible_text(each)) for each in ledger.cgroups]
    if ledger.memory_bytes is not None:
        held = f"{ledger.memory_bytes} bytes, anonymous and shared"
        outside = len(ledger.memory_outside)
        facts.append(("memory by it", held + (f"; {outside} processes are outside" if outside else "")))
    return facts


def _owner_facts(
    owner: Owner | None, snapshot: Snapshot, panes: Mapping[PaneKey, tuple[ServerView, Pane]]
) -> list[tuple[str, str]]:
    if owner is None:
        return [("belongs to", "nothing of tmux")]
    facts = [("belongs to", _owner_name(owner)), ("evidence", f"{owner.evidence}: {owner.reason}")]
    if owner.kind is OwnerKind.PANE and owner.pane is not None and owner.pane in panes:
        facts += _pane_facts(*panes[owner.pane], snapshot)
    return facts


def _owner_name(owner: Owner) -> str:
    match owner.kind:
        case OwnerKind.PANE:
            return f"pane {owner.pane.pane}" if owner.pane else "a pane"
        case OwnerKind.SERVER:
            return "a tmux server"
        case OwnerKind.LEAKED:
            return f"pane {owner.pane.pane}, which is gone" if owner.pane else "a pane that is gone"
        case OwnerKind.OTHER:
            return "nothing of tmux"


def _command(process: Process) -> str:
    return "not readable" if process.argv is None else _shown(process.argv)


def _shown(argv: tuple[str, ...]) -> str:
    text = visible_text(" ".join(argv))
    return text if len(text) <= _ARGV_SHOWN else text[:_ARGV_SHOWN] + "…"


def _state(process: Process) -> str:
    return "alive" if process.alive else "zombie: dead, waiting for its parent to take note"
