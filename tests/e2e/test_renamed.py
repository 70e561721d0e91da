"""Counters of a real exporter while real sessions swap names, end, take names over, and panes move."""

import re
import shutil
import time
from pathlib import Path

import libtmux
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for

SERVER = "renamed"

AT_REST = 0.3
"""Seconds of CPU that the shells of a test use at most besides what they are told to burn."""

BURN = 800_000
"""Rounds of a shell's loop: more than half a second of any machine."""


class Fleet:
    """Sessions with an agent each that burns CPU when it is told, and an exporter that looks at them."""

    def __init__(self, base: Path, server: libtmux.Server, exporter: Exporter) -> None:
        self._base = base
        self._server = server
        self._exporter = exporter
        shutil.copy("/bin/sh", base / "claude")

    def tmux(self, *words: str) -> None:
        done = self._server.cmd(*words)
        assert not done.stderr, done.stderr

    def session(self, name: str) -> str:
        """Start one whose agent waits for its word; the id of its pane."""
        script = self._base / f"{name}.sh"
        script.write_text(
            f"while read line <{self._base}/{name}.go; do i=0\n"
            f"while [ $i -lt {BURN} ]; do i=$((i+1)); done; echo >>{self._base}/{name}.done\ndone\n"
        )
        self.tmux("run-shell", f"mkfifo {self._base}/{name}.go")
        self.tmux("new-session", "-d", "-s", name, "-n", "w1", f"sh -c '{self._base}/claude {script}; :'")
        return str(self._server.cmd("display-message", "-p", "-t", name, "#{pane_id}").stdout[0])

    def burn(self, name: str) -> None:
        """Let the agent that was started as `name` burn, until it has done so."""
        done = self._base / f"{name}.done"
        before = done.read_text() if done.exists() else ""
        (self._base / f"{name}.go").write_text("go\n")
        wait_for(lambda: done.exists() and done.read_text() != before, f"{name} has burnt")

    def seen(self, pane: str, session: str) -> dict[str, float]:
        """CPU by session and by agent (`S/w1`) in a sample from now on that shows the pane in a session."""
        now = time.time()
        page = wait_for(lambda: self._page_with(pane, session, now), f"{pane} is seen in {session}")
        return {"/".join(labels): value for labels, value in _cpu(page).items()}

    def _page_with(self, pane: str, session: str, since: float) -> str | None:
        page = self._exporter.metrics()
        (sampled,) = re.findall(r"^tmux_exporter_last_sample_timestamp_seconds (\S+)$", page, re.MULTILINE)
        # What is late by one sample is there an interval later.
        is_late_enough = float(sampled) > since + 0.5
        shown = f'pane="{pane}",server="{SERVER}",session="{session}",window="0"' in page
        return page if is_late_enough and shown else None


def _cpu(page: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels[each] for each in ("session", "agent") if each in sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name in ("tmux_session_cpu_seconds_total", "tmux_agent_cpu_seconds_total")
        and sample.labels["server"] == SERVER
    }


def rested(before: dict[str, float], after: dict[str, float], *but: str) -> None:
    """Whatever is shown has gone on from its own value; all but these without use."""
    for name, value in after.items():
        if name not in but:
            known = before.get(name, 0.0)
            assert known <= value <= known + AT_REST, (name, before, after)


@pytest.fixture
def fleet(tmux_server: StartTmux, start_exporter: StartExporter, socket_dir: Path) -> Fleet:
    return Fleet(socket_dir.parent, tmux_server(SERVER), start_exporter())


def test_a_name_that_comes_to_another_session_goes_on_from_its_own_value(fleet: Fleet) -> None:
    first, second = fleet.session("A"), fleet.session("B")
    fleet.seen(second, "B")
    for _ in range(3):
        fleet.burn("A")
    before = fleet.seen(first, "A")
    assert before["A"] > 1.0 > AT_REST > before["B"]
    assert before["A/w1"] > 1.0 > AT_REST > before["B/w1"]

    for old, new in (("A", "between"), ("B", "A"), ("between", "B")):
        fleet.tmux("rename-session", "-t", old, new)
    swapped = fleet.seen(first, "B")
    rested(before, swapped)
    # What is used from now on is the label's that it is used under.
    fleet.burn("A")
    after = fleet.seen(first, "B")
    rested(swapped, after, "B", "B/w1")
    assert after["B"] > swapped["B"] + AT_REST

    fleet.tmux("kill-session", "-t", "B")
    fleet.tmux("rename-session", "-t", "A", "B")
    rested(after, fleet.seen(second, "B"))


def test_a_pane_that_moves_there_and_back_takes_nothing_with_it(fleet: Fleet) -> None:
    pane, _ = fleet.session("A"), fleet.session("B")
    fleet.tmux("new-window", "-d", "-t", "A:5", "sleep 3600")
    fleet.seen(pane, "A")
    known: dict[str, float] = {}
    total = 0.0
    for target in ("A", "B", "A"):
        if known:
            fleet.tmux("move-window", "-k", "-s", pane, "-t", f"{target}:0")
        rested(known, moved := fleet.seen(pane, target))
        fleet.burn("A")
        burnt = fleet.seen(pane, target)
        rested(moved, burnt, target, f"{target}/w1")
        total += burnt[target] - moved[target]
        known = {**known, **burnt}
    assert total - AT_REST < known["A"] + known["B"] < total + 4 * AT_REST
