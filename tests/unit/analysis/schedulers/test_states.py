"""States of schedulers that depend on more than their target: other servers, sockets, namespaces."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.literals.listings import BOOT, listing, process, server_view, table, tmux_view
from tmux_exporter.analysis.schedulers.candidates import ScriptReader
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.analysis.schedulers.warnings import REMARKS, PaneStates
from tmux_exporter.config import SchedulerSettings
from tmux_exporter.facts.process import Namespaces, Problem, Process, ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import Scheduler, SchedulerRemark, SchedulerState
from tmux_exporter.facts.tmux import PaneKey, TmuxView

SOCKET = "/tmp/tmux-1000/default"
FLEET = listing({"orc": ["Claude-Agent", "Shell"], "api-v2": ["main"]})
SERVER = process(100, 1, ["tmux", "new"], comm="tmux: server", start=1_000)
ENVIRON = {"TMUX": f"{SOCKET},100,0", "TMUX_PANE": "%1"}
OURS = Namespaces("pid:[1]", "mnt:[1]")
NOW = BOOT + 30.0
TYPES = "tmux send-keys -t orc:0 'hi there' && sleep 1 && tmux send-keys -t orc:0 Enter"


def pair(
    script: str,
    pid: int = 500,
    *,
    start: int = 2_000,
    environ: Mapping[str, str] | None = None,
    shell: str = "bash",
    **facts: object,
) -> list[Process]:
    """A shell and the sleep that it waits for, by the script's own first words."""
    sleep = script.split("&&", maxsplit=1)[0].split(";", maxsplit=1)[0].split("||", maxsplit=1)[0].split()
    both = [
        process(pid, 1, [shell, "-c", script], start=start, environ=ENVIRON if environ is None else environ),
        process(pid + 1, pid, sleep[sleep.index("sleep") :], start=start),
    ]
    return [replace(each, **facts) for each in both]  # type: ignore[arg-type]


def find(
    processes: list[Process],
    view: TmuxView | None = None,
    *,
    now: float = NOW,
    panes: PaneStates | None = None,
    settings: SchedulerSettings | None = None,
    whole: ProcessTable | None = None,
) -> dict[int, Scheduler]:
    seen = whole or table(SERVER, *processes)
    view = view or tmux_view(server_view(FLEET))
    found = find_schedulers(seen, {}, view, SOCKET, now, panes=panes, settings=settings)
    assert all(each.reason for each in found)
    return {each.process.pid: each for each in found}


def states(found: Mapping[int, Scheduler]) -> dict[int, str]:
    return {pid: each.state.value for pid, each in found.items()}


# Doubles.


def test_of_two_that_do_the_same_only_the_newest_is_wanted() -> None:
    found = find(
        pair(f"sleep 600 && {TYPES}", 500, start=2_000)
        + pair(f"sleep 600 && {TYPES}", 510, start=2_500)
        + pair(f"sleep 600 && {TYPES}", 520, start=2_600)
    )
    assert states(found) == {500: "duplicate", 510: "duplicate", 520: "armed"}
    assert "process 520" in found[510].reason


@pytest.mark.parametrize(
    ("other", "start", "state"),
    [
        # The same, said in another way.
        (f"sleep 600 && {TYPES.replace('orc:0', '%0')}", 2_500, "duplicate"),
        (f"sleep 600 && nohup {TYPES.replace('send-keys', 'send')}", 2_500, "duplicate"),
        # Another sleep: only where it is over at the same time.
        (f"sleep 595 && {TYPES}", 2_500, "duplicate"),
        (f"sleep 540 && {TYPES}", 2_100, "duplicate"),
        (f"sleep 539 && {TYPES}", 2_000, "armed"),
        (f"sleep 1200 && {TYPES}", 2_500, "armed"),
        # Another text, another pane, another wait between, no wait at all.
        ("sleep 600 && tmux send-keys -t orc:0 'something else'", 2_500, "armed"),
        (f"sleep 600 && {TYPES.replace('orc:0', 'orc:1')}", 2_500, "armed"),
        (f"sleep 600 && {TYPES.replace('sleep 1', 'sleep 2')}", 2_500, "armed"),
        # It would not arrive itself.
        (f"sleep 600 && {TYPES.replace('orc:0', 'gone:0')}", 2_500, "armed"),
        (f"sleep 600 && {TYPES} && ls", 2_500, "armed"),
    ],
)
def test_what_makes_a_double(other: str, start: int, state: str) -> None:
    found = find(pair(f"sleep 600 && {TYPES}", 500, start=2_000) + pair(other, 510, start=start))
    assert found[500].state.value == state


