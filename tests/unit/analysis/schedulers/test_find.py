"""The truth table of schedulers on literals: one shell, its sleep, one or two servers."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.literals.listings import BOOT, listing, process, server_view, table, tmux_view
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Problem, Process, ProcessId
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState
from tmux_exporter.facts.tmux import Listing, PaneKey, ServerView

SCRIPT = "sleep 600 && tmux send-keys -t orc:0 'secret text' && sleep 1 && tmux send-keys -t orc:0 Enter"
SOCKET = "/tmp/tmux-1000/default"
FLEET = listing({"orc": ["Claude-Agent", "Shell"], "orc2": ["main"], "api-v2": ["main"]})
ENVIRON = {"TMUX": f"{SOCKET},100,0", "TMUX_PANE": "%1"}
STARTED = BOOT + 20.0  # tick 2,000
NOW = STARTED + 10.0


def _pair(
    script: str = SCRIPT,
    *,
    sleep: str | None = "600",
    environ: Mapping[str, str] | None = ENVIRON,
    shell: str = "bash",
    start: int = 2_000,
    sleep_start: int = 2_000,
) -> list[Process]:
    first = process(500, 1, [shell, "-c", script], start=start, environ=environ)
    if environ is None:
        first = replace(first, environ=None)
    if sleep is None:
        return [first]
    return [first, process(501, 500, ["sleep", *sleep.split()], start=sleep_start)]


def _find(
    processes: list[Process],
    *servers: ServerView,
    now: float = NOW,
    owners: Mapping[ProcessId, Owner] | None = None,
    complete: bool = True,
) -> tuple[Scheduler, ...]:
    return find_schedulers(
        table(*processes, complete=complete),
        owners or {},
        tmux_view(*(servers or (server_view(FLEET),))),
        SOCKET,
        now,
    )


def _only(processes: list[Process], *servers: ServerView, now: float = NOW) -> Scheduler:
    found = _find(processes, *servers, now=now)
    assert len(found) == 1
    assert found[0].reason
    return found[0]


def test_an_armed_scheduler_with_all_its_facts() -> None:
    assert _only(_pair()) == Scheduler(
        process=ProcessId(500, 2_000), sleep=ProcessId(501, 2_000), state=SchedulerState.ARMED,
        reason="its target is there", targets=("orc:0",), server=FLEET.server, session_id="$0",
        due=STARTED + 600.0, aimed=(FLEET.server,), judged_at=FLEET.taken_at,
        panes=(PaneKey(FLEET.server, "%0"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("sleep 600 && tmux send-keys -t orc:0 x", SchedulerState.ARMED),
        ("sleep 600; tmux send-keys -t %2 x", SchedulerState.ARMED),
        ("sleep 600 && tmux send-keys -t gone:0 x", SchedulerState.DANGLING),
        ("sleep 600 && tmux send-keys -t orc:7 x && tmux send-keys -t gone:0 x", SchedulerState.DANGLING),
        ("sleep 600 && tmux send-keys -t api:0 x", SchedulerState.MISDIRECTED),
        ("sleep 600 && tmux send-keys -t 'orc:C*t' x", SchedulerState.MISDIRECTED),
        ("sleep 600 && tmux send-keys -t orc:0 x && tmux send-keys -t api:0 x", SchedulerState.MISDIRECTED),
        ("sleep 600 && tmux send-keys -t orc:0 x && tmux send-keys -t gone:0 x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys -t api:0 x && tmux send-keys -t gone:0 x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys -t orc x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys -t =: x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys -t 'orc:={next}' x", SchedulerState.UNKNOWN),
        ("sleep 600 && tmux send-keys -t $T x", SchedulerState.OPAQUE),
        ("sleep 600 && tmux send-keys -t gone:0 'x;' kill-server", SchedulerState.OPAQUE),
        ("while true; do sleep 600; tmux send-keys -t gone:0 Enter; done", SchedulerState.OPAQUE),
    ],
)
def test_the_target_decides(script: str, state: SchedulerState) -> None:
    assert _only(_pair(script)).state is state


def _failed(listed: Listing | None = FLEET, reason: str = "hung") -> ServerView:
    problem = Problem(source="tmux", reason=reason)
    return replace(server_view(FLEET, up=False), listing=listed, problem=problem)


@pytest.mark.parametrize(
    "view",
    [
        _failed(), _failed(None), _failed(None, "denied"), _failed(FLEET, "partial"),
        replace(_failed(None, "untrusted"), process=None), replace(server_view(FLEET), process=None),
        server_view(replace(FLEET, taken_at=9.9)), server_view(FLEET, socket="/tmp/tmux-1000/other"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("environ", [ENVIRON, {}])
def test_a_server_seen_in_part_makes_nothing_dangling(view: ServerView, environ: Mapping[str, str]) -> None:
    found = _only(_pair("sleep 600 && tmux send-keys -t gone:0 x", environ=environ), view)
    if view.socket == SOCKET or not environ:
        assert found.state is SchedulerState.UNKNOWN
    else:
        # The path is another text for the same place: the pid in TMUX names the server.
        assert found.state is SchedulerState.DANGLING


def test_the_last_proof_restores_the_verdict() -> None:
    pair = _pair("sleep 600 && tmux send-keys -t gone:0 x")
    assert _only(pair, server_view(replace(FLEET, taken_at=10.0))).state is SchedulerState.DANGLING


def test_a_listing_from_before_the_processes_still_proves_what_is_there() -> None:
    assert _only(_pair(), server_view(replace(FLEET, taken_at=9.9))).state is SchedulerState.ARMED


@pytest.mark.parametrize(
    ("sleep_start", "proven"), [(2_000, True), (2_900, True), (3_000, False), (3_100, False)]
)
def test_an_earlier_listing_proves_absence_to_what_was_there_by_then(sleep_start: int, proven: bool) -> None:
    listed = server_view(replace(FLEET, taken_at=30.0))

    def state(script: str, environ: Mapping[str, str]) -> SchedulerState:
        processes = table(*_pair(script, environ=environ, sleep_start=sleep_start), taken_at=40.0)
        (found,) = find_schedulers(processes, {}, tmux_view(listed), SOCKET, NOW)
        return found.state

    missing = state("sleep 600 && tmux send-keys -t gone:0 x", ENVIRON)
    assert missing is (SchedulerState.DANGLING if proven else SchedulerState.UNKNOWN)
    orphan = state("sleep 600 && tmux send-keys -t orc:0 x", {**ENVIRON, "TMUX_PANE": "%77"})
    assert orphan is (SchedulerState.ARMED_ORIGIN_GONE if proven else SchedulerState.ARMED)


def test_a_held_listing_keeps_the_session_but_not_the_state() -> None:
    found = _only(_pair(), _failed())
    assert (found.state, found.server, found.session_id) == (SchedulerState.UNKNOWN, FLEET.server, "$0")
    assert "hung" in found.reason


OTHER = listing({"work": ["main"]}, server=ProcessId(200, 1_500))
OTHERS = (server_view(FLEET), server_view(OTHER, socket="/tmp/tmux-1000/work"))


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ("-L work", ENVIRON),
        ("-L work", {}),
        ("-L work", {"TMUX_TMPDIR": "/tmp/"}),
        ("-S /tmp//tmux-1000/work", ENVIRON),
        ("-S /tmp/tmux-1000/work", None),
        ("-L default -S /tmp/tmux-1000/work", ENVIRON),
        ("", {"TMUX": "/tmp/tmux-1000/work,200,3"}),
        ("", {"TMUX": "./work,200,3"}),
    ],
)
def test_the_command_names_its_server_else_its_tmux_variable_else_the_default(
    options: str, environ: Mapping[str, str] | None
) -> None:
    found = _only(_pair(f"sleep 600 && tmux {options} send-keys -t work:0 x", environ=environ), *OTHERS)
    assert (found.state, found.server) == (SchedulerState.ARMED, OTHER.server), found.reason


@pytest.mark.parametrize("environ", [{}, {"TMUX": ""}, {"TMUX": ",1,2"}])
def test_without_a_tmux_variable_it_goes_to_the_default_socket(environ: Mapping[str, str]) -> None:
    found = _only(_pair("sleep 600 && tmux send-keys -t work:0 x", environ=environ), *OTHERS)
    assert (found.state, found.server) == (SchedulerState.DANGLING, FLEET.server)


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ("", None), ("-L work", None), ("-S work", ENVIRON), ("", {"TMUX": SOCKET}),
        ("", {"TMUX": f"{SOCKET},x,0"}), ("", {"TMUX": f"{SOCKET},٣,0"}),
        ("", {"TMUX": f"{SOCKET},{'7' * 20},0"}), ("", {"TMUX_TMPDIR": "/elsewhere"}), ("-L elsewhere", {}),
    ],
)  # fmt: skip
def test_with_an_unknown_server_nothing_is_judged(options: str, environ: Mapping[str, str] | None) -> None:
    found = _only(_pair(f"sleep 600 && tmux {options} send-keys -t gone:0 x", environ=environ), *OTHERS)
    assert found.state is SchedulerState.UNKNOWN


def test_an_ended_server_leaves_it_serverless() -> None:
    for environ in (ENVIRON, {}):
        found = _only(_pair(environ=environ), server_view(FLEET, up=False, ended=True))
        assert (found.state, found.server) == (SchedulerState.SERVERLESS, FLEET.server)


@pytest.mark.parametrize("pid", [100, 300])
def test_a_younger_server_on_the_same_socket_is_another_generation(pid: int) -> None:
    younger = listing({"orc": ["main"]}, server=ProcessId(pid, 2_500))
    assert _only(_pair(), server_view(younger)).state is SchedulerState.STALE_GENERATION


def test_a_target_that_a_younger_server_lacks_may_still_be_made() -> None:
    younger = server_view(listing({"orc": ["main"]}, server=ProcessId(300, 2_500)))
    missing = "sleep 600 && tmux -L default send-keys -t gone:0 x"
    assert _only(_pair(missing), younger).state is SchedulerState.UNKNOWN
    assert _only(_pair(missing.replace("gone", "orc")), younger).state is SchedulerState.ARMED


def test_of_two_servers_on_one_path_the_one_that_answers_has_it() -> None:
    views = (server_view(FLEET), _failed(None))
    for order in (views, views[::-1]):
        assert _only(_pair(), *order).state is SchedulerState.ARMED


def test_the_pane_that_scheduled_it_may_be_gone() -> None:
    pair = _pair(environ={**ENVIRON, "TMUX_PANE": "%77"})
    assert _only(pair).state is SchedulerState.ARMED_ORIGIN_GONE
    assert _only(pair, server_view(replace(FLEET, taken_at=9.0))).state is SchedulerState.ARMED
    away = _pair("sleep 600 && tmux -L work send-keys -t work:0 x", environ={**ENVIRON, "TMUX_PANE": "%77"})
    for unproven in (_failed(None), _failed(), server_view(replace(FLEET, server=ProcessId(100, 2_500)))):
        assert _only(away, unproven, OTHERS[1]).state is SchedulerState.ARMED
    assert _only(away, *OTHERS).state is SchedulerState.ARMED_ORIGIN_GONE


def test_a_dead_target_pane_is_told() -> None:
    panes = tuple(replace(pane, dead=pane.id == "%0") for pane in FLEET.panes)
    found = _only(_pair(), server_view(replace(FLEET, panes=panes)))
    assert found.state is SchedulerState.ARMED
    assert "dead" in found.reason


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (STARTED + 594.9, SchedulerState.ARMED),
        (STARTED + 595.1, SchedulerState.FIRING),
        (STARTED + 629.9, SchedulerState.FIRING),
        (STARTED + 630.1, SchedulerState.OVERDUE),
    ],
)
def test_a_sleep_at_its_end_is_firing_and_long_after_it_overdue(now: float, state: SchedulerState) -> None:
    assert _only(_pair(), now=now).state is state


@pytest.mark.parametrize(
    ("sleep", "sleep_start", "state"),
    [
        ("600", 2_150, SchedulerState.ARMED),
        ("600", 2_900, SchedulerState.ARMED),
        ("1", 62_000, SchedulerState.FIRING),
        ("599", 2_000, SchedulerState.FIRING),
        (None, 0, SchedulerState.FIRING),
    ],
)
def test_only_its_first_sleep_is_the_wait(sleep: str | None, sleep_start: int, state: SchedulerState) -> None:
    assert _only(_pair(sleep=sleep, sleep_start=sleep_start)).state is state


def test_a_later_sleep_of_the_same_length_is_told_by_its_start() -> None:
    script = "sleep 60 && tmux send-keys -t orc:0 x && sleep 60 && tmux send-keys -t orc:0 Enter"
    first = _pair(script, sleep="60", sleep_start=2_100)
    second = _pair(script, sleep="60", sleep_start=8_001)
    assert _only(first).state is SchedulerState.ARMED
    assert _only(second, now=STARTED + 70).state is SchedulerState.FIRING


def test_a_client_of_its_own_is_firing() -> None:
    pair = [*_pair(sleep=None), process(501, 500, ["tmux", "send-keys", "-t", "orc:0", "x"])]
    assert _only(pair).state is SchedulerState.FIRING


def test_right_after_its_start_it_has_no_sleep_yet() -> None:
    alone = _pair(sleep=None)
    assert _only(alone, now=STARTED + 1).state is SchedulerState.UNKNOWN
    copy = process(501, 500, ["bash", "-c", SCRIPT], start=2_000)
    assert _only([*alone, copy]).state is SchedulerState.UNKNOWN
    later = process(501, 500, ["bash", "-c", SCRIPT], start=62_000)
    assert _only([*alone, later]).state is SchedulerState.FIRING


def test_a_sleep_without_end_is_immortal() -> None:
    found = _only(_pair("sleep infinity && tmux send-keys -t gone:0 x", sleep="infinity"))
    assert (found.state, found.due) == (SchedulerState.IMMORTAL, None)


def test_a_zombie_is_gone() -> None:
    shell, sleep = _pair()
    assert _find([replace(shell, state="Z"), sleep]) == ()
    assert _only([shell, replace(sleep, state="Z")]).state is SchedulerState.FIRING


def test_what_cannot_be_read_is_unknown() -> None:
    shell, sleep = _pair("sleep 600 && tmux send-keys -t gone:0 x")
    assert _only([replace(shell, exe=None), sleep]).state is SchedulerState.UNKNOWN
    assert _only([shell, replace(sleep, argv=None)]).state is SchedulerState.UNKNOWN
    assert _find([replace(shell, argv=None), sleep]) == ()
    partial = _find([shell, sleep], complete=False)
    assert [each.state for each in partial] == [SchedulerState.UNKNOWN]


@pytest.mark.parametrize(
    "decoy",
    [
        process(500, 1, ["bash", "-c", SCRIPT], exe="/usr/bin/python3.11"),
        process(500, 1, ["python3", "-c", SCRIPT]),
        process(500, 1, ["claude", "-p", SCRIPT]),
        process(500, 1, ["grep", "-c", SCRIPT]),
        process(500, 1, ["tmux", "new-session", "-d", SCRIPT], comm="tmux: server"),
        process(500, 1, ["bash", "later.sh"]),
        process(500, 1, ["-bash"]),
        process(500, 1, ["bash", "-c", "sleep 600 && tmux kill-session -t orc"]),
        process(500, 1, ["bash", "-c", "sleep 600; echo 'tmux send-keys -t orc:0'"]),
    ],
)
def test_decoys_are_not_schedulers(decoy: Process) -> None:
    assert _find([decoy, process(501, 500, ["sleep", "600"])]) == ()


def test_an_opaque_script_counts_only_while_it_sleeps() -> None:
    script = "make && sleep 600; tmux send-keys -t orc:0 x"
    found = _only(_pair(script))
    assert (found.state, found.targets, found.due) == (SchedulerState.OPAQUE, (), STARTED + 600.0)
    assert _find([*_pair(script, sleep=None), process(501, 500, ["make"])]) == ()


@pytest.mark.parametrize("shell", ["bash", "dash", "sh", "zsh"])
def test_the_shell_is_known_by_its_program_file(shell: str) -> None:
    first, sleep = _pair(shell=shell)
    assert _only([replace(first, exe=f"/usr/bin/{shell} (deleted)"), sleep]).state is SchedulerState.ARMED


def test_the_scheduler_of_a_missing_target_belongs_to_the_pane_that_made_it() -> None:
    pair = _pair("sleep 600 && tmux send-keys -t gone:0 x")
    owner = Owner(
        kind=OwnerKind.PANE,
        evidence=Evidence.ENVIRONMENT,
        reason="TMUX_PANE",
        server=FLEET.server,
        pane=PaneKey(FLEET.server, "%2"),
    )
    (found,) = _find(pair, owners={pair[0].id: owner})
    assert (found.server, found.session_id) == (FLEET.server, "$1")
    gone = replace(owner, kind=OwnerKind.LEAKED, pane=PaneKey(FLEET.server, "%77"))
    (found,) = _find(pair, owners={pair[0].id: gone})
    assert (found.server, found.session_id) == (FLEET.server, None)
    (found,) = _find(pair, owners={pair[0].id: replace(owner, evidence=Evidence.AGENT_MARKER)})
    assert (found.session_id, found.state) == (None, SchedulerState.DANGLING)


def test_nothing_that_would_be_typed_is_kept() -> None:
    for script in (SCRIPT, SCRIPT + " &", SCRIPT + "; $secret"):
        assert "secret" not in repr(_only(_pair(script)))


def test_schedulers_come_in_the_order_of_their_pids() -> None:
    more = [
        process(90, 1, ["sh", "-c", SCRIPT], exe="/usr/bin/dash", environ=ENVIRON),
        process(91, 90, ["sleep", "600"]),
    ]
    found = _find([*_pair(), *more])
    assert [each.process.pid for each in found] == [90, 500]


def test_the_age_of_the_judgement_is_that_of_the_oldest_listing_it_rests_on() -> None:
    other = listing({"far": ["main"]}, server=ProcessId(300, 900), taken_at=15.0)
    script = "sleep 600 && tmux send-keys -t gone:0 x && tmux -L other send-keys -t gone:0 Enter"
    elsewhere = replace(server_view(other, socket="/tmp/tmux-1000/other"), label="other")
    both = _only(_pair(script), server_view(FLEET), elsewhere)
    assert (both.state, both.aimed, both.judged_at) == (
        SchedulerState.DANGLING,
        (FLEET.server, other.server),
        15.0,
    )
    half = _only(_pair(script), server_view(FLEET), replace(elsewhere, up=False, listing=None))
    assert (half.state, half.aimed, half.judged_at) == (SchedulerState.UNKNOWN, both.aimed, None)
