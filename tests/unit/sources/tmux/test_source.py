"""What is known of tmux servers from sample to sample, with scripted findings and a hand-moved clock."""

from collections.abc import Sequence

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.facts import listing, process, table
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import Listing, Query, QueryFailure
from tmux_exporter.sources.tmux.listeners import Listener
from tmux_exporter.sources.tmux.server import QueryOutcome, Server, is_due
from tmux_exporter.sources.tmux.socket_files import PathState, SocketPath
from tmux_exporter.sources.tmux.update_servers import Findings, UpdatedServers, update_servers

PATH = "/tmp/tmux-1000/default"
P = ProcessId(10, 1)
Q = ProcessId(20, 5)
HOLD = 30.0
INTERVAL = 5.0


class Samples:
    """Samples of a scripted machine, one `take` each; what was learned stays."""

    def __init__(self) -> None:
        self.clock = ManualClock(monotonic=1000.0)
        self.servers: tuple[Server, ...] = ()

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def answer(self, who: ProcessId = P, *, seconds: float = 0.01, cpu: float | None = None) -> QueryOutcome:
        given = listing(process(who.pid, start=who.start_ticks), taken_at=self.now)
        return QueryOutcome(process=who, at=self.now, seconds=seconds, listing=given, cpu_seconds=cpu)

    def failure(
        self, why: QueryFailure, who: ProcessId | None = None, *, seconds: float = 2.0
    ) -> QueryOutcome:
        return QueryOutcome(process=who, at=self.now, seconds=seconds, failure=why, detail=str(why))

    def take(
        self,
        outcomes: dict[str, QueryOutcome] | None = None,
        *,
        alive: Sequence[ProcessId | Process] = (),
        listening: dict[ProcessId, str] | None = None,
        sites: dict[str, PathState] | None = None,
        complete: bool = True,
        same_mounts: bool = True,
    ) -> UpdatedServers:
        outcomes = outcomes or {}
        state = dict.fromkeys(outcomes, PathState.SOCKET) | (sites or {})
        seen = table(
            *(p if isinstance(p, Process) else process(p.pid, start=p.start_ticks) for p in alive),
            complete=complete,
        )
        findings = Findings(
            now=self.now,
            table=seen,
            sites={path: SocketPath(path=path, state=what) for path, what in state.items()},
            listeners={
                id_: Listener(path=path, same_mounts=same_mounts) for id_, path in (listening or {}).items()
            },
            outcomes=outcomes,
        )
        settled = update_servers(self.servers, findings, hold=HOLD, interval=INTERVAL)
        self.servers = settled.servers
        return settled

    def due(self, *alive: ProcessId | Process, listening: dict[ProcessId, str] | None = None) -> bool:
        seen = table(*(p if isinstance(p, Process) else process(p.pid, start=p.start_ticks) for p in alive))
        listeners = {id_: Listener(path=path) for id_, path in (listening or {P: PATH}).items()}
        holder = next((s for s in self.servers if s.path == PATH and s.holds_path), None)
        return is_due(holder, PATH, seen, listeners, self.now)

    def up(self) -> Server:
        """One server that has answered."""
        [server] = self.take({PATH: self.answer()}, alive=[P], listening={P: PATH}).servers
        assert server.up
        return server


def reason(server: Server) -> str:
    assert server.problem is not None
    return server.problem.reason


def test_a_server_that_answers_is_up_with_its_listing() -> None:
    server = Samples().up()
    assert (server.process, server.listing and server.listing.server) == (P, P)
    assert (server.problem, server.ended_at) == (None, None)
    assert server.queries == (Query(seconds=0.01),)


def test_queries_are_one_samples_only() -> None:
    samples = Samples()
    samples.up()
    [server] = samples.take(sites={PATH: PathState.SOCKET}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.queries) == (True, ())


# Stale files


def test_a_socket_file_that_nobody_ever_listened_on_is_counted_and_no_server() -> None:
    samples = Samples()
    settled = samples.take(
        {PATH: samples.failure(QueryFailure.NOSERVER), "/b": samples.failure(QueryFailure.NOSERVER)}
    )
    assert (settled.servers, settled.stale_sockets) == ((), 2)