def test_doubles_far_apart_are_two_appointments() -> None:
    script = f"sleep 90000 && {TYPES}"
    both = pair(script, 500, start=2_000) + pair(script, 510, start=2_000 + 100 * 7_200)
    now = BOOT + 8_000
    assert states(find(both, now=now)) == {500: "armed", 510: "armed"}
    assert states(find(both, now=now, settings=SchedulerSettings(duplicate_within=7_201.0))) == {
        500: "duplicate",
        510: "armed",
    }


def test_a_double_is_one_whatever_became_of_its_origin() -> None:
    gone = {**ENVIRON, "TMUX_PANE": "%77"}
    both = pair(f"sleep 600 && {TYPES}", 500, environ=gone) + pair(f"sleep 600 && {TYPES}", 510, start=2_100)
    assert states(find(both)) == {500: "duplicate", 510: "armed"}


def test_what_is_worse_than_a_double_stays_what_it_is() -> None:
    script = f"sleep 600 && {TYPES}".replace("orc:0", "api:0")
    assert set(states(find(pair(script, 500) + pair(script, 510))).values()) == {"misdirected"}
    late = pair(f"sleep 60 && {TYPES}", 500) + pair(f"sleep 60 && {TYPES}", 510)
    assert set(states(find(late, now=BOOT + 200)).values()) == {"overdue"}


# For ever.


@pytest.mark.parametrize(
    ("sleep", "state"),
    [
        ("7d", "armed"),
        ("604801", "immortal"),
        ("8d", "immortal"),
        ("1e9", "immortal"),
        ("infinity", "immortal"),
    ],
)
def test_a_sleep_beyond_the_horizon_is_as_good_as_for_ever(sleep: str, state: str) -> None:
    found = find(pair(f"sleep {sleep} && tmux send-keys -t orc:0 x"))
    assert states(found) == {500: state}
    assert (found[500].due is None) is (sleep == "infinity")


def test_the_horizon_is_a_setting() -> None:
    day = pair("sleep 1d && tmux send-keys -t orc:0 x")
    assert states(find(day, settings=SchedulerSettings(horizon=86_399.0))) == {500: "immortal"}
    assert states(find(day, settings=SchedulerSettings(horizon=86_400.0))) == {500: "armed"}


def test_why_it_is_overdue_is_told() -> None:
    shell, sleep = pair(f"sleep 60 && {TYPES}")
    stopped = find([shell, replace(sleep, state="T")], now=BOOT + 200)[500]
    assert (stopped.state, "stopped" in stopped.reason) == (SchedulerState.OVERDUE, True)
    assert "suspended" in find([shell, sleep], now=BOOT + 200)[500].reason


# Servers that are not there.

NOBODY = TmuxView(servers=(), canonical_paths={"/tmp/tmux-1000": "/tmp/tmux-1000"})


@pytest.mark.parametrize(
    ("options", "environ"),
    [("", ENVIRON), ("", {}), ("-L work ", {}), ("-L work ", ENVIRON), ("-S /tmp/tmux-1000/x ", ENVIRON)],
)
def test_without_a_server_at_its_socket_it_is_serverless(options: str, environ: Mapping[str, str]) -> None:
    it = pair(f"sleep 600 && tmux {options}send-keys -t orc:0 x", environ=environ)
    assert states(find([], NOBODY, whole=table(*it))) == {500: "serverless"}


