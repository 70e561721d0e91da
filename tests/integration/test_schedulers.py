"""Real schedulers in real tmux servers, while their sessions, windows and servers come and go."""

import os
import signal

import pytest

from tests.support.processes.started import end_process
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.schedulers import Scheduler, SchedulerState

# What the schedulers of Tmux-Orchestrator run, with a delay that no test waits for.
CHECK_IN = """
SECONDS_TO_WAIT=1800 TARGET=work:0
nohup bash -c "sleep $SECONDS_TO_WAIT && tmux send-keys -t $TARGET 'Time for check! cat note.txt && \
python3 claude_control.py status detailed' && sleep 1 && tmux send-keys -t $TARGET Enter" >/dev/null 2>&1 &
echo $! >$B/check-in.pid
"""


def schedulers(scene: Scene) -> dict[int, Scheduler]:
    """The next sample's schedulers by the pids of their shells."""
    scene.look()
    default = str(scene.base / "none" / f"tmux-{os.getuid()}" / "default")
    found = find_schedulers(scene.table, scene.owners, scene.view, default, SystemClock().time())
    return {each.process.pid: each for each in found}


def wait_for_state(scene: Scene, pid: int, state: SchedulerState) -> Scheduler:
    def found() -> Scheduler | None:
        each = schedulers(scene).get(pid)
        return each if each is not None and each.state is state else None

    scheduler = wait_for(found, f"{pid} is {state}")
    assert scheduler is not None
    return scheduler


def session_id(scene: Scene, name: str) -> str:
    listing = scene.view.servers[0].listing
    assert listing is not None
    return next(session.id for session in listing.sessions if session.name == name)


def schedule(scene: Scene, text: str, name: str, *, server: str = "default") -> int:
    """Run one line in a pane of its own, in the background; the pid of what it started."""
    scene.shell(
        f"O=$TMUX_TMPDIR/tmux-$(id -u)/other; {text} >/dev/null 2>&1 &\necho $! >$B/{name}.pid", server=server
    )
    return scene.pid(f"{name}.pid")


def test_the_orchestrators_check_in_through_its_life(scene: Scene) -> None:
    server = scene.start()
    scene.tmux("new-session", "-d", "-s", "work", "sleep 3600")
    scene.shell(CHECK_IN, "-t", "main:")
    pid = scene.pid("check-in.pid")

    armed = wait_for_state(scene, pid, SchedulerState.ARMED)
    assert (armed.server, armed.session_id) == (server, session_id(scene, "work"))
    assert armed.targets == ("work:0",)
    assert armed.sleep is not None and scene.process(armed.sleep.pid).argv == ("sleep", "1800")
    assert armed.due is not None and 1700 < armed.due - SystemClock().time() <= 1801
    assert "check" not in repr(armed)

    os.kill(server.pid, signal.SIGSTOP)
    held = wait_for_state(scene, pid, SchedulerState.UNKNOWN)
    assert (held.server, held.session_id) == (armed.server, armed.session_id)
    for _ in range(9):
        assert schedulers(scene)[pid].state is SchedulerState.UNKNOWN
    assert scene.view.servers[0].listing is None, "the listing is no longer held"
    os.kill(server.pid, signal.SIGCONT)
    wait_for_state(scene, pid, SchedulerState.ARMED)

    scene.tmux("rename-session", "-t", "work", "work-two")
    assert schedulers(scene)[pid].state is SchedulerState.MISDIRECTED
    scene.tmux("rename-session", "-t", "work-two", "other")
    gone = schedulers(scene)[pid]
    assert gone.state is SchedulerState.DANGLING
    assert (gone.server, gone.session_id) == (server, session_id(scene, "main")), "its creator's session"

    scene.tmux("new-session", "-d", "-s", "work", "sleep 3600")
    assert schedulers(scene)[pid].state is SchedulerState.ARMED
    scene.tmux("kill-session", "-t", "work")
    assert schedulers(scene)[pid].state is SchedulerState.DANGLING
    os.kill(server.pid, signal.SIGSTOP)
    wait_for_state(scene, pid, SchedulerState.UNKNOWN)
    os.kill(server.pid, signal.SIGCONT)
    wait_for_state(scene, pid, SchedulerState.DANGLING)

    end_process(server.pid)
    assert wait_for_state(scene, pid, SchedulerState.SERVERLESS).server == server
    younger = scene.start()
    scene.tmux("new-session", "-d", "-s", "work", "sleep 3600")
    assert wait_for_state(scene, pid, SchedulerState.STALE_GENERATION).server == younger