@pytest.mark.parametrize(("state", "stale"), [(PathState.PLAIN, 1), (PathState.MISSING, 0)])
def test_a_plain_file_is_counted_without_a_question_and_a_missing_one_not(
    state: PathState, stale: int
) -> None:
    settled = Samples().take(sites={PATH: state})
    assert (settled.servers, settled.stale_sockets, settled.problems) == ((), stale, ())


# Hung


def test_a_server_that_was_hung_from_the_start_is_a_server() -> None:
    samples = Samples()
    [server] = samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P]).servers
    assert (server.up, server.ended_at, server.process, server.listing) == (False, None, P, None)
    assert reason(server) == "hung"


def test_a_full_backlog_shows_no_peer_and_the_known_process_stays() -> None:
    samples = Samples()
    before = samples.up()
    samples.clock.advance(5)
    [server] = samples.take(
        {PATH: samples.failure(QueryFailure.HUNG)}, alive=[P], listening={P: PATH}
    ).servers
    assert (server.up, server.process, server.listing) == (False, P, before.listing)


def test_a_full_backlog_of_a_new_server_is_its_listener() -> None:
    samples = Samples()
    [server] = samples.take(
        {PATH: samples.failure(QueryFailure.HUNG)}, alive=[P], listening={P: PATH}
    ).servers
    assert server.process == P


def test_a_full_backlog_at_a_path_that_two_claim_is_nobodys() -> None:
    samples = Samples()
    hung = {PATH: samples.failure(QueryFailure.HUNG)}
    found = samples.take(hung, alive=[P, Q], listening={P: PATH, Q: PATH}).servers
    assert [(s.process, s.holds_path, reason(s)) for s in found] == [
        (None, True, "hung"),
        (P, False, "noserver"),
        (Q, False, "noserver"),
    ]


def test_a_full_backlog_of_an_unseen_process_is_a_server_without_a_process() -> None:
    samples = Samples()
    [server] = samples.take({PATH: samples.failure(QueryFailure.HUNG)}).servers
    assert (server.process, reason(server)) == (None, "hung")
    samples.clock.advance(5)
    settled = samples.take({PATH: samples.failure(QueryFailure.NOSERVER)})
    assert (settled.servers, settled.stale_sockets) == ((), 1)


def test_rests_of_a_hung_server_double_up_to_a_minute_and_end_with_an_answer() -> None:
    samples = Samples()
    samples.up()
    asked = []
    start = samples.now
    for _ in range(60):
        samples.clock.advance(5)
        if samples.due(P):
            asked.append(samples.now - start)
            samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P], listening={P: PATH})
        else:
            [server] = samples.take(sites={PATH: PathState.SOCKET}, alive=[P], listening={P: PATH}).servers
            assert (server.up, server.queries, reason(server)) == (False, (), "hung")
    assert asked == [5, 10, 20, 40, 80, 135, 190, 245, 300]
    samples.take({PATH: samples.answer()}, alive=[P])
    samples.clock.advance(5)
    assert samples.due(P)
    samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P])
    samples.clock.advance(5)
    assert samples.due(P)


@pytest.mark.parametrize("why", [f for f in QueryFailure if f not in ("noserver", "denied")])
def test_every_failure_that_costs_somebody_something_calls_for_a_rest(why: QueryFailure) -> None:
    samples = Samples()
    samples.take({PATH: samples.failure(why, P)}, alive=[P])
    samples.clock.advance(4)
    assert not samples.due(P)
    samples.clock.advance(1)
    assert samples.due(P)


@pytest.mark.parametrize("why", [QueryFailure.NOSERVER, QueryFailure.DENIED])
def test_a_refused_connection_calls_for_no_rest(why: QueryFailure) -> None:
    samples = Samples()
    samples.up()
    samples.take({PATH: samples.failure(why)}, alive=[P], listening={P: PATH})
    assert samples.due(P)


def hung_for_long(samples: Samples, state: str = "S") -> None:
    samples.up()
    for _ in range(6):
        samples.take(
            {PATH: samples.failure(QueryFailure.HUNG, P)},
            alive=[process(P.pid, start=P.start_ticks, state=state)],
            listening={P: PATH},
        )
    assert not samples.due(process(P.pid, start=P.start_ticks, state=state))


def test_a_rest_ends_when_the_process_is_gone() -> None:
    samples = Samples()
    hung_for_long(samples)
    assert samples.due()
    assert samples.due(ProcessId(P.pid, P.start_ticks + 1))