@pytest.mark.parametrize(
    ("view", "others"),
    [
        # Not everything was looked at.
        (replace(NOBODY, problems=(Problem(source="tmux", reason="denied"),)), []),
        (TmuxView(servers=()), []),
        (replace(NOBODY, canonical_paths={"/tmp/tmux-0": "/tmp/tmux-0"}), []),
        # Who TMUX names is there: a server that cannot be seen, a stranger who may be one.
        (NOBODY, [SERVER]),
        (NOBODY, [replace(SERVER, uid=0, comm="x", exe=None)]),
        (NOBODY, [replace(SERVER, exe=None)]),
    ],
)
def test_a_server_that_may_be_there_is_not_called_gone(view: TmuxView, others: list[Process]) -> None:
    it = pair(f"sleep 600 && {TYPES}")
    assert states(find([], view, whole=table(*it, *others))) == {500: "unknown"}
    assert states(find([], view, whole=table(*it, *others, complete=False))) == {500: "unknown"}


@pytest.mark.parametrize(
    "other",
    [
        process(100, 1, ["vim"], start=1_000),
        process(100, 1, ["tmux"], comm="tmux: server", start=2_001),
        replace(SERVER, state="Z"),
    ],
)
def test_whoever_has_the_pid_of_its_server_now_does_not_keep_it_alive(other: Process) -> None:
    assert states(find([], NOBODY, whole=table(*pair(f"sleep 600 && {TYPES}"), other))) == {500: "serverless"}


def test_a_socket_is_the_same_by_each_of_its_names() -> None:
    view = replace(tmux_view(server_view(FLEET)), canonical_paths={"/var/link": "/tmp/tmux-1000"})
    for options in ("", "-S /var//link/default "):
        it = pair(
            f"sleep 600 && tmux {options}send-keys -t gone:0 x", environ={"TMUX": "/var/link/default,9,0"}
        )
        assert states(find(it, view)) == {500: "stale_generation" if not options else "dangling"}


def test_a_socket_of_ours_in_a_folder_of_others_is_known_by_itself() -> None:
    view = TmuxView(servers=(), canonical_paths={"/tmp/mine": "/tmp/mine"})
    for name, state in (("mine", "serverless"), ("other", "unknown")):
        it = pair(f"sleep 600 && {TYPES}", environ={"TMUX": f"/tmp/{name},100,0"})
        assert states(find([], view, whole=table(*it))) == {500: state}


def test_a_shell_of_a_server_that_is_gone_may_schedule_after_another_took_its_socket() -> None:
    it = pair(f"sleep 600 && {TYPES}", environ={**ENVIRON, "TMUX": f"{SOCKET},77,0"})
    assert states(find(it)) == {500: "stale_generation"}
    # An older server whose socket was taken from it: nobody knows whom it means.
    assert states(find([*it, replace(SERVER, id=ProcessId(77, 500))])) == {500: "unknown"}


# Containers.


@pytest.mark.parametrize(
    ("namespaces", "state"),
    [
        (OURS, "dangling"),
        (None, "dangling"),
        (Namespaces("pid:[2]", "mnt:[1]"), "unknown"),
        (Namespaces("pid:[1]", "mnt:[2]"), "unknown"),
    ],
)
@pytest.mark.parametrize("environ", [ENVIRON, {}])
def test_in_a_container_pids_and_paths_are_others(
    namespaces: Namespaces | None, state: str, environ: Mapping[str, str]
) -> None:
    it = pair("sleep 600 && tmux send-keys -t gone:0 x", environ=environ, namespaces=namespaces)
    server = replace(SERVER, namespaces=OURS)
    assert states(find([], whole=replace(table(server, *it), namespaces=OURS))) == {500: state}
    # The exporter itself may have other mounts, as a service has: the server's count.
    elsewhere = OURS._replace(mount="mnt:[9]")
    assert states(find([], whole=replace(table(server, *it), namespaces=elsewhere))) == {500: state}


