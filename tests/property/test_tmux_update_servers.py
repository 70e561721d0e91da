"""Whatever a machine shows, in whatever order: what is told of its tmux servers stays true."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.literals.facts import listing, process, table
from tmux_exporter.facts.label import Label
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.sources.tmux.listeners import Listener
from tmux_exporter.sources.tmux.server import (
    FORGET_AFTER,
    Key,
    QueryOutcome,
    Server,
    assign_labels,
    is_due,
    is_gone,
    key_of,
)
from tmux_exporter.sources.tmux.socket_files import PathState, SocketPath
from tmux_exporter.sources.tmux.update_servers import Findings, update_servers

HOLD = 30.0
FOLDER = "/tmp/tmux-1000"
PATHS = (f"{FOLDER}/default", f"{FOLDER}/claude-swarm-7", "/srv/s")
# Two generations with one pid, and two other processes.
IDS = (ProcessId(10, 1), ProcessId(10, 2), ProcessId(20, 1), ProcessId(30, 1))

ids = st.sampled_from(IDS)
paths = st.sampled_from(PATHS)


@st.composite
def outcomes(draw: st.DrawFn, now: float) -> QueryOutcome:
    who = draw(st.none() | ids)
    failures = st.sampled_from(list(QueryFailure))
    failure = draw(failures if who is None else st.none() | failures)
    return QueryOutcome(
        process=who,
        at=now,
        seconds=draw(st.sampled_from([0.0, 0.01, 2.0])),
        listing=None
        if failure or who is None
        else listing(process(who.pid, start=who.start_ticks), taken_at=now),
        failure=failure,
        cpu_seconds=draw(st.none() | st.floats(0, 2)),
    )


@st.composite
def samples(draw: st.DrawFn) -> list[Findings]:
    now = 1000.0
    found = []
    for _ in range(draw(st.integers(1, 8))):
        now += draw(st.sampled_from([0.1, 5.0, 29.0, 31.0, FORGET_AFTER]))
        alive = {id_.pid: id_ for id_ in draw(st.sets(ids))}
        state = draw(st.dictionaries(paths, st.sampled_from(list(PathState))))
        asked = [path for path, what in state.items() if what is PathState.SOCKET and draw(st.booleans())]
        found.append(
            Findings(
                now=now,
                table=table(
                    *(
                        process(id_.pid, start=id_.start_ticks, state=draw(st.sampled_from("STZ")))
                        for id_ in alive.values()
                    ),
                    complete=draw(st.booleans()),
                ),
                sites={path: SocketPath(path=path, state=what) for path, what in state.items()},
                listeners={
                    id_: Listener(path=draw(paths), same_mounts=draw(st.booleans()))
                    for id_ in draw(st.sets(ids))
                },
                outcomes={path: draw(outcomes(now)) for path in asked},
            )
        )
    return found


@settings(max_examples=examples(300), deadline=None)
@given(samples())
def test_what_is_told_of_servers_is_true_after_every_sample(machine: list[Findings]) -> None:
    servers: tuple[Server, ...] = ()
    labels: dict[Key, Label] = {}
    for seen in machine:
        before = {server.process: server for server in servers}
        servers = update_servers(servers, seen, hold=HOLD, interval=5.0).servers
        labels = assign_labels(servers, (FOLDER,), labels)
        assert len(set(labels.values())) == len(servers) == len({key_of(server) for server in servers})
        holders = [server.path for server in servers if server.holds_path]
        assert len(set(holders)) == len(holders)
        known = [server.process for server in servers if server.process is not None]
        assert len(set(known)) == len(known)
        assert not [label for label in labels.values() if "swarm-7" in label]
        for server in servers:
            check(server, before.get(server.process), seen)
            is_due(server, server.path, seen.table, seen.listeners, seen.now)


def check(server: Server, before: Server | None, seen: Findings) -> None:
    """One server after one sample."""
    fresh_end = server.ended_at == seen.now
    if fresh_end:
        assert server.process is not None
        assert is_gone(server.process, seen.table)
    if server.ended_at is not None:
        assert not server.up
        assert server.listing is None
        assert seen.now - server.ended_at < FORGET_AFTER
    if server.up:
        assert server.problem is None
        assert server.holds_path
        answered = [o for o in seen.outcomes.values() if o.process == server.process and not o.failure]
        assert answered or (before is not None and before.up)
    else:
        assert server.problem is not None
    if server.listing is not None:
        assert server.listing.server == server.process
        assert server.up or seen.now - server.listing.taken_at <= HOLD
    assert len(server.queries) <= 1