def test_a_rest_ends_when_another_process_took_the_path() -> None:
    samples = Samples()
    hung_for_long(samples)
    assert samples.due(P, Q, listening={Q: PATH})
    assert not samples.due(P, Q, listening={P: PATH, Q: PATH})


def test_a_rest_ends_when_a_stopped_process_is_continued() -> None:
    samples = Samples()
    hung_for_long(samples, state="T")
    assert samples.due(P)


# Hold


@pytest.mark.parametrize("why", list(QueryFailure))
def test_the_last_listing_is_held_for_its_time_whatever_failed(why: QueryFailure) -> None:
    samples = Samples()
    before = samples.up()
    samples.clock.advance(HOLD)
    [server] = samples.take({PATH: samples.failure(why, P)}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.ended_at, server.listing) == (False, None, before.listing)
    samples.clock.advance(0.1)
    [server] = samples.take(sites={PATH: PathState.SOCKET}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.ended_at, server.listing, server.process) == (False, None, None, P)


# End


def test_an_ended_server_loses_its_listing_at_once_and_is_shown_for_a_quarter_of_an_hour() -> None:
    samples = Samples()
    samples.up()
    samples.clock.advance(5)
    gone = {PATH: samples.failure(QueryFailure.NOSERVER, seconds=0.0)}
    settled = samples.take(gone)
    [server] = settled.servers
    assert (server.up, server.ended_at, server.listing) == (False, samples.now, None)
    assert server.queries == (Query(seconds=0.0, failure=QueryFailure.NOSERVER),)
    assert settled.stale_sockets == 0
    for _ in range(2):
        samples.clock.advance(449.9)
        settled = samples.take(gone)
        assert [s.ended_at is not None and not s.queries for s in settled.servers] == [True]
        assert settled.stale_sockets == 0
    samples.clock.advance(0.3)
    assert samples.take(gone).servers == ()
    settled = samples.take(gone)
    assert (settled.servers, settled.stale_sockets) == ((), 1)


def test_an_ended_server_whose_file_is_gone_too_is_shown_as_long() -> None:
    samples = Samples()
    samples.up()
    for seconds in (5, 800):
        samples.clock.advance(seconds)
        [server] = samples.take(sites={PATH: PathState.MISSING}).servers
        assert (server.ended_at is not None, server.listing) == (True, None)
    samples.clock.advance(200)
    assert samples.take(sites={PATH: PathState.MISSING}).servers == ()


def test_a_zombie_has_ended() -> None:
    samples = Samples()
    samples.up()
    zombie = process(P.pid, start=P.start_ticks, state="Z")
    [server] = samples.take({PATH: samples.failure(QueryFailure.NOSERVER)}, alive=[zombie]).servers
    assert server.ended_at is not None


def test_another_process_with_the_old_pid_is_not_the_server() -> None:
    samples = Samples()
    samples.up()
    [server] = samples.take(
        {PATH: samples.failure(QueryFailure.NOSERVER)}, alive=[ProcessId(P.pid, P.start_ticks + 1)]
    ).servers
    assert server.ended_at is not None


def test_an_incomplete_table_proves_no_end() -> None:
    samples = Samples()
    before = samples.up()
    [server] = samples.take({PATH: samples.failure(QueryFailure.NOSERVER)}, complete=False).servers
    assert (server.up, server.ended_at, server.listing) == (False, None, before.listing)


@pytest.mark.parametrize("why", [f for f in QueryFailure if f != "noserver"])
def test_a_process_that_is_gone_proves_no_end_while_its_path_is_not_refused(why: QueryFailure) -> None:
    samples = Samples()
    samples.up()
    [server] = samples.take({PATH: samples.failure(why, P)}).servers
    assert server.ended_at is None


def test_a_hung_server_that_is_killed_has_ended() -> None:
    samples = Samples()
    samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P])
    [server] = samples.take({PATH: samples.failure(QueryFailure.NOSERVER)}).servers
    assert server.ended_at is not None


# Restart


def test_a_restart_is_another_server_and_nothing_is_joined() -> None:
    samples = Samples()
    samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P])
    samples.take({PATH: samples.answer(cpu=0.005)}, alive=[P], listening={P: PATH})
    samples.take({PATH: samples.failure(QueryFailure.HUNG, P)}, alive=[P], listening={P: PATH})
    [server] = samples.take({PATH: samples.answer(Q)}, alive=[Q], listening={Q: PATH}).servers
    assert (server.process, server.up, server.failures, server.costs) == (Q, True, 0, ())
    assert server.listing and server.listing.server == Q


