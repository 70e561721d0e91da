"""From a real fault to the message about it: a leaking agent, a stopped server, a killed exporter.

All of it is real: tmux servers on sockets of their own, the exporter, Prometheus and Alertmanager with our
rules and routes. Once with the shipped patience, against the promised times (long); once with all durations
cut to a hundred-and-twentieth, for what follows on what.
"""

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import libtmux
import pytest

from tests.support.alerts.watched import Watched, agent_command, timed
from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import end_server, server_pid
from tests.support.wait import wait_for
from tmux_exporter.sources.tmux import socket_files

CONFIGURATION = "limits:\n  agent_memory: 200MiB\n"
CRITICAL, EMERGENCY = 181, 195
"""MiB that make the agent use more than 90 and 95 % of its limit, with the few that Python takes."""


def alone(work: Callable[[], None]) -> None:
    """In a pid namespace where the kernel gives one, so that no other test's servers are seen."""
    if not in_namespace(work):
        work()


@pytest.fixture
def place(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(socket_dir.parent / "none"))
    home = socket_dir.parent / "home"
    home.mkdir(mode=0o700)
    return home


class Scene:
    """Two servers: one with an agent in it, and one that will be stopped."""

    def __init__(self, home: Path, scale: float, interval: float) -> None:
        sockets = home.parent / f"tmux-{os.getuid()}"
        command, self.wanted = agent_command(home)
        self.servers = []
        for name, session, runs in (("fleet", "work", command), ("other", "main", "sleep 3600")):
            server = libtmux.Server(socket_path=str(sockets / name), config_file="/dev/null")
            server.cmd("new-session", "-d", "-s", session, "-n", "lead", "-x", "80", "-y", "24", runs)
            wait_for(server.is_alive, "tmux server answers")
            self.servers.append(server)
        self.other = server_pid(self.servers[1])
        self.watched = Watched(home, scale, interval, CONFIGURATION)

    def close(self) -> None:
        os.kill(self.other, signal.SIGCONT)
        self.watched.close()
        for server in self.servers:
            end_server(server)


@pytest.mark.long
@pytest.mark.timeout(480)
def test_faults_are_told_once_at_their_worst_and_their_end_too(place: Path) -> None:
    def work() -> None:
        with closing(Scene(place, scale=1 / 120, interval=1.0)) as scene:
            what_follows_on_what(scene)

    alone(work)


def what_follows_on_what(scene: Scene) -> None:
    watched = scene.watched
    leak = {"server": "fleet", "session": "work"}

    # A leak: told as critical, then as an emergency, which keeps the milder ones quiet.
    scene.wanted.write_text(str(CRITICAL))
    watched.wait_until_told(60, "TmuxAgentNearMemoryLimit", priority="P2", **leak)
    ((receiver, alert), *_) = watched.told("TmuxAgentNearMemoryLimit", priority="P2", **leak)
    assert receiver == "pager"
    assert "uses 9" in alert["annotations"]["description"]
    assert watched.told("TmuxAgentNearMemoryLimit", priority="P1") == []
    scene.wanted.write_text(str(EMERGENCY))
    watched.wait_until_told(60, "TmuxAgentNearMemoryLimit", priority="P1", **leak)
    quiet = ("TmuxAgentNearMemoryLimit", "P2", "suppressed")
    wait_for(lambda: quiet in watched.states(), "the emergency keeps the milder one quiet", 30)

    scene.wanted.write_text("0")
    watched.wait_until_told(60, "TmuxAgentNearMemoryLimit", "resolved", priority="P1", **leak)

    # A server that is stopped, beside one that is not.
    os.kill(scene.other, signal.SIGSTOP)
    watched.wait_until_told(60, "TmuxServerNotAnswering", server="other")
    assert watched.told("TmuxServerNotAnswering", server="fleet") == []
    os.kill(scene.other, signal.SIGCONT)
    watched.wait_until_told(60, "TmuxServerNotAnswering", "resolved", server="other")

    # An exporter that is killed, and comes back.
    watched.kill_exporter()
    watched.wait_until_told(60, "TmuxExporterDown")
    watched.restart_exporter()
    watched.wait_until_told(60, "TmuxExporterDown", "resolved")

    # Whoever listens to the watchdog hears when it stops.
    wait_for(lambda: len(watched.told("Watchdog")) > 2, "the watchdog is heard again and again", 120)
    assert {receiver for receiver, _ in watched.told("Watchdog")} == {"watchdog"}
    watched.alertmanager.process.terminate()
    watched.alertmanager.process.wait(10)
    heard = len(watched.told("Watchdog"))
    with pytest.raises(AssertionError):
        wait_for(lambda: len(watched.told("Watchdog")) > heard, "it is heard", 4)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_shipped_patience_keeps_the_promised_times(place: Path) -> None:
    def work() -> None:
        with closing(Scene(place, scale=1.0, interval=15.0)) as scene:
            promised_times(scene)

    alone(work)


def promised_times(scene: Scene) -> None:
    """P1 within 5 minutes, P2 within 15; what is left of them belongs to the person."""
    watched = scene.watched
    os.kill(scene.other, signal.SIGSTOP)
    scene.wanted.write_text(str(CRITICAL))
    stopped = timed(lambda: watched.wait_until_told(300, "TmuxServerNotAnswering"), "P1, a stopped server")
    leak = timed(
        lambda: stopped + watched.wait_until_told(900, "TmuxAgentNearMemoryLimit", priority="P2"),
        "P2, a leaking agent",
    )
    scene.wanted.write_text(str(EMERGENCY))
    worse = timed(
        lambda: watched.wait_until_told(300, "TmuxAgentNearMemoryLimit", priority="P1"), "P1, an emergency"
    )
    watched.kill_exporter()
    down = timed(lambda: watched.wait_until_told(300, "TmuxExporterDown"), "P1, a killed exporter")
    assert max(stopped, worse, down) <= 0.75 * 300
    assert leak <= 0.75 * 900
