"""The boards with twenty hosts and three hundred agents: as quick, and no graph flooded."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.__main__ import JSON
from dashboards.boards import BOARDS
from tests.support.boards.answers import SLOWEST_SECONDS
from tests.support.boards.grafana import Asker, Moment
from tests.support.boards.lint import Json, targets
from tests.support.recorded.made_up_fleet import Fleet
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus

SHIPPED: dict[str, Json] = {name: json.loads((JSON / f"{name}.json").read_text()) for name in BOARDS}
MOST_LINES = 12
"""In one graph; more colours look alike."""


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[tuple[str, Fleet]]:
    """The URL of a Prometheus that holds half an hour of the fleet."""
    now = int(time.time()) // 60 * 60
    fleet = Fleet(hosts=20, agents_of_host=15, start=now - 1800, end=now)
    page = tmp_path / "fleet.om"
    with page.open("w", encoding="utf-8") as stream:
        stream.writelines(fleet.lines())
    blocks = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", page, tmp_path / "prometheus")
    subprocess.run(blocks, check=True, timeout=400, stdout=subprocess.DEVNULL)
    program = shutil.which("prometheus")
    assert program
    child = prometheus.start_prometheus(program, tmp_path, prometheus.as_json({"global": {}}))
    wait_for(lambda: prometheus.fetch(f"{child.url}/-/ready"), "Prometheus is ready", 60)
    yield child.url, fleet
    prometheus.stop([child])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_query_is_quick_and_no_graph_is_flooded(crowd: tuple[str, Fleet]) -> None:
    url, fleet = crowd
    moment = Moment(start=fleet.start, end=fleet.end - fleet.step, scrape_interval=fleet.step)
    wrong: list[str] = []
    for name, board in SHIPPED.items():
        asker = Asker(url, board, moment)
        for each in targets(board):
            # A busy machine may be slow once.
            answer = min((asker.target(each, {}) for _ in range(3)), key=lambda answer: answer.seconds)
            wrong += [f"{name}: {each.place}: {complaint}" for complaint in answer.complaints]
            if answer.seconds > SLOWEST_SECONDS:
                wrong.append(f"{name}: {each.place}: took {answer.seconds:.1f} s")
            if answer.series == 0:
                wrong.append(f"{name}: {each.place}: no answer")
            if each.panel["type"] != "table" and answer.series > MOST_LINES:
                wrong.append(f"{name}: {each.place}: {answer.series} lines")
    assert wrong == []
    # What is seen of a graph that shows everything.
    everything = targets(SHIPPED["fleet"])[0]._replace(
        expr='tmux_agent_memory_bytes{job=~"$job", instance=~"$instance"}', instant=False
    )
    assert Asker(url, SHIPPED["fleet"], moment).target(everything, {}).series == 300