def test_a_restart_that_hangs_does_not_show_the_old_listing() -> None:
    samples = Samples()
    samples.up()
    [server] = samples.take(
        {PATH: samples.failure(QueryFailure.HUNG, Q)}, alive=[Q], listening={Q: PATH}
    ).servers
    assert (server.process, server.listing, server.up, server.ended_at) == (Q, None, False, None)


def test_a_restart_after_the_table_was_read_leaves_no_ghost_of_the_old_server() -> None:
    samples = Samples()
    samples.up()
    [server] = samples.take({PATH: samples.answer(Q)}, alive=[P], listening={Q: PATH}).servers
    assert server.process == Q


def test_a_server_at_an_ended_ones_path_takes_its_place() -> None:
    samples = Samples()
    samples.up()
    samples.take({PATH: samples.failure(QueryFailure.NOSERVER)})
    [server] = samples.take({PATH: samples.answer(Q)}, alive=[Q], listening={Q: PATH}).servers
    assert (server.process, server.up, server.ended_at) == (Q, True, None)


def test_an_ended_server_that_listens_after_all_starts_anew_behind_the_new_one() -> None:
    samples = Samples()
    samples.up()
    samples.take({PATH: samples.failure(QueryFailure.NOSERVER)}, listening={P: PATH})
    both = {P: PATH, Q: PATH}
    found = samples.take({PATH: samples.answer(Q)}, listening=both, complete=False).servers
    assert [(s.process, s.up, s.ended_at) for s in found] == [(Q, True, None), (P, False, None)]


def test_a_hung_server_at_an_ended_ones_path_takes_its_place() -> None:
    samples = Samples()
    samples.up()
    samples.take({PATH: samples.failure(QueryFailure.NOSERVER)})
    [server] = samples.take({PATH: samples.failure(QueryFailure.HUNG)}).servers
    assert (server.process, server.ended_at, reason(server)) == (None, None, "hung")


# A living server without its socket file


def test_a_deleted_socket_is_neither_the_end_nor_silent() -> None:
    samples = Samples()
    before = samples.up()
    samples.clock.advance(5)
    [server] = samples.take(sites={PATH: PathState.MISSING}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.ended_at, server.listing) == (False, None, before.listing)
    assert server.problem and server.problem.reason == "noserver"
    assert "missing" in server.problem.detail
    assert "kill -USR1 10" in server.problem.detail
    [server] = samples.take({PATH: samples.answer()}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.problem) == (True, None)


def test_a_deleted_socket_shows_on_first_sight() -> None:
    [server] = Samples().take(sites={PATH: PathState.MISSING}, alive=[P], listening={P: PATH}).servers
    assert (server.process, server.holds_path, server.up, reason(server)) == (P, True, False, "noserver")


def test_a_deleted_socket_whose_server_ends_has_ended() -> None:
    samples = Samples()
    samples.take(sites={PATH: PathState.MISSING}, alive=[P], listening={P: PATH})
    [server] = samples.take(sites={PATH: PathState.MISSING}).servers
    assert server.ended_at is not None


@pytest.mark.parametrize("state", [PathState.PLAIN, PathState.SOCKET])
def test_a_file_in_the_place_of_a_living_servers_socket_is_not_stale(state: PathState) -> None:
    samples = Samples()
    refused = {PATH: samples.failure(QueryFailure.NOSERVER)} if state is PathState.SOCKET else {}
    settled = samples.take(refused, sites={PATH: state}, alive=[P], listening={P: PATH})
    assert [(s.process, s.ended_at) for s in settled.servers] == [(P, None)]
    assert settled.stale_sockets == 0
    assert settled.servers[0].problem and "no longer its own" in settled.servers[0].problem.detail


def test_another_mount_namespace_is_not_a_missing_file() -> None:
    [server] = (
        Samples()
        .take(sites={PATH: PathState.MISSING}, alive=[P], listening={P: PATH}, same_mounts=False)
        .servers
    )
    assert server.problem and "mount namespace" in server.problem.detail
    assert "kill" not in server.problem.detail