def test_where_nobody_is_to_ask_our_own_mounts_count() -> None:
    it = pair(f"sleep 600 && {TYPES}", namespaces=OURS)
    for own, state in ((OURS, "serverless"), (OURS._replace(mount="mnt:[9]"), "unknown")):
        whole = replace(table(*it), namespaces=own)
        assert states(find([], NOBODY, whole=whole)) == {500: state}
        ended = replace(NOBODY, servers=(server_view(FLEET, up=False, ended=True),))
        assert states(find([], ended, whole=whole)) == {500: state}


# Several targets.


@pytest.mark.parametrize(
    ("sends", "state"),
    [
        ("tmux send-keys -t orc:0 x; tmux send-keys -t orc:1 x", "armed"),
        ("tmux send-keys -t orc:0 x; tmux send-keys -t gone:1 x", "unknown"),
        ("tmux send-keys -t gone:0 x; tmux send-keys -t orc:9 x", "dangling"),
        ("tmux send-keys -t gone:0 x; tmux -L none send-keys -t orc:0 x", "serverless"),
        ("tmux send-keys -t orc:0 x; tmux -L none send-keys -t orc:0 x", "unknown"),
        ("tmux send-keys -t api:0 x; tmux send-keys -t orc:0 x", "misdirected"),
        ("tmux send-keys -t api:0 x; tmux send-keys -t gone:0 x", "unknown"),
        ("tmux send-keys -t gone:0 x; tmux send-keys -t orc x", "unknown"),
    ],
)
def test_of_several_targets_the_worst_counts_unless_some_are_there(sends: str, state: str) -> None:
    view = replace(tmux_view(server_view(FLEET)), canonical_paths=NOBODY.canonical_paths)
    assert states(find(pair(f"sleep 600; {sends}"), view)) == {500: state}


# Shells.


def test_an_opaque_script_that_sleeps_in_a_copy_of_itself_is_counted() -> None:
    argv = ["bash", "-c", "(sleep 600; tmux send-keys -t orc:0 x) | cat"]
    family = [
        process(500, 1, argv),
        process(501, 500, argv),
        process(502, 501, ["sleep", "600"], start=2_100),
        process(503, 500, ["cat"]),
    ]
    found = find(family)
    assert states(found) == {500: "opaque"}
    assert (found[500].sleep, found[500].due) == (ProcessId(502, 2_100), BOOT + 21.0 + 600.0)
    assert find([*family[:2], family[3]]) == {}
    # A ring, which no kernel shows, must not keep us for ever.
    assert find([replace(family[0], ppid=501), *family[1:2]]) == {}


def test_a_shell_that_may_sleep_without_a_child_is_not_called_firing() -> None:
    shell, _ = pair(f"sleep 600 && {TYPES}", shell="busybox")
    shell = replace(shell, argv=("busybox", "sh", "-c", f"sleep 600 && {TYPES}"))
    assert states(find([shell])) == {500: "unknown"}
    assert states(find([shell], now=BOOT + 621)) == {500: "firing"}


def test_command_lines_are_read_again_only_after_an_exec() -> None:
    scripts = ScriptReader()
    shell, sleep = pair(f"sleep 600 && {TYPES}")
    (first,) = scripts.candidates(table(shell, sleep))
    (second,) = scripts.candidates(table(replace(shell, cpu_ticks=9), sleep))
    assert second.script is first.script
    other = replace(shell, argv=("bash", "-c", "sleep 600 && tmux send-keys -t api:0 x"))
    (third,) = scripts.candidates(table(other, sleep))
    assert third.script != first.script
    assert scripts.candidates(table(replace(shell, argv=("bash", "-c", "sleep 600")), sleep)) == []
    assert scripts.candidates(table(sleep)) == []


# Remarks.


