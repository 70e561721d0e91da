"""A bad day for each alert, at each of its levels: what goes wrong, and who is told of what, when, and once.

A fault begins on a host on which two agents work, and somebody mends it. Besides its alert nothing may be
told, unless the row says so in `beside`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerts.days.firing import Firing
from alerts.days.world import GIB, HOUR, MINUTE, Agent, Change, Doing, Host

WITHIN = {"P1": 3 * MINUTE, "P2": 8 * MINUTE, "P3": 22 * MINUTE, "P4": 70 * MINUTE}
"""Seconds until an alert of a priority fires, unless its row says how long it must look."""

PAGES = {"P1", "P2"}
"""One fault is one page."""

OF_SERVER = {"server": "default"}
OF_SESSION = {**OF_SERVER, "session": "s1"}
OF_AGENT = {**OF_SESSION, "agent": "one"}

SERVER = 'server="default"'
SESSION = f'{SERVER}, session="s1"'
LEVELS = (("emergency", "P1"), ("critical", "P2"), ("warning", "P3"))
QUARTER = 15 * MINUTE
GROWS: Mapping[str, Any] = {"lasts": 100 * MINUTE, "within": 85 * MINUTE, "over": 25 * MINUTE}
"""Growth is told from four windows of a quarter of an hour, of which the first is whole after as long."""
BURNS = "TmuxErrorBudgetBurnsFast"
"""Beside what lasts: it is told of the promise."""
WORKS = Doing(state="working", cores=0.15, memory=0.7 * GIB)

Fault = Callable[[float, float, float], float | None]
"""A value by the seconds since the fault, by how long that lasts, and by what it would be else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One bad day.

    `does` is what agent "one" does meanwhile, and each declared one where there are several. `who` are labels
    of the alert, `within` the seconds until it fires. `over` is how much longer than the fault it may go on.
    What is named in `beside` may be told too, but no second page.
    """

    alert: str
    priority: str
    level: str = ""
    who: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)
    host: Mapping[str, object] = field(default_factory=dict)
    does: Doing | None = None
    declared: tuple[str, ...] = ()
    begins: float = HOUR
    lasts: float = 45 * MINUTE
    within: float = 0
    over: float = 12 * MINUTE
    beside: tuple[str, ...] = ()
    until: int = 3 * HOUR
    scraped: int = 60
    how: str = ""
    """What is the matter, where an alert has several days."""

    @property
    def name(self) -> str:
        """The alert, its level, what it is told of, and how it comes."""
        return " ".join(filter(None, (self.alert, self.level, *self.who.values(), self.how)))

    def plays(self) -> Host:
        """The host of the day."""
        agents = [
            Agent(name=name, session=session, declared=name in self.declared, plan=self._plan(name))
            for name, session in (("one", "s1"), ("two", "s2"))
        ]
        changes = {name: self._change(fault) for name, fault in self.faults.items()}
        options = {"agents": agents, "interval": self.scraped, "changes": changes, **self.host}
        return Host(instance=self.name, **options)  # type: ignore[arg-type]

    def _plan(self, name: str) -> Sequence[tuple[float, Doing]]:
        strikes = name == "one" or (name in self.declared and len(self.declared) > 1)
        if self.does is None or not strikes:
            return [(0.0, WORKS)]
        return [(0.0, WORKS), (self.begins, self.does), (self.begins + self.lasts, WORKS)]

    def _change(self, fault: Fault) -> Change:
        def change(time: float, usual: float | None) -> float | None:
            return usual if time < self.begins else fault(time - self.begins, self.lasts, usual or 0)

        return change

    def problems(self, fired: Sequence[Firing], *, keeps: float = 0) -> Iterator[str]:
        """What was told wrongly: nothing, somebody else, too late, twice, or for too long.

        Alerts may fire on for as long as they are kept.
        """
        told = [each for each in fired if each.told and each.labels.get("instance", self.name) == self.name]
        own = [each for each in told if self._is(each)]
        for each in told:
            twice = {each.priority, self.priority} <= PAGES
            if each not in own and (twice or each.name not in self.beside):
                yield f"{self.name}: {each.priority} {each.name} {dict(each.labels)} beside"
        if len(own) != 1:
            yield f"{self.name}: told {len(own)} times"
            return
        late = own[0].begins - self.begins
        if not 0 <= late <= (self.within or WITHIN[self.priority]):
            yield f"{self.name}: told after {late:g} s"
        if own[0].ends > self.begins + self.lasts + self.over + keeps:
            yield f"{self.name}: told {own[0].ends - self.begins - self.lasts:g} s longer than it lasts"

    def _is(self, firing: Firing) -> bool:
        wanted = {"alertname": self.alert, "priority": self.priority, **self.who}
        wanted |= {"threshold": self.level} if self.level else {}
        return all(firing.labels.get(name) == value for name, value in wanted.items())


def during(value: float) -> Fault:
    """A gauge that has this value meanwhile."""
    return lambda since, lasts, usual: value if since < lasts else usual


def shown(value: float) -> Fault:
    """A series that is there meanwhile only."""
    return lambda since, lasts, _: value if since < lasts else None


def climbs(start: float, pace: float) -> Fault:
    """A gauge that moves from a value on by so much each second."""
    return lambda since, lasts, usual: start + pace * since if since < lasts else usual


def adds(pace: float) -> Fault:
    """A counter that counts so much more each second."""
    return lambda since, lasts, usual: usual + pace * min(since, lasts)


def jumps(count: float = 1) -> Fault:
    """A counter that has counted so many at once."""
    return lambda _, __, usual: usual + count


def counts(every: float) -> Fault:
    """One more each time."""
    return lambda since, lasts, usual: usual + min(since, lasts) // every
