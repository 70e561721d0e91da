"""What an exporter that is started again remembers, whatever windows are called; and what long names cost."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import libtmux
import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tests.support.web import exposition
from tmux_exporter.facts.label import LONGEST, label_text

ODD = ("👩‍💻 dev", "\ue7a8 rust", "a\u00a0b", "می‌خواهم", "n" * 1_100)
"""A joined emoji, an icon font, a no-break space, Persian, and longer than a label is."""
LONG = 200_000


class Told(NamedTuple):
    """What the report says of an agent."""

    up: bool
    state: str
    since: float
    pid: int | None


class Fleet:
    """A server with an agent in each window; their panes outlive them."""

    def __init__(self, server: libtmux.Server, base: Path) -> None:
        self._tmux = ("tmux", "-u", "-S", str(server.socket_path))
        self._claude = base / "claude"
        self._claude.symlink_to("/bin/sleep")
        self._commands = base / "commands"

    def start(self, name: str) -> str:
        """An agent in a window of this name; the window's id."""
        command = f"{self._claude} 3600; exec sleep 3600"
        made = [*self._tmux, "new-window", "-d", "-t", "=main:", "-n", name, "-PF", "#{window_id}", command]
        return run_text(made, check=True).stdout.strip()

    def rename(self, window: str, name: str) -> None:
        """By a file, which takes names of any length."""
        self._commands.write_text(f"rename-window -t {window} '{name}'\n")
        subprocess.run([*self._tmux, "source-file", str(self._commands)], check=True)

    def told(self, exporter: Exporter) -> dict[str, Told]:
        """Every agent by its name."""
        return {
            each["agent"]: Told(each["up"], each["state"], each["state_since_timestamp_seconds"], each["pid"])
            for each in json.loads(exporter.get("/api/v1/report"))["agents"]
            if each["server"] == "fleet"
        }

    def wait_for(self, exporter: Exporter, names: set[str]) -> dict[str, Told]:
        """Until these agents are told, and no other."""
        wait_for(lambda: self.told(exporter).keys() == names, f"the agents are {names}", 30.0)
        return self.told(exporter)


@pytest.fixture
def fleet(socket_dir: Path, tmux_server: StartTmux) -> Fleet:
    return Fleet(tmux_server("fleet"), socket_dir.parent)


def records(exporter: Exporter, names: set[str]) -> list[object] | None:
    """The lives of agents of these names in its state file, once it has all of them."""
    file = exporter.log.parent / "tmux-exporter" / "agents.json"
    tracked_agents = [each for each in json.loads(file.read_text())["lives"] if each["name"] in names]
    return tracked_agents if {each["name"] for each in tracked_agents} == names else None


def again(exporter: Exporter, start_exporter: StartExporter) -> Exporter:
    """End it, and start another one on what it has written."""
    exporter.end()
    return start_exporter(environ={"XDG_STATE_HOME": str(exporter.log.parent)})


def test_odd_window_names_cost_nobody_its_memory(fleet: Fleet, start_exporter: StartExporter) -> None:
    alpha = fleet.start("alpha")
    fleet.start("dies")
    for odd in ODD:
        fleet.start(odd)
    names = {"alpha", "dies", *map(label_text, ODD)}
    exporter = start_exporter()
    ends = fleet.wait_for(exporter, names)["dies"].pid
    assert ends
    fleet.rename(alpha, "beta")
    os.kill(ends, signal.SIGTERM)
    wait_for(lambda: fleet.told(exporter)["dies"].state == "exited", "its end is told", 30.0)
    before = fleet.told(exporter)
    assert before.keys() == names, "names stick"
    assert "not used" not in exporter.log.read_text()
    second = again(exporter, start_exporter)
    after = fleet.told(second)
    assert after.keys() == names
    assert after["dies"] == before["dies"], "down, since when"
    assert {name: each.up for name, each in after.items()} == {name: name != "dies" for name in names}
    assert "not used" not in second.log.read_text()


def test_long_names_leave_page_and_state_small(fleet: Fleet, start_exporter: StartExporter) -> None:
    long = [f"{'n' * LONG}{number}" for number in range(10)]
    for name in long:
        fleet.rename(fleet.start("short"), name)
    exporter = start_exporter()
    names: set[str] = {label_text(name) for name in long}
    assert max(map(len, names)) == LONGEST
    fleet.wait_for(exporter, names)
    page = exporter.metrics()
    assert exposition.problems(page) == []
    # The fleets of other tests are on the page too.
    lines = [line for line in page.splitlines() if 'server="fleet"' in line]
    assert sum(map(len, lines)) < 500_000
    assert max(map(len, lines)) < 1_000
    assert len(json.dumps(wait_for(lambda: records(exporter, names), "all are kept"))) < 20_000
    assert fleet.told(again(exporter, start_exporter)).keys() == names