def noted(
    script: str = f"sleep 600 && {TYPES}", *others: Process, panes: PaneStates | None = None
) -> set[SchedulerRemark]:
    root = replace(process(900, 100, ["-bash"], exe="/bin/bash", start=1_500), tty=5, foreground_pgid=900)
    listed = tuple(replace(pane, pid=900) if pane.id == "%0" else pane for pane in FLEET.panes)
    by_pid = {each.id.pid: each for each in (root, *others)}
    found = find(
        [*pair(script), *by_pid.values()], tmux_view(server_view(replace(FLEET, panes=listed))), panes=panes
    )
    return set(found[500].remarks)


TARGET = PaneKey(FLEET.server, "%0")


def test_every_remark_has_its_words() -> None:
    assert set(REMARKS) == set(SchedulerRemark)


def test_a_shell_in_the_target_would_run_the_text() -> None:
    at_shell = {SchedulerRemark.TARGET_AT_SHELL}
    assert noted() == at_shell
    assert noted(panes=PaneStates(with_agent={TARGET})) == set()
    root = replace(process(900, 100, ["-bash"], exe="/bin/bash", start=1_500), tty=5, foreground_pgid=900)
    for argv in (["bash", "--norc", "-i"], ["/usr/bin/zsh", "-l"]):
        assert (
            noted(f"sleep 600 && {TYPES}", replace(root, argv=tuple(argv), exe=f"/bin/{argv[0]}")) == at_shell
        )
    for argv in (["bash", "run.sh"], ["bash", "-c", "read x"], ["vim"], ["bash", "-lc", "x"]):
        assert noted(f"sleep 600 && {TYPES}", replace(root, argv=tuple(argv), exe=f"/bin/{argv[0]}")) == set()
    # Something else has the terminal.
    job = replace(process(901, 900, ["make"], start=1_600), tty=5)
    assert noted(f"sleep 600 && {TYPES}", replace(root, foreground_pgid=901), job) == set()
    assert noted(f"sleep 600 && {TYPES}", replace(root, foreground_pgid=902)) == set()
    assert noted(f"sleep 600 && {TYPES}", replace(root, argv=None)) == set()


def test_an_agent_at_a_dialog_would_be_answered() -> None:
    assert noted(panes=PaneStates(with_agent={TARGET}, waiting={TARGET})) == {SchedulerRemark.TARGET_WAITING}


@pytest.mark.parametrize(("sleep", "remark"), [("0", True), ("0.0", True), ("0s 0m", True), ("1", False)])
def test_a_sleep_of_nothing_is_told(sleep: str, remark: bool) -> None:
    assert (SchedulerRemark.FIRES_AT_ONCE in noted(f"sleep {sleep} && {TYPES}")) is remark


@pytest.mark.parametrize(("joiner", "remark"), [("||", True), ("&&", False), (";", False)])
def test_what_only_a_failure_would_send_is_told(joiner: str, remark: bool) -> None:
    assert (SchedulerRemark.NEVER_SENDS in noted(f"sleep 600 {joiner} tmux send-keys -t orc:0 x")) is remark


@pytest.mark.parametrize(("later", "remark"), [(1, False), (3, True)])
def test_a_session_that_was_made_anew_is_told(later: int, remark: bool) -> None:
    began = int(BOOT) + 20
    sessions = tuple(replace(each, created=began + later) for each in FLEET.sessions)
    found = find(pair(f"sleep 600 && {TYPES}"), tmux_view(server_view(replace(FLEET, sessions=sessions))))
    assert (SchedulerRemark.TARGET_YOUNGER in found[500].remarks) is remark


def test_a_dead_target_is_told_and_a_held_listing_tells_nothing() -> None:
    dead = replace(FLEET, panes=tuple(replace(pane, dead=True) for pane in FLEET.panes))
    it = pair(f"sleep 600 && {TYPES}")
    assert find(it, tmux_view(server_view(dead)))[500].remarks == (SchedulerRemark.TARGET_DEAD,)
    held = find(it, tmux_view(server_view(dead, up=False)))[500]
    assert (held.state, held.panes, held.remarks) == (SchedulerState.UNKNOWN, (TARGET,), ())
