"""Days of `alerts/days/`: what is told on them, and that they show what rules read."""

from pathlib import Path

from alerts.days.ordinary import BOUNDS, DAYS, TIMES
from alerts.days.play import Rules, play
from alerts.days.world import Agent, Doing, Host
from tests.support.alerts.files import shipped
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.routes import alertmanager_config

ROUTES = alertmanager_config(thresholds.load())
GROUPS = [
    group
    for group in shipped()["groups"]
    if group["name"] in ("tmux_agents_alerting", "tmux_exporter_alerting")
]


def test_the_bounds_are_those_that_were_written_down_first() -> None:
    assert BOUNDS == {"P1": 0, "P2": 0, "P3": 3, "P4": 10} and TIMES == 2
    assert len({day.name for day in DAYS}) == len(DAYS) == 19


def test_what_a_host_does_is_told_when_it_begins_and_ends_and_a_lost_scrape_does_not_end_it(
    tmp_path: Path,
) -> None:
    asks = Agent(
        name="asks",
        session="s",
        plan=[(0.0, Doing()), (600.0, Doing(state="waiting")), (2400.0, Doing(state="working", cores=0.2))],
    )
    host = Host(instance="a:1", agents=[asks], interval=60, phase=30, unreachable=((1500, 1600),))
    (told,) = play(tmp_path, [host], Rules(groups=GROUPS, routes=ROUTES), evaluation=60, until=3600)
    assert (told.name, told.priority, told.labels["agent"], told.told) == (
        "TmuxAgentWaiting",
        "P3",
        "asks",
        True,
    )
    assert (told.begins, told.ends) == (1320, 2460)
