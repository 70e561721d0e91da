"""A made-up tmux server whose sessions, windows, panes and agents get other labels, and a sampler over it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.support.clock import ManualClock
from tests.support.literals.facts import listing, pane, process, table, tmux_server, tmux_view
from tests.support.literals.scripted import Processes, Servers, sampler_of
from tmux_exporter.config import Config
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import ServerView
from tmux_exporter.metrics.catalogue.family import MetricType
from tmux_exporter.metrics.collectors import collect_all

NAMES = ("a", "b", "c")
SOCKET = "/tmp/tmux-1000/default"
INTERVAL = 5.0
"""Seconds between two samples."""

Series = tuple[str, tuple[str, ...]]


@dataclass
class _Pane:
    number: int
    shell: int
    agent: int
    session: str
    window: int
    name: str


@dataclass
class World:
    """One tmux server; every pane has a shell with an agent in it."""

    server: int = 100
    pids: int = 100
    sessions: dict[str, str] = field(default_factory=dict)
    panes: list[_Pane] = field(default_factory=list)
    ticks: Counter[int] = field(default_factory=Counter)
    numbers: int = 0

    def pid(self) -> int:
        self.pids += 1
        return self.pids

    def new_session(self, first: int, second: int) -> None:
        name = NAMES[first % len(NAMES)]
        if name not in self.sessions.values():
            session = f"${self.numbers}"
            self.sessions[session] = name
            self.new_pane(len(self.sessions) - 1, second)

    def new_pane(self, first: int, second: int) -> None:
        if self.sessions:
            session = list(self.sessions)[first % len(self.sessions)]
            name, number = NAMES[second % len(NAMES)], self.numbers
            self.numbers += 1
            self.panes.append(_Pane(number, self.pid(), self.pid(), session, number % 2, name))

    def rename(self, first: int, second: int) -> None:
        """Give a session a name, and its own to whoever has that."""
        if self.sessions:
            session, name = list(self.sessions)[first % len(self.sessions)], NAMES[second % len(NAMES)]
            for other, taken in self.sessions.items():
                if taken == name:
                    self.sessions[other] = self.sessions[session]
            self.sessions[session] = name

    def kill_session(self, first: int, _: int) -> None:
        if self.sessions:
            session = list(self.sessions)[first % len(self.sessions)]
            del self.sessions[session]
            self.panes = [each for each in self.panes if each.session != session]

    def move_pane(self, first: int, second: int) -> None:
        if self.panes:
            moved = self.panes[first % len(self.panes)]
            moved.session = list(self.sessions)[second % len(self.sessions)]
            moved.window = second % 2
            self._end_empty_sessions()

    def kill_pane(self, first: int, _: int) -> None:
        if self.panes:
            del self.panes[first % len(self.panes)]
            self._end_empty_sessions()

    def restart_agent(self, first: int, _: int) -> None:
        if self.panes:
            self.panes[first % len(self.panes)].agent = self.pid()

    def restart_server(self, first: int, second: int) -> None:
        self.server = self.pid()
        self.sessions.clear()
        self.panes.clear()
        self.numbers = 0
        self.new_session(first, second)

    def _end_empty_sessions(self) -> None:
        held = {each.session for each in self.panes}
        self.sessions = {session: name for session, name in self.sessions.items() if session in held}

    def use(self, amounts: list[int]) -> None:
        """Let everybody who is there use some ticks."""
        present = [self.server, *(pid for each in self.panes for pid in (each.shell, each.agent))]
        for at, pid in enumerate(present):
            self.ticks[pid] += amounts[at % len(amounts)]

    def processes(self) -> Iterator[Process]:
        yield tmux_server(self.server, cpu_ticks=self.ticks[self.server])
        for each in self.panes:
            shell = (each.shell, self.server, "-bash", "/bin/bash")
            for pid, parent, name, exe in (shell, (each.agent, each.shell, "claude", "/bin/claude")):
                ticks = self.ticks[pid]
                yield process(
                    pid, parent, argv=(name,), exe=exe, tty=5, foreground_pgid=each.agent, cpu_ticks=ticks
                )

    def view(self, at: float) -> ServerView:
        """What tmux says of it; a window has the name that somebody chose for it."""
        shown = (
            replace(pane(f"%{each.number}", each.shell, session=each.session), window_index=each.window)
            for each in self.panes
        )
        told = listing(tmux_server(self.server), *shown, taken_at=at)
        names = {f"@{each.number}": each.name for each in self.panes}
        return ServerView(
            label="default",
            socket=SOCKET,
            process=tmux_server(self.server).id,
            up=True,
            ended=False,
            listing=replace(
                told,
                sessions=tuple(replace(each, name=self.sessions[each.id]) for each in told.sessions),
                windows=tuple(
                    replace(each, name=names[each.id], automatic_rename=False) for each in told.windows
                ),
            ),
        )


class Watched:
    """A machine, the exporter's sampler over it, and what both said at the last sample."""

    def __init__(self) -> None:
        self.world = World()
        self.world.new_session(0, 0)
        self.world.new_session(1, 1)
        self._clock = ManualClock()
        self._tables, self._views = Processes(), Servers()
        self._sampler = sampler_of(self._tables, self._views, clock=self._clock, default_socket=SOCKET)
        self._counted_ticks: Counter[int] = Counter()
        self._first = True

    def sample(self, seconds: float = INTERVAL) -> tuple[Report, dict[str, Counter[tuple[str, ...]]]]:
        """A report, and the seconds that were used since the last one by kind of thing and label."""
        self._clock.advance(seconds)
        at = self._clock.monotonic()
        seen = table(*self.world.processes(), taken_at=at)
        self._tables.tables += [seen] * (1 + self._first)
        self._views.views.append(tmux_view(self.world.view(at)))
        report = self._sampler.sample()
        used = Counter({pid: ticks - self._counted_ticks[pid] for pid, ticks in self.world.ticks.items()})
        self._counted_ticks = Counter(self.world.ticks)
        truth: dict[str, Counter[tuple[str, ...]]] = {
            kind: Counter() for kind in ("server", "session", "pane", "agent")
        }
        if not self._first:
            truth["server"]["default",] += used[self.world.server]
            for each in self.world.panes:
                name = self.world.sessions[each.session]
                both = used[each.shell] + used[each.agent]
                truth["session"]["default", name] += both
                truth["pane"]["default", name, str(each.window), f"%{each.number}"] += both
            for agent in report.agents:
                if agent.pid is not None:
                    truth["agent"]["default", agent.session, agent.agent] += used[agent.pid]
        self._first = False
        return report, truth


def counters(report: Report) -> dict[Series, float]:
    """Every counter of the page, but those of the exporter itself."""
    families = collect_all(report, Config()).families
    return {
        (family.spec.name, sample.labels): sample.value
        for family in families
        if family.spec.kind is MetricType.COUNTER and family.spec.subject not in ("exporter", "process")
        for sample in family.samples
    }