def test_the_pane_that_scheduled_it_may_go_first(scene: Scene) -> None:
    scene.start()
    scene.tmux("new-session", "-d", "-s", "work", "sleep 3600")
    pane = scene.shell(CHECK_IN, "-t", "main:")
    pid = scene.pid("check-in.pid")
    wait_for_state(scene, pid, SchedulerState.ARMED)
    scene.tmux("kill-pane", "-t", pane)
    wait_for_state(scene, pid, SchedulerState.ARMED_ORIGIN_GONE)
    scene.tmux("kill-session", "-t", "work")
    orphan = wait_for_state(scene, pid, SchedulerState.DANGLING)
    assert (orphan.server, orphan.session_id) == (scene.view.servers[0].process, None)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("sh -c 'sleep 9m; tmux send-keys -t work:0 hi Enter'", SchedulerState.ARMED),
        ("dash -c 'sleep 15m || tmux send -t =work:0 hi'", SchedulerState.ARMED),
        ("setsid bash -c 'sleep 9m && tmux send-keys -t gone:0 hi'", SchedulerState.DANGLING),
        ("nohup setsid sh -c 'sleep 9m && tmux send-keys -t wor:0 hi'", SchedulerState.MISDIRECTED),
        (
            "bash -lc 'sleep 9m && tmux send-keys -t work:0 hi && tmux send -t gone:0 Enter'",
            SchedulerState.UNKNOWN,
        ),
        ("bash -c 'sleep 9m && tmux send-keys -t work hi'", SchedulerState.UNKNOWN),
        ("bash -c 'sleep 9m && tmux -L other send-keys -t far:0 hi'", SchedulerState.ARMED),
        ("bash -c 'sleep 9m && tmux -S $O send-keys -t far:0 hi'", SchedulerState.OPAQUE),
        ('bash -c "sleep 9m && tmux -S $O send-keys -t work:0 hi"', SchedulerState.DANGLING),
        ("env -u TMUX bash -c 'sleep 9m && tmux send-keys -t work:0 hi'", SchedulerState.ARMED),
        ("env -i bash -c 'sleep 9m && tmux send-keys -t gone:0 hi'", SchedulerState.SERVERLESS),
        ("bash -c 'sleep infinity && tmux send-keys -t gone:0 hi'", SchedulerState.IMMORTAL),
        ("bash -c 'sleep 3 && tmux send-keys -t work:9 hi'", SchedulerState.FIRING),
        ("bash -c 'while :; do sleep 9m; tmux send-keys -t work:0 Enter; done'", SchedulerState.OPAQUE),
        ("bash -c 'sleep 9m; tmux send-keys -t gone:0 \"x;\" kill-server'", SchedulerState.OPAQUE),
        ("bash -c 'sleep 9m && tmux send-keys -t $T hi'", SchedulerState.OPAQUE),
    ],
)
def test_each_way_to_schedule(scene: Scene, command: str, state: SchedulerState) -> None:
    scene.start()
    scene.start("other")
    scene.tmux("new-session", "-d", "-s", "work", "sleep 3600")
    scene.tmux("new-session", "-d", "-s", "far", "sleep 3600", server="other")
    schedule(scene, command, "it")

    def found() -> list[SchedulerState]:
        return [each.state for each in schedulers(scene).values()]

    wait_for(lambda: found() == [state], f"{command} is {state}")


def test_decoys_are_no_schedulers(scene: Scene) -> None:
    scene.start()
    decoys = [
        "sleep 9m",
        "bash -c 'sleep 9m; :'",
        "bash -c 'sleep 9m; tmux kill-session -t nobody'",
        "bash -c 'sleep 9m; echo tmux send-keys -t main:0 hi'",
        "bash -c 'exec -a bash sleep 9m # && tmux send-keys -t gone:0'",
        "python3 -c 'import time; time.sleep(900)' 'sleep 9m && tmux send-keys -t gone:0 hi'",
        "bash $B/later.sh",
        "sh -c 'sleep 9m | grep \"&& tmux send-keys\"; :'",
    ]
    (scene.base / "later.sh").write_text("sleep 9m && tmux send-keys -t gone:0 hi\n")
    pids = [schedule(scene, decoy, f"decoy{number}") for number, decoy in enumerate(decoys)]
    scene.look()
    assert all(scene.process(pid).alive for pid in pids)
    assert schedulers(scene) == {}
