"""A server of which nothing certain is known makes the schedulers that aim at it unknown, never dangling."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.processes.started import end_process
from tests.support.scenes.scene import Scene
from tests.support.scenes.scene_watch import SceneWatch
from tests.support.tmux import hostile
from tests.support.wait import wait_for
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerState

MANY = 30.0
LOOKS = 4


def schedule(scene: Scene, sockets: Path) -> int:
    """A scheduler at the server `odd`, for a session that it does not have; the pid of its shell."""
    script = f"sleep 3h && tmux -S {sockets}/odd send-keys -t gone:0 hi Enter"
    scene.shell(f'nohup bash -c "{script}" >/dev/null 2>&1 &\necho $! >$B/it.pid')
    return scene.pid("it.pid")


def look(watch: SceneWatch, pid: int) -> tuple[Report, SchedulerReport]:
    def found() -> tuple[Report, SchedulerReport] | None:
        report = watch.sample()
        return next(((report, each) for each in report.schedulers if each.process.pid == pid), None)

    return wait_for(found, "the scheduler is seen", MANY)


def stays_unknown(watch: SceneWatch, pid: int, reason: str) -> None:
    """Look after look it is unknown, and its server for this reason; on a busy machine also for its delay."""
    reasons = []
    for _ in range(LOOKS):
        report, it = look(watch, pid)
        (server,) = [each for each in report.servers if each.socket.endswith("/odd")]
        assert (it.state, server.up) == (SchedulerState.UNKNOWN, False), it.reason
        assert server.problem is not None
        reasons.append(server.problem.reason)
        assert not [leak for leak in report.leaks if leak.process.pid == pid]
    assert reason in reasons
    assert set(reasons) <= {reason, "hung"}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("hang", "hung"),
        ("refused", "denied"),
        ("close-in-answer", "partial"),
        ("success-without-a-pane", "partial"),
        ("garbage", "malformed"),
        ("other-version", "protocol"),
        ("write-file", "untrusted"),
    ],
)
def test_a_server_that_answers_wrongly(scene: Scene, socket_dir: Path, script: str, reason: str) -> None:
    scene.start()
    with hostile.start(socket_dir / "odd", script):
        stays_unknown(SceneWatch(scene), schedule(scene, socket_dir), reason)


def test_a_server_that_hangs_after_it_answered(scene: Scene, socket_dir: Path) -> None:
    scene.start()
    odd, watch = scene.start("odd"), SceneWatch(scene)
    pid = schedule(scene, socket_dir)
    wait_for(lambda: look(watch, pid)[1].state is SchedulerState.DANGLING, "it is judged", MANY)
    os.kill(odd.pid, signal.SIGSTOP)
    stays_unknown(watch, pid, "hung")
    os.kill(odd.pid, signal.SIGCONT)
    wait_for(lambda: look(watch, pid)[1].state is SchedulerState.DANGLING, "it is judged again", MANY)


def test_a_server_whose_socket_is_gone_while_it_lives(scene: Scene, socket_dir: Path) -> None:
    scene.start()
    odd, watch = scene.start("odd"), SceneWatch(scene)
    pid = schedule(scene, socket_dir)
    look(watch, pid)
    (socket_dir / "odd").unlink()
    stays_unknown(watch, pid, "noserver")
    end_process(odd.pid)
    wait_for(lambda: look(watch, pid)[1].state is SchedulerState.SERVERLESS, "its end is known", MANY)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can put a server of another user there")
def test_a_server_of_somebody_else(scene: Scene, socket_dir: Path) -> None:
    scene.start()
    with hostile.start(socket_dir / "odd", "honest", uid=65534):
        stays_unknown(SceneWatch(scene), schedule(scene, socket_dir), "untrusted")
