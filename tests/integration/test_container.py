"""deploy/container/Containerfile, built and run by podman on a base without a registry."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.programs.containers import HostUser, Podman, page
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children.prometheus import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

TIGHT = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
"""As docs/containers.md runs it."""


class Served:
    """A container with an exporter at `url`."""

    def __init__(self, engine: Podman, name: str, url: str = "http://127.0.0.1:10077") -> None:
        self._engine, self.name, self.url = engine, name, url

    def metrics(self) -> str:
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            return ""

    def log(self) -> str:
        done = self._engine.run("logs", self.name)
        return done.stdout + done.stderr

    def health(self) -> int:
        return self._engine.run("healthcheck", "run", self.name).returncode


Start = Callable[..., Served]


@pytest.fixture
def start(engine: Podman, tmp_path: Path) -> Start:
    """Start one as the page does, with these words for podman, on a port that its settings name."""

    def run(*words: str) -> Served:
        port, settings = free_port(0), tmp_path / "tmux-exporter.yml"
        settings.write_text(f"web: {{listen_address: '127.0.0.1:{port}'}}\nsampling: {{interval: 500ms}}\n")
        settings.chmod(0o644)
        mount = f"--volume={settings}:/etc/tmux-exporter.yml:ro"
        name = engine("run", "--detach", *TIGHT, mount, *words, "tmux-exporter")
        return Served(engine, name, f"http://127.0.0.1:{port}")

    return run


def series(text: str, name: str) -> dict[str, float]:
    found = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_two_builds_are_the_same(engine: Podman) -> None:
    for tag in ("one", "other"):
        # Layers between would name each other in the history of the image.
        engine.build("--layers=false", "--file", "deploy/container/Containerfile", "--tag", tag, ".")
    assert engine.of_image("one", "Id") == engine.of_image("other", "Id")
    assert engine.of_image("one", "RootFS.Layers") == engine.of_image("tmux-exporter", "RootFS.Layers")


def test_the_commands_of_the_page_show_the_panes_of_the_host(engine: Podman, user: HostUser) -> None:
    command = page("sudo podman run")
    served = Served(engine, run_text(("sh", "-ec", command), env=engine.environ, check=True).stdout.strip())
    wait_for(lambda: series(served.metrics(), "tmux_up") == {'{server="host"}': 1}, served.log())
    text = served.metrics()
    pane = '{pane="%0",server="host",session="shop",window="0"}'
    assert series(text, "tmux_pane_processes") == {pane: 1}
    assert series(text, "tmux_pane_memory_bytes")[pane] > 0
    assert set(series(text, "tmux_exporter_collector_success").values()) == {1}
    assert set(series(text, "tmux_exporter_unreadable_processes").values()) == {0}
    assert engine("exec", served.name, "id", "-u") == str(user.uid)
    assert served.health() == 0


def test_without_the_pids_of_the_host_it_shows_no_pane_and_says_why(
    engine: Podman, user: HostUser, start: Start
) -> None:
    served = start(f"--user={user.uid}", f"--volume={user.sockets}:{user.sockets}:ro")
    wait_for(lambda: series(served.metrics(), "tmux_up") == {'{server="host"}': 0}, served.log())
    text = served.metrics()
    assert series(text, "tmux_pane_processes") == {}
    why = '{reason="untrusted",server="host"}'
    assert series(text, "tmux_server_query_failures_total")[why] > 0
    assert "in a container: --pid=host" in engine.run("exec", served.name, "tmux-exporter", "doctor").stdout


def test_without_the_sockets_it_is_healthy_and_shows_no_server(start: Start) -> None:
    served = start("--pid=host")
    wait_for(served.metrics, "it answers")
    assert series(served.metrics(), "tmux_up") == {}
    assert served.health() == 0


def test_an_exporter_that_hangs_is_unhealthy(engine: Podman, start: Start) -> None:
    served = start()
    wait_for(served.metrics, "it answers")
    assert served.health() == 0
    engine("kill", "--signal=STOP", served.name)
    assert served.health() != 0
    engine("kill", "--signal=CONT", served.name)
    wait_for(lambda: served.health() == 0, "it is healthy again")
    engine("stop", served.name)
    assert engine("inspect", "--format", "{{.State.ExitCode}}", served.name) == "0"
