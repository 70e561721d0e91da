"""All workloads on one tmux server, beside exporters that sample every 1, 5 and 15 s."""

import math
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers
from bench.exactness import shapes
from bench.exactness.truth import Truth
from bench.exactness.workloads import WORKLOADS, Figure, Group, Workload
from bench.peers import Peer, User
from bench.say import say, wait_for

INTERVALS = (1, 5, 15)
AT_ONCE = 3
"""So many workloads run at the same time."""
SETTLE = 60.0
"""Seconds from the end of all work to the reading: within a minute every headline is right."""
PYTHON = "/usr/bin/python3"
_SAMPLE = re.compile(r'^tmux_session_(\w+)\{([^}]*)\} (\S+)$', re.MULTILINE)  # fmt: skip
_UNWATCHED = "unwatched_cpu_seconds_total"
_SESSION = re.compile(r'\bsession="([^"]*)"')
_TAKEN = re.compile(r"^tmux_exporter_samples_total\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one pass is run: what the exporter can lean on.

    `own`: the pane's cgroup is its own; else a stranger is in it. `cgroup`: how it is called.
    `config`: more of the exporter's file.
    `groups`: only these workloads, where there are any. `here`: without a pid namespace of its own.
    """

    name: str
    own: bool
    cgroup: str = "exactness-{}"
    config: str = ""
    groups: tuple[Group, ...] = ()
    here: bool = False


WAYS = (
    Way(name="own", own=True, cgroup="tmux-spawn-{}.scope"),
    Way(name="nameless", own=True, groups=(Group.ORPHANS, Group.SHORT_ORPHANS)),
    Way(name="shared", own=False),
    Way(
        name="events",
        own=False,
        config="processes: {lineage: true}\n",
        groups=(Group.WAITED, Group.ORPHANS, Group.SHORT_ORPHANS),
        # The kernel tells forks only in its first pid namespace.
        here=True,
    ),
)


class Pane:
    """One workload in a session of its own."""

    def __init__(self, workload: Workload, world: "World", way: Way, work: float) -> None:
        self.workload = workload
        self._folder = world.folder / workload.name
        self._folder.mkdir()
        os.mkfifo(self._folder / "go")
        for each in (self._folder, self._folder / "go"):
            os.chown(each, world.user.uid, world.user.uid)
        script = f"B={self._folder}\nPY='{PYTHON} -I -S'\nread x <$B/go\n{workload.scaled(work)}\n"
        (self._folder / "run.sh").write_text(f"{script}: >$B/done\nread x <$B/go\n")
        command = f"exec sh {self._folder}/run.sh"
        shown = ("-P", "-F", "#{pane_id} #{pane_pid}")
        words = world.tmux("new-session", "-d", *shown, "-s", workload.name, command)
        self._pane, pid = words.split()
        strangers = () if way.own else (world.stranger(),)
        if workload.moves:
            world.tmux("new-session", "-d", "-s", f"{workload.name}-b", "sleep 100000")
            world.tmux("new-window", "-d", "-t", f"{workload.name}:", "sleep 100000")
        self.truth = Truth(int(pid), way.cgroup, strangers)
        self._world = world
        self._since = 0.0
        self._moves = [(math.inf, each) for each in workload.moves]

    def start(self) -> None:
        self._since = self.true()
        (self._folder / "go").write_text("go\n")
        now = time.monotonic()
        self._moves = [(now + number, each) for number, each in enumerate(self.workload.moves, 1)]

    def move_when_due(self) -> None:
        if self._moves and time.monotonic() >= self._moves[0][0]:
            words = self._moves.pop(0)[1].format(pane=self._pane, name=self.workload.name)
            self._world.tmux(*shlex.split(words))

    @property
    def is_done(self) -> bool:
        return not self._moves and (self._folder / "done").exists()

    def true(self) -> float:
        """The figure by the cgroup, or by what is known; counters from the beginning."""
        if self.workload.figure is Figure.CPU:
            return self.truth.cpu_seconds()
        if self.workload.figure is Figure.MEMORY:
            return self.truth.memory_bytes()
        if self.workload.figure is Figure.FDS:
            return self.truth.open_fds()
        return shapes.WRITTEN if self.is_done else 0

    def gained(self) -> float:
        return self.true() - self._since


class World:
    """A tmux server of one user, and a folder."""

    def __init__(self, folder: Path, user: str | None) -> None:
        self.folder = folder
        self.user = User.named(user)
        os.chown(folder, self.user.uid, self.user.uid)
        folder.chmod(0o755)
        self._socket = folder / "tmux"
        self._strangers: list[subprocess.Popen[bytes]] = []

    def tmux(self, *arguments: str) -> str:
        command = [*self.user.become, "tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def stranger(self) -> int:
        self._strangers.append(subprocess.Popen(["sleep", "100000"]))
        return self._strangers[-1].pid

    def close(self) -> None:
        self.tmux("kill-server")
        for each in self._strangers:
            each.kill()
            each.wait()


class Readings:
    """The last value of every session's figures by one exporter; a series that has gone keeps its last."""

    def __init__(self, peer: Peer, interval: int) -> None:
        self.peer = peer
        self.interval = interval
        self._values: dict[tuple[str, str], float] = {}
        self._due = 0.0

    def read(self) -> None:
        for figure, labels, value in _SAMPLE.findall(self.peer.page()):
            if found := _SESSION.search(labels):
                self._values[figure, found[1]] = float(value)

    def read_when_due(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self.interval
            self.read()

    def of(self, workload: Workload, figure: str = "") -> float:
        """Its figure, or another one, over all sessions that it was in."""
        names = (workload.name, f"{workload.name}-b", f"{workload.name}-c")
        return sum(self._values.get((figure or workload.figure, name), 0.0) for name in names)

    def settle(self) -> None:
        """Until two more samples are taken: what was in doubt in one is settled in the next."""
        taken = self._taken()
        wait_for(lambda: self._taken() >= taken + 2, "two samples are taken", 600)
        self.read()

    def _taken(self) -> float:
        return sum(float(each) for each in _TAKEN.findall(self.peer.page()))


def exactness(
    folder: Path,
    way: Way,
    *,
    user: str | None,
    work: float = 1.0,
    settings: str = "",
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Rows by workload: the truth, and the error of each interval (0.01 is 1 %).

    `work`: how much of it is done, of what a fast machine does. `settings`: more of the exporters' file.
    """
    asked = [each for each in WORKLOADS if not only or each.name in only]
    chosen = [each for each in asked if not way.groups or each.group in way.groups]
    ready = [each for each in chosen if all(map(shutil.which, each.needs))]
    left_out = {each.name: [name for name in each.needs if not shutil.which(name)] for each in chosen}
    folder.mkdir()
    world = World(folder, user)
    try:
        with ExitStack() as stack:
            say(f"{way.name}: {len(ready)} workloads")
            panes = [Pane(each, world, way, work) for each in ready]
            readings = list(_exporters(stack, world, f"{way.config}{settings}\n"))
            rows = _run(panes, readings)
    finally:
        world.close()
    for pane in panes:
        pane.truth.close()
    return {"rows": rows, "left_out": {name: needs for name, needs in left_out.items() if needs}}


def _exporters(stack: ExitStack, world: World, settings: str) -> Iterator[Readings]:
    for interval in INTERVALS:
        config = world.folder / f"{interval}.yml"
        config.write_text(f"sampling: {{interval: {interval}s, idle_interval: 15s}}\n{settings}")
        peer = peers.ours(f"every {interval} s", world.folder, "--config", str(config), user=world.user)
        yield Readings(stack.enter_context(peer), interval)


def _run(panes: Sequence[Pane], readings: Sequence[Readings]) -> list[dict[str, Any]]:
    for each in readings:
        each.settle()
    before = [[each.of(pane.workload) for each in readings] for pane in panes]
    for at in range(0, len(panes), AT_ONCE):
        batch = panes[at : at + AT_ONCE]
        say(f"  {', '.join(pane.workload.name for pane in batch)}")
        for pane in batch:
            pane.start()
        _read(readings, batch)
    until = time.monotonic() + SETTLE
    while time.monotonic() < until:
        _read_once(readings)
    for each in readings:
        each.settle()
    return [_row(pane, readings, old) for pane, old in zip(panes, before, strict=True)]


def _row(pane: Pane, readings: Sequence[Readings], before: Sequence[float]) -> dict[str, Any]:
    truth = pane.gained()
    gained = [each.of(pane.workload) - old for each, old in zip(readings, before, strict=True)]
    return {
        "name": pane.workload.name,
        "truth": truth,
        "error": [round(each / truth - 1, 4) for each in gained],
        # What the session says that it lacks; it begins with 0.
        "told": [round(each.of(pane.workload, _UNWATCHED) / truth, 4) for each in readings],
    }


def _read(readings: Sequence[Readings], batch: Sequence[Pane], limit: float = 900.0) -> None:
    until = time.monotonic() + limit
    while late := [pane.workload.name for pane in batch if not pane.is_done]:
        if time.monotonic() > until:
            raise TimeoutError(f"no end after {limit:g} s: {', '.join(late)}")
        for pane in batch:
            pane.move_when_due()
        _read_once(readings)


def _read_once(readings: Sequence[Readings]) -> None:
    for each in readings:
        each.read_when_due()
    time.sleep(0.1)
