"""A session that is renamed onto a used name fires nothing: the sampler's pages under the shipped rules."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

from tests.support.alerts.files import GROUPS, RULES, run
from tests.support.literals.renamed import Watched, World
from tests.support.recorded.record_fleet import STEP
from tests.support.recorded.replay import as_test, write
from tmux_exporter.config import defaults
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import text

CORES = 2
LIVED = 2_000_000
"""Ticks that the older sessions have used before they are renamed: over five hours of one core."""


def page(watched: Watched) -> tuple[float, bytes]:
    """When the next sample is taken, and its page with a limit on the CPU of each session and agent."""
    report, _ = watched.sample(STEP)
    shown = text(collect_all(report, defaults()).families)
    limits = [
        *(
            (f'session_cpu_limit_cores{{server="{each.server}",session="{each.session}"}}')
            for each in report.sessions
        ),
        *(
            f'agent_cpu_limit_cores{{server="{each.server}",session="{each.session}",agent="{each.agent}"}}'
            for each in report.agents
        ),
    ]
    limited = "".join(f"tmux_{each} {CORES}\n" for each in limits).encode()
    return report.timestamp, shown + limited


def _swap(world: World) -> None:
    world.rename(0, 1)


def _kill_and_take_its_name(world: World) -> None:
    world.kill_session(1, 0)
    world.rename(0, 1)


def _move_there_and_back(world: World) -> None:
    world.move_pane(0, 1)


DEEDS: tuple[Callable[[World], None], ...] = (
    lambda _: None,
    _swap,
    _move_there_and_back,
    _move_there_and_back,
    _kill_and_take_its_name,
)


def test_no_rename_fires_an_alert(tmp_path: Path) -> None:
    watched = Watched()
    world = watched.world
    world.new_pane(0, 2)
    watched.sample(STEP)
    world.use([STEP, LIVED, LIVED, 0, 0, LIVED // 10])
    watched.sample(STEP)
    folder = tmp_path / "pages"
    folder.mkdir()
    pages = []
    for deed in DEEDS:
        deed(world)
        for _ in range(24):
            world.use([STEP * 10])
            pages.append(page(watched))
    for number, (taken_at, each) in enumerate(pages):
        content = b"# %d\n%s" % (taken_at, each)
        (folder / f"{number:04}.gz").write_bytes(gzip.compress(content))
    write(folder, fixture := tmp_path / "pages.gz")
    fired = {
        "expr": 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[2h]))',
        "eval_time": f"{len(pages) * STEP}s",
        "exp_samples": [{"labels": '{alertname="Watchdog"}', "value": 1}],
    }
    case = tmp_path / "case.json"
    case.write_text(json.dumps(as_test(fixture, RULES, GROUPS, [fired])))
    status, output = run("promtool", "test", "rules", case)
    assert status == 0, output
