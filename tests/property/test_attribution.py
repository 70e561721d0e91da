"""Attribution of any table, however torn by races: it ends, keeps its promises, contradicts itself never."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.literals.facts import (
    answering,
    pane,
    process,
    silent,
    table,
    tmux_environ,
    tmux_server,
    tmux_view,
)
from tmux_exporter.analysis.ownership import attribution
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.ownership.incremental import Attributor
from tmux_exporter.facts.changes import ChangeTracker
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import Pane, PaneKey, ServerView, TmuxView

_PIDS = range(4, 20)
_SERVERS = (2, 3)
_PANES = ("%0", "%1", "%2")
_ENVIRONS: st.SearchStrategy[dict[str, str] | None] = st.one_of(
    st.sampled_from([None, {}, tmux_environ(9, "%0"), tmux_environ(2, "%0", socket="/s/3")]),
    st.builds(
        lambda server, pane: tmux_environ(server, pane, socket=f"/s/{server}"),
        st.sampled_from(_SERVERS),
        st.none() | st.sampled_from(_PANES),
    ),
    st.builds(
        lambda tmux, number: {**tmux, "CODEX_THREAD_ID": f"01234567-89ab-cdef-0123-{number:012d}"},
        st.sampled_from([{}, tmux_environ(2, "%0", socket="/s/2")]),
        st.integers(0, 1),
    ),
)


def _often(draw: st.DrawFn, usual: int, odd: st.SearchStrategy[int]) -> int:
    """The usual value, now and then an odd one."""
    return draw(odd) if draw(st.integers(0, 7)) == 0 else usual


@st.composite
def _processes(draw: st.DrawFn, pid: int, *, circles: bool = True) -> Process:
    """A process below an earlier one, rarely below a later one, as a race would show it."""
    parent = draw(st.integers(1, pid - 1))
    if circles:
        parent = _often(draw, parent, st.sampled_from(_PIDS))
    return process(
        pid,
        parent,
        start=_often(draw, pid, st.sampled_from([1, 50])),
        session=draw(st.sampled_from([pid, parent, draw(st.integers(1, pid))])),
        comm=draw(st.sampled_from(["bash"] * 8 + ["tmux: client", "tmux: server"])),
        state=draw(st.sampled_from("SSSSRZ")),
        environ=draw(_ENVIRONS),
        tty=draw(st.sampled_from([0, 0, 7])),
        argv=draw(st.sampled_from([("bash",), ("bash",), ("codex",)])),
    )


@st.composite
def _worlds(draw: st.DrawFn, *, circles: bool = True) -> tuple[ProcessTable, TmuxView]:
    """A reading, and what two servers said about the panes of it, wrong at times."""
    servers = [tmux_server(pid) for pid in _SERVERS if draw(st.integers(0, 5))]
    processes = [draw(_processes(pid, circles=circles)) for pid in _PIDS if draw(st.booleans())]
    children = {pid: [each.id.pid for each in processes if each.ppid == pid] for pid in _SERVERS}
    views = []
    for pid in _SERVERS:
        pids = draw(st.permutations(children[pid]))[:2] + draw(st.sampled_from([[], [None], [7]]))
        panes = [pane(each, pid) for each, pid in zip(_PANES, pids, strict=False)]
        views += draw(_answers(tmux_server(pid), panes, f"/s/{pid}"))
    seen = table(*servers, *processes, complete=not circles or draw(st.integers(0, 3)) > 0)
    return seen, tmux_view(*views)


@st.composite
def _answers(draw: st.DrawFn, server: Process, panes: list[Pane], socket: str) -> list[ServerView]:
    match draw(st.sampled_from(["fresh", "fresh", "fresh", "old", "held", "silent", "ended", "unseen"])):
        case "fresh":
            return [answering(server, *panes, socket=socket)]
        case "old":
            return [answering(server, *panes, socket=socket, taken_at=9.0)]
        case "held":
            return [silent(server, *panes, socket=socket)]
        case "silent":
            return [silent(server, socket=socket, listed=False)]
        case "ended":
            return [silent(server, socket=socket, listed=False, ended=True)]
        case _:
            return []


@st.composite
def _memories(draw: st.DrawFn) -> dict[ProcessId, Owner]:
    memory = {}
    for pid in draw(st.sets(st.sampled_from(_PIDS), max_size=8)):
        server = ProcessId(draw(st.sampled_from(_SERVERS)), draw(st.sampled_from([2, 3])))
        kind = draw(st.sampled_from([OwnerKind.PANE, OwnerKind.LEAKED, OwnerKind.SERVER]))
        key = None if kind is OwnerKind.SERVER else PaneKey(server, draw(st.sampled_from(_PANES)))
        memory[ProcessId(pid, pid)] = Owner(
            kind=kind, evidence=Evidence.TREE, reason="was", server=server, pane=key
        )
    return memory


def _verdict(owner: Owner) -> tuple[OwnerKind, ProcessId | None, PaneKey | None]:
    return owner.kind, owner.server, owner.pane


@given(_worlds(), _memories())
def test_every_owner_is_whole_and_of_a_living_process(
    world: tuple[ProcessTable, TmuxView], memory: dict[ProcessId, Owner]
) -> None:
    seen, view = world
    for process_id, owner in attribute(seen, view, memory).items():
        found = seen.processes[process_id.pid]
        assert found.id == process_id
        assert found.alive
        assert owner.reason
        assert (owner.server is None) == (owner.kind is OwnerKind.OTHER)
        assert (owner.pane is not None) == (owner.kind in (OwnerKind.PANE, OwnerKind.LEAKED))
        assert owner.pane is None or owner.pane.server == owner.server


@given(_worlds(), _memories())
def test_leaked_means_a_gone_pane(
    world: tuple[ProcessTable, TmuxView], memory: dict[ProcessId, Owner]
) -> None:
    seen, view = world
    fresh = {
        listing.server: {each.id for each in listing.panes}
        for server in view.servers
        if (listing := server.listing) and server.up and listing.taken_at >= seen.taken_at
    }
    ended = {server.process for server in view.servers if server.ended}
    once_leaked = {owner.pane for owner in memory.values() if owner.kind is OwnerKind.LEAKED}
    for process_id, owner in attribute(seen, view, memory).items():
        found = seen.processes[process_id.pid]
        if owner.kind is not OwnerKind.LEAKED:
            continue
        assert found.comm not in ("tmux: server", "tmux: client")
        assert owner.pane is not None
        server = seen.processes.get(owner.pane.server.pid)
        no_server = seen.complete and (server is None or server.id != owner.pane.server)
        not_listed = owner.pane.server in fresh and owner.pane.pane not in fresh[owner.pane.server]
        assert no_server or not_listed or owner.pane.server in ended or owner.pane in once_leaked


@given(_worlds(), _memories())
def test_what_is_below_a_pane_process_is_the_panes(
    world: tuple[ProcessTable, TmuxView], memory: dict[ProcessId, Owner]
) -> None:
    seen, view = world
    found = attribute(seen, view, memory)
    for process_id, owner in found.items():
        for child in seen.processes.values():
            is_child = child.ppid == process_id.pid and child.id.start_ticks >= process_id.start_ticks
            if owner.kind is OwnerKind.PANE and owner.evidence is Evidence.TREE and is_child and child.alive:
                server = child.comm == "tmux: server"
                root = found[child.id].reason.startswith("is the process of")
                assert server or root or child.id == process_id or found[child.id].pane == owner.pane


@given(_worlds(circles=False))
def test_the_same_sight_twice_gives_the_same_owners(world: tuple[ProcessTable, TmuxView]) -> None:
    first = attribute(*world, {})
    second = attribute(*world, first)
    assert {key: _verdict(owner) for key, owner in first.items()} == {
        key: _verdict(owner) for key, owner in second.items()
    }


def _has_circle(seen: ProcessTable) -> bool:
    for each in seen.processes.values():
        above, passed = seen.processes.get(each.ppid), {each.id}
        while above is not None and above.id not in passed:
            passed.add(above.id)
            above = seen.processes.get(above.ppid)
        if above is not None:
            return True
    return False


@given(_worlds(), _memories())
def test_who_is_passed_over_would_have_got_no_owner(
    world: tuple[ProcessTable, TmuxView], memory: dict[ProcessId, Owner]
) -> None:
    # Of parents in a circle, which only a race shows, either answer is as good.
    assume(not _has_circle(world[0]))
    quick = attribute(*world, memory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "_may_have_owner", lambda table, *_: set(table.processes))
        assert attribute(*world, memory) == quick


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[ProcessTable, TmuxView]]:
    """Samples of one machine: from one to the next some processes, and at times an answer, are others."""
    whole = [draw(_worlds(circles=draw(st.booleans()))) for _ in range(3)]
    (seen, view), others = whole[0], whole[1:]
    history = [whole[0]]
    for _ in range(draw(st.integers(1, 6))):
        other_seen, other_view = draw(st.sampled_from(others))
        processes = dict(seen.processes)
        for pid in draw(st.sets(st.sampled_from([*_SERVERS, *_PIDS]), max_size=3)):
            if (new := other_seen.processes.get(pid)) is not None:
                processes[pid] = new
            else:
                processes.pop(pid, None)
        processes = dict(sorted(processes.items()))
        seen = replace(seen, processes=processes, complete=draw(st.integers(0, 9)) > 0)
        view = other_view if draw(st.integers(0, 3)) == 0 else view
        history.append((seen, view))
    return history


@given(_histories(), _memories())
@settings(max_examples=examples(800), deadline=None)
def test_what_is_decided_from_sample_to_sample_is_what_is_decided_from_nothing(
    history: list[tuple[ProcessTable, TmuxView]], memory: dict[ProcessId, Owner]
) -> None:
    attributor, tracker, before = Attributor(memory), ChangeTracker(), dict[ProcessId, Owner]()
    for seen, view in history:
        told = attributor.observe(seen, view, tracker.processes(seen))
        owners = attribute(seen, view, memory)
        assert told.owners == owners
        ids = owners.keys() | before.keys()
        assert told.changed == {each for each in ids if owners.get(each) != before.get(each)}
        before, memory = owners, owners if seen.complete else {**memory, **owners}