def test_a_server_whose_path_was_taken_lives_on_beside_the_new_one() -> None:
    samples = Samples()
    before = samples.up()
    both = {P: PATH, Q: PATH}
    new, old = samples.take({PATH: samples.answer(Q)}, alive=[P, Q], listening=both).servers
    assert (new.process, new.up, new.holds_path) == (Q, True, True)
    assert (old.process, old.up, old.holds_path, old.ended_at) == (P, False, False, None)
    assert old.listing == before.listing
    assert old.problem and "another server took its socket's place" in old.problem.detail
    # It stays so while the new one rests, and when the old one ends nothing is left of it.
    new, old = samples.take(sites={PATH: PathState.SOCKET}, alive=[P, Q], listening=both).servers
    assert (new.up, old.up) == (True, False)
    [new] = samples.take({PATH: samples.answer(Q)}, alive=[Q], listening={Q: PATH}).servers
    assert (new.process, new.up) == (Q, True)


def test_a_hidden_server_shows_on_first_sight() -> None:
    samples = Samples()
    new, old = samples.take({PATH: samples.answer(Q)}, alive=[P, Q], listening={P: PATH, Q: PATH}).servers
    assert (new.process, old.process, old.holds_path) == (Q, P, False)


def test_a_server_takes_its_path_back() -> None:
    samples = Samples()
    both = {P: PATH, Q: PATH}
    samples.take({PATH: samples.answer(Q)}, alive=[P, Q], listening=both)
    back, hidden = samples.take({PATH: samples.answer(P)}, alive=[P, Q], listening=both).servers
    assert (back.process, back.up, back.holds_path) == (P, True, True)
    assert (hidden.process, hidden.up, hidden.holds_path) == (Q, False, False)


def test_a_hidden_server_gets_the_path_when_its_holder_ends() -> None:
    samples = Samples()
    samples.take({PATH: samples.answer(Q)}, alive=[P, Q], listening={P: PATH, Q: PATH})
    refused = {PATH: samples.failure(QueryFailure.NOSERVER)}
    [server] = samples.take(refused, alive=[P], listening={P: PATH}).servers
    assert (server.process, server.holds_path, server.up, server.ended_at) == (P, True, False, None)


# One server by two paths


def test_a_server_that_answers_at_two_paths_is_one() -> None:
    samples = Samples()
    for _ in range(2):
        answers = {"/a": samples.answer(), PATH: samples.answer()}
        [server] = samples.take(answers, alive=[P], listening={P: PATH}).servers
        assert (server.path, server.up) == (PATH, True)


def test_a_server_that_answers_is_not_presumed_at_the_path_it_was_bound_to() -> None:
    samples = Samples()
    for outcome in (
        samples.answer(),
        samples.failure(QueryFailure.HUNG, P),
        samples.failure(QueryFailure.HUNG),
    ):
        [server] = [
            s
            for s in samples.take(
                {PATH: outcome}, sites={"/open/s": PathState.FOREIGN}, alive=[P], listening={P: "/open/s"}
            ).servers
            if s.process == P
        ]
        assert (server.path, server.queries) == (
            PATH,
            (Query(seconds=outcome.seconds, failure=outcome.failure),),
        )


# Not to be asked


def test_a_foreign_socket_is_counted_at_every_look() -> None:
    samples = Samples()
    for _ in range(2):
        [server] = samples.take(sites={PATH: PathState.FOREIGN}).servers
        assert (server.process, server.up, server.ended_at) == (None, False, None)
        assert reason(server) == "untrusted"
        assert server.queries == (Query(seconds=0.0, failure=QueryFailure.UNTRUSTED),)
    assert samples.take(sites={PATH: PathState.MISSING}).servers == ()


def test_our_server_in_a_folder_that_is_not_to_be_trusted_is_named_and_ends() -> None:
    samples = Samples()
    [server] = samples.take(sites={PATH: PathState.FOREIGN}, alive=[P], listening={P: PATH}).servers
    assert (server.process, reason(server)) == (P, "untrusted")
    [server] = samples.take(sites={PATH: PathState.FOREIGN}).servers
    assert server.ended_at is not None
    [server] = samples.take(sites={PATH: PathState.FOREIGN}).servers
    assert server.ended_at is not None
    assert server.queries == ()


def test_a_link_in_a_socket_folder_is_a_problem_and_no_server() -> None:
    settled = Samples().take(sites={PATH: PathState.LINK})
    assert (settled.servers, settled.stale_sockets) == ((), 0)
    assert [p.reason for p in settled.problems] == ["untrusted"]


