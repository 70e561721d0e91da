"""The tick under any scrapers: what they get is as fresh as promised, and no sample is taken for nobody."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.commands.tick import LOOK_SECONDS, Tick, TickLimits

HORIZON = 400.0


@dataclass
class Exporter:
    """Samples as the publisher does, on a clock of its own."""

    limits: TickLimits
    took: float
    tick: Tick = field(default_factory=Tick)
    taken: list[float] = field(default_factory=lambda: [0.0])
    now: float = 0.0

    def until(self, moment: float) -> None:
        """Take all samples that are due before this moment."""
        while (due := self.due()) < moment:
            # One that is late begins now.
            self.sample(max(due, self.now))
        self.now = moment

    def due(self) -> float:
        """When the next sample is due by what has been read until now."""
        return self.tick.due(self.limits, taken_at=self.taken[-1], took=self.took, now=self.now, soon=False)

    def sample(self, moment: float) -> None:
        self.now = max(self.now, moment)
        self.taken.append(moment)

    def scrape(self, moment: float) -> bool:
        """Whether it had to wait for a sample."""
        self.until(moment)
        self.tick.scraped(moment)
        under_way = moment - self.taken[-1] < self.took
        shown = self.taken[-2] if under_way and len(self.taken) > 1 else self.taken[-1]
        if moment - shown <= self.limits.interval + self.took + 1e-6:
            return False
        if not under_way:
            self.sample(moment)
        return True


@st.composite
def exporters(draw: st.DrawFn) -> Exporter:
    interval = draw(st.floats(0.5, 10.0))
    idle = max(interval, draw(st.floats(0.5, 15.0)))
    return Exporter(
        limits=TickLimits(interval=interval, idle=idle), took=draw(st.floats(0.001, 0.2)) * interval
    )


def waited(exporter: Exporter, scrapes: Iterable[float]) -> list[float]:
    return [moment for moment in scrapes if exporter.scrape(moment)]


@given(exporter=exporters(), period=st.floats(1.0, 60.0), data=st.data())
def test_a_regular_scraper_never_waits(exporter: Exporter, period: float, data: st.DataObject) -> None:
    late = st.floats(0.0, exporter.limits.interval / 20)
    scrapes = [number * period + data.draw(late) for number in range(1, 9)]
    assert [each for each in waited(exporter, scrapes) if each > scrapes[2]] == []


@given(exporter=exporters(), share=st.floats(0.0, 0.5), longer=st.floats(1.0, 10.0))
def test_nor_do_two_of_one_interval(exporter: Exporter, share: float, longer: float) -> None:
    period = longer * exporter.limits.interval
    scrapes = sorted((number + each) * period for number in range(8) for each in (0.0, share))
    assert [each for each in waited(exporter, scrapes) if each > 3 * period] == []


@given(exporter=exporters(), scrapes=st.lists(st.floats(0.0, HORIZON), max_size=40))
def test_never_more_samples_than_a_tick_nor_long_pauses(exporter: Exporter, scrapes: list[float]) -> None:
    waited(exporter, sorted(scrapes))
    exporter.until(HORIZON)
    pauses = [later - earlier for earlier, later in zip(exporter.taken, exporter.taken[1:], strict=False)]
    assert all(exporter.limits.interval - 1e-6 <= pause for pause in pauses)
    assert all(pause <= exporter.limits.idle + 1e-6 for pause in pauses)


@given(exporter=exporters())
def test_where_nobody_reads_a_sample_is_taken_at_the_idle_interval(exporter: Exporter) -> None:
    exporter.until(HORIZON)
    assert abs(len(exporter.taken) - HORIZON / exporter.limits.idle) < 1.1


@given(exporter=exporters(), before=st.lists(st.floats(0.0, 100.0), max_size=10), since=st.floats(0.0, 14.9))
def test_who_looks_gets_a_sample_at_every_interval(
    exporter: Exporter, before: list[float], since: float
) -> None:
    waited(exporter, sorted(before))
    last, now = exporter.taken[-1], exporter.now + since
    soonest = last + exporter.limits.interval
    assert exporter.tick.due(exporter.limits, taken_at=last, took=0.01, now=now, soon=True) == soonest
    exporter.tick.looked(exporter.now)
    assert since < LOOK_SECONDS
    assert exporter.tick.due(exporter.limits, taken_at=last, took=0.01, now=now, soon=False) == soonest
