"""An orchestrator in fast time: sessions come and go, schedulers are started for them, and nothing is real.

The world is scripted, the clock too; what looks and judges is the product: the sampler on scripted sources,
its analysis, the decision. What happens in the world is drawn from a seed alone, never from what is decided.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.clock import ManualClock
from tests.support.literals.listings import BOOT, TICKS, listing, process, table, tmux_view
from tests.support.literals.scripted import sampler_of
from tmux_exporter.config import Config, SamplingSettings, TmuxSettings
from tmux_exporter.facts.process import Problem, Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import ServerView, TmuxView
from tmux_exporter.sampling.sampler import Sampler

INTERVAL = 15.0
SOCKET = "/tmp/tmux-1000/default"
SERVER = replace(process(100, 1, ["tmux", "new"], comm="tmux: server", start=1_000), namespaces=None)
LONGEST_SLEEP = 1800
_SESSIONS = [f"s{number:02}" for number in range(40)]


@dataclass(slots=True, kw_only=True)
class CheckIn:
    """One scheduler: what it is for, when it fires, and its two processes."""

    session: str
    made: float
    due: float
    shell: Process
    sleep: Process
    dangling_since: float | None = None

    @property
    def id(self) -> ProcessId:
        return self.shell.id


class World:
    """The world, cycle by cycle. `faults` are hung servers and processes that cannot all be listed."""

    def __init__(
        self,
        seed: int,
        *,
        per_cycle: int,
        faults: bool,
        interval: float = INTERVAL,
        longest: int = LONGEST_SLEEP,
    ) -> None:
        self._interval = interval
        self._longest = longest
        self._random = random.Random(seed)
        self._per_cycle = per_cycle
        self._faults = faults
        self._next_pid = 1_000
        self.clock = ManualClock(time=BOOT + 100_000.0, monotonic=100_000.0)
        self.sessions = {name: 200 + number for number, name in enumerate(_SESSIONS)}
        self.check_ins: dict[ProcessId, CheckIn] = {}
        self.made = 0
        self.hung = False
        self.whole = True

    def advance(self, *, schedule: bool = True) -> None:
        """One interval passes."""
        self.clock.advance(self._interval)
        now = self.clock.time()
        for name in _SESSIONS:
            if name in self.sessions and self._random.random() < 0.004:
                del self.sessions[name]
            elif name not in self.sessions and self._random.random() < 0.01:
                self.sessions[name] = 200 + _SESSIONS.index(name)
        drawn = [
            (
                self._random.choice(_SESSIONS),
                self._random.randrange(600, self._longest),
                self._random.random(),
            )
            for _ in range(self._per_cycle)
        ]
        for session, seconds, lost in drawn if schedule else ():
            self._schedule("gone" if lost < 0.02 else session, seconds, now)
        self.check_ins = {key: each for key, each in self.check_ins.items() if each.due > now}
        self.hung = self._faults and self._random.random() < 0.03
        self.whole = not (self._faults and self._random.random() < 0.02)
        for each in self.check_ins.values():
            if each.session in self.sessions:
                each.dangling_since = None
            elif each.dangling_since is None:
                each.dangling_since = now

    def is_wanted(self, shell: ProcessId) -> bool:
        """Whether what a scheduler is for exists."""
        return self.check_ins[shell].session in self.sessions

    def end(self, shell: ProcessId) -> None:
        """Both processes of a scheduler are gone."""
        del self.check_ins[shell]

    def sampler(self) -> Sampler:
        """The product's eye on this world."""
        return sampler_of(
            _Read(self._processes),
            _Servers(self._servers),
            clock=self.clock,
            config=Config(sampling=SamplingSettings(interval=self._interval)),
            default_socket=SOCKET,
        )

    def _schedule(self, session: str, seconds: int, now: float) -> None:
        pid, start = self._next_pid, round((now - BOOT - self._interval / 2) * TICKS)
        self._next_pid += 2
        script = f"sleep {seconds} && tmux send-keys -t {session}:0 'check {pid}' Enter"
        environ = {"TMUX": f"{SOCKET},100,0", "TMUX_PANE": "%0"}
        shell = process(pid, 1, ["bash", "-c", script], start=start, environ=environ)
        sleep = process(pid + 1, pid, ["sleep", str(seconds)], start=start)
        self.check_ins[shell.id] = CheckIn(
            session=session, made=now, due=BOOT + start / TICKS + seconds, shell=shell, sleep=sleep
        )
        self.made += 1

    def _processes(self) -> ProcessTable:
        shown = list(self.check_ins.values())
        if not self.whole:
            shown = shown[::2]
        panes = [process(pid, 100, ["bash"], start=1_500) for pid in self.sessions.values()]
        pairs = [each for one in shown for each in (one.shell, one.sleep)]
        return table(SERVER, *panes, *pairs, taken_at=self.clock.monotonic(), complete=self.whole)

    def _servers(self) -> TmuxView:
        answer = listing({name: ["main"] for name in self.sessions}, taken_at=self.clock.monotonic())
        panes = tuple(
            replace(pane, pid=pid) for pane, pid in zip(answer.panes, self.sessions.values(), strict=True)
        )
        view = ServerView(
            label="default",
            socket=SOCKET,
            process=SERVER.id,
            up=not self.hung,
            ended=False,
            listing=None if self.hung else replace(answer, panes=panes),
            problem=Problem(source="tmux", reason="hung") if self.hung else None,
        )
        return tmux_view(view)


class _Read:
    """A source of processes."""

    def __init__(self, read: Callable[[], ProcessTable]) -> None:
        self.read = read


class _Servers:
    """A source of servers."""

    def __init__(self, read: Callable[[], TmuxView]) -> None:
        self._read = read

    def configure(self, settings: TmuxSettings, interval: float) -> None:
        assert interval, settings

    def read(self, table: ProcessTable) -> TmuxView:
        assert table is not None
        return self._read()