def test_a_link_in_the_place_of_a_known_socket_is_not_followed() -> None:
    samples = Samples()
    before = samples.up()
    [server] = samples.take(sites={PATH: PathState.LINK}, alive=[P], listening={P: PATH}).servers
    assert (server.up, reason(server), server.listing) == (False, "untrusted", before.listing)


def test_an_unreadable_place_is_a_problem_or_a_servers_failure() -> None:
    samples = Samples()
    assert [p.reason for p in samples.take(sites={PATH: PathState.UNREADABLE}).problems] == ["denied"]
    samples.up()
    settled = samples.take(sites={PATH: PathState.UNREADABLE}, alive=[P], listening={P: PATH})
    assert [(s.up, reason(s)) for s in settled.servers] == [(False, "denied")]
    assert settled.problems == ()


def test_a_denied_socket_is_a_problem_unless_a_server_is_known_there() -> None:
    samples = Samples()
    denied = {PATH: samples.failure(QueryFailure.DENIED)}
    settled = samples.take(denied)
    assert (settled.servers, settled.stale_sockets) == ((), 0)
    assert [p.reason for p in settled.problems] == ["denied"]
    settled = samples.take(denied, alive=[P], listening={P: PATH})
    assert [(s.process, reason(s)) for s in settled.servers] == [(P, "denied")]
    assert settled.problems == ()


# Pace


def test_the_next_question_waits_until_the_last_one_cost_a_250th_of_a_core() -> None:
    samples = Samples()
    samples.take({PATH: samples.answer(seconds=0.2, cpu=0.05)}, alive=[P], listening={P: PATH})
    samples.clock.advance(12.4)
    assert not samples.due(P)
    [server] = samples.take(sites={PATH: PathState.SOCKET}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.queries, server.listing is not None) == (True, (), True)
    samples.clock.advance(0.1)
    assert samples.due(P)


def test_a_listing_within_its_pace_is_fresh_however_long_the_hold() -> None:
    samples = Samples()
    samples.take({PATH: samples.answer(seconds=0.2, cpu=0.2)}, alive=[P], listening={P: PATH})
    samples.clock.advance(HOLD + 5)
    assert not samples.due(P)
    [server] = samples.take(sites={PATH: PathState.SOCKET}, alive=[P], listening={P: PATH}).servers
    assert (server.up, server.listing is not None) == (True, True)


def test_a_cheap_listing_is_taken_at_every_sample() -> None:
    samples = Samples()
    samples.take({PATH: samples.answer(cpu=0.008)}, alive=[P])
    samples.clock.advance(5)
    assert samples.due(P)


def pace_after(samples: Samples, *costs: tuple[float | None, float]) -> float:
    for cpu, seconds in costs:
        samples.take({PATH: samples.answer(cpu=cpu, seconds=seconds)}, alive=[P], listening={P: PATH})
    [server] = samples.servers
    return server.rest_until - samples.now


def test_the_cost_is_the_least_of_the_last_three_and_never_more_than_the_answer_took() -> None:
    assert pace_after(Samples(), (None, 0.5)) == 0
    assert pace_after(Samples(), (0.05, 0.5), (0.02, 0.5), (0.2, 0.5)) == pytest.approx(5)
    assert pace_after(Samples(), (0.02, 0.5), *[(0.1, 0.5)] * 3) == pytest.approx(25)
    assert pace_after(Samples(), (2.0, 0.01)) == pytest.approx(2.5)
    assert pace_after(Samples(), (2.0, 2.0)) == pytest.approx(60)


def test_a_server_that_ends_within_its_pace_is_asked_and_found_out() -> None:
    samples = Samples()
    samples.take({PATH: samples.answer(seconds=1.0, cpu=0.5)}, alive=[P], listening={P: PATH})
    assert not samples.due(P)
    assert samples.due()


# Whatever happens


def given_listing(server: Server) -> Listing:
    assert server.listing is not None
    return server.listing


def test_a_held_listing_is_the_very_same_object() -> None:
    samples = Samples()
    before = given_listing(samples.up())
    [server] = samples.take({PATH: samples.failure(QueryFailure.PARTIAL, P)}, alive=[P]).servers
    assert given_listing(server) is before
