import random

import pytest

from tests.property.test_tick import Exporter, waited
from tmux_exporter.commands.tick import Tick, TickLimits
from tmux_exporter.config import Config, SamplingSettings, TmuxSettings

LIMITS = TickLimits(interval=5.0, idle=15.0)


def exporter(took: float = 0.05) -> Exporter:
    return Exporter(limits=LIMITS, took=took)


def every(seconds: float, *, start: float = 7.0, count: int = 40) -> list[float]:
    return [start + seconds * number for number in range(count)]


@pytest.mark.parametrize("jitter", [0.0, 0.3])
@pytest.mark.parametrize(
    ("period", "most"),
    [(1.0, 0.2), (5.0, 1.0), (10.0, 1.0), (15.0, 1.0), (20.0, 2.0), (30.0, 2.0), (60.0, 4.0)],
)
def test_samples_a_scrape_by_its_interval(period: float, most: float, jitter: float) -> None:
    world, chance = exporter(), random.Random(7)
    scrapes = [moment + chance.uniform(0, jitter) for moment in every(period)]
    waited(world, scrapes[:10])
    so_far = len(world.taken)
    assert waited(world, scrapes[10:]) == []
    assert (len(world.taken) - so_far) / len(scrapes[10:]) <= most * 1.1


def test_a_scrape_every_15_s_finds_a_sample_of_half_an_interval() -> None:
    world = exporter()
    scrapes = every(15.0)
    assert waited(world, scrapes) == [7.0]
    assert scrapes[-1] - world.taken[-1] == pytest.approx(2.55)


def test_two_scrapers_of_one_interval_are_foreseen_both() -> None:
    world = exporter()
    scrapes = sorted((*every(15.0), *every(15.0, start=11.0)))
    assert [moment for moment in waited(world, scrapes) if moment > scrapes[6]] == []
    assert len([each for each in world.taken if each > 200]) <= 2 * (scrapes[-1] - 200) / 15 + 2


def test_scrapers_that_cannot_be_foreseen_get_what_they_had_at_a_fixed_tick() -> None:
    world = exporter()
    waited(world, [10.0, 31.0, 39.0, 70.0, 72.0, 100.0])
    world.until(200.0)
    after = [each for each in world.taken if each > 100]
    assert 100 / 5 - 1 <= len(after) <= 100 / 5
    world.until(400.0)
    assert world.taken[-1] - world.taken[-2] == 15.0


def test_one_scrape_more_among_regular_ones_costs_little() -> None:
    world = exporter()
    scrapes = every(15.0)
    assert waited(world, sorted((*scrapes, 120.0))) == [7.0, 120.0]
    after = [each for each in world.taken if each > 127.0 + 45.0]
    assert len(after) == len([each for each in scrapes if each > 127.0 + 45.0])


def test_a_scraper_that_has_gone_is_forgotten() -> None:
    world = exporter()
    waited(world, every(6.0, count=30))
    world.until(7.0 + 180.0 + 200.0)
    assert world.taken[-1] - world.taken[-2] == 15.0


def test_a_sample_that_takes_longer_than_the_interval_skips_ticks() -> None:
    due = Tick().due(TickLimits(interval=1.0, idle=2.0), taken_at=10.0, took=3.2, now=13.2, soon=True)
    assert due == 14.0


@pytest.mark.parametrize(
    ("interval", "idle", "hold", "expected"),
    [
        (5.0, 15.0, 30.0, (5.0, 15.0)),
        (5.0, 15.0, 16.0, (5.0, 8.0)),
        (5.0, 15.0, 0.0, (5.0, 5.0)),
        (60.0, 15.0, 30.0, (60.0, 60.0)),
        (5.0, 5.0, 30.0, (5.0, 5.0)),
    ],
)
def test_the_limits_by_the_settings(
    interval: float, idle: float, hold: float, expected: tuple[float, float]
) -> None:
    config = Config(
        sampling=SamplingSettings(interval=interval, idle_interval=idle), tmux=TmuxSettings(hold=hold)
    )
    limits = TickLimits.of(config)
    assert (limits.interval, limits.idle) == expected


def test_an_agent_that_was_missed_is_looked_for_again_at_once_but_not_in_a_burst() -> None:
    def due(interval: float, took: float) -> float:
        limits = TickLimits(interval=interval, idle=15.0)
        return Tick().due(limits, taken_at=10.0, took=took, now=10.0 + took, soon=True, again=True)

    assert [due(5.0, 0.1), due(5.0, 3.0), due(0.5, 0.1), due(5.0, 7.0)] == [11.0, 13.0, 10.5, 17.0]
