"""Every query of every board, put to a real Prometheus that scrapes a real exporter beside a real fleet."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import libtmux
import pytest

from dashboards.__main__ import JSON
from dashboards.boards import BOARDS
from tests.support.boards.answers import Questioner
from tests.support.boards.lint import Json, targets
from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.started import end_process, server_pid
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus as stack

SHIPPED: dict[str, Json] = {name: json.loads((JSON / f"{name}.json").read_text()) for name in BOARDS}

RIGHTLY_EMPTY: dict[tuple[str, str], str] = {
    **{
        (name, "Remediator"): "no remediator runs here"
        for name in ("fleet", "wall", "session", "agent", "leaks")
    },
    **{("leaks", f"panel {number}"): "no remediator runs here" for number in (6, *range(51, 57))},
    ("slo", "panel 31"): "tmux commands are not watched",
    ("slo", "panel 32"): "tmux commands are not watched",
    ("slo", "panel 41"): "no agent was down",
    ("slo", "Remediator"): "no remediator runs here",
    ("agent", "panel 13"): "no agent here says that it waits",
    ("session", "panel 33"): "no orphan here has used CPU that nobody saw: one of its two queries",
    **{("agent", f"panel {number}"): "the agent here has no helper" for number in (16, 17)},
    **{("spending", f"panel {number}"): "the agent here does not say its window" for number in (5, 11, 26)},
    **{("spending", f"panel {number}"): "the agent here has no quota" for number in (13, 44)},
    ("spending", "panel 43"): "the agent here never idles",
}
"""Queries, by board and place, that have no answer here, and why that is right."""

OURS = {"server": ["fleet", "stuck"]}
ONE = ("fleet", "billing", "claude-api")
"""This test's servers: others of this user may run beside them."""

TROUBLE = {
    "Waiting agents": 0, "Exited agents": 0, "Near limit": 0, "Hung servers": 1, "Lost schedulers": 1,
    "Leaked processes": 1, "Incomplete data": 0,
}  # fmt: skip
"""What the tiles of the fleet board say of this test's servers."""

URGENT = "Urgent alerts"
"""It says at least that one hangs; of a machine that is busy with other tests it may say more."""

SCRAPE_INTERVAL = 1.0
WORKS = """
session=00000000-0000-4000-8000-000000000001
mkdir -p $CLAUDE_CONFIG_DIR/sessions $CLAUDE_CONFIG_DIR/projects/p
printf '{"pid": %s, "procStart": "%s", "sessionId": "%s", "version": "2.1.197", "status": "busy"}' \
    $$ $(cut -d ' ' -f 22 /proc/$$/stat) $session >$CLAUDE_CONFIG_DIR/sessions/$$.json
while sleep 0.2; do
    for each in {1..10000}; do :; done
    printf '{"type": "assistant", "timestamp": "%s", "message": {"id": "m%s", "model": "claude-sonnet-4-6", "usage": {"input_tokens": 9, "cache_read_input_tokens": 9000, "output_tokens": 90}}}\\n' \
        $(date -u +%FT%T.%3NZ) $((number += 1)) >>$CLAUDE_CONFIG_DIR/projects/p/$session.jsonl
done
"""  # noqa: E501
"""An agent that works, and writes down what it does and spends as Claude Code does."""
CHECK_IN = "sleep {seconds} && tmux -S {socket} send-keys -t {target} hello"


OPERATIONS = """
import time
from tmux_exporter.instrument import operation
while True:
    for name in ("status_check", "recovery", "own_kind"):
        with operation(name) as one:
            time.sleep(0.05)
            one.retry()
            if name == "own_kind":
                one.fail("refused")
"""


def populate(server: libtmux.Server, left: Path) -> None:
    """More sessions than a graph names, an agent, schedulers that will and will not arrive, and a leak.

    `left` gets the pid of the process that outlives its pane.
    """
    for name in ("billing", "docs", "infra", "lead", "review", "tests", "web"):
        server.cmd("new-session", "-d", "-s", name, "sleep 3600")
    works = left.with_name("works.sh")
    works.write_text(WORKS)
    server.cmd(
        "new-window", "-d", "-t", "=billing:", "-n", "claude-api",
        "-e", f"CLAUDE_CONFIG_DIR={left.parent}/claude",
        f"bash -c 'exec -a claude bash {works}'",
    )  # fmt: skip
    for seconds, target in ((1800, "billing:0"), (2700, "gone:0")):
        line = CHECK_IN.format(seconds=seconds, socket=server.socket_path, target=target)
        server.cmd("new-window", "-d", "-t", "=lead:", f"bash -c '{line}' & exec sleep 3600")
    server.cmd(
        "new-window", "-d", "-t", "=docs:", f"nohup sleep 3600 >/dev/null 2>&1 & echo $! >{left}; sleep 1"
    )


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[[Exporter], str]]:
    """Start a real Prometheus with our rules, a hundred times as quick as those for people; its URL."""
    started: list[stack.Child] = []

    def start(exporter: Exporter) -> str:
        program = shutil.which("prometheus")
        assert program, "install prometheus: `make test` does it with apt"
        rules, _ = stack.write_alerts(tmp_path, time_scale=0.01)
        address = exporter.url.removeprefix("http://").rstrip("/")
        text = stack.prometheus_config(address, None, SCRAPE_INTERVAL, (rules,))
        started.append(stack.start_prometheus(program, tmp_path, text))
        url = started[-1].url
        wait_for(lambda: stack.fetch(f"{url}/-/ready"), "Prometheus is ready", 20)
        return url

    yield start
    stack.stop(started)


@pytest.fixture
def reporter(socket_dir: Path) -> Iterator[None]:
    """A program that reports its operations to the exporter that is started first."""
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(socket_dir.parent / "serve0")}
    process = subprocess.Popen([sys.executable, "-c", OPERATIONS], env=environ)
    yield
    process.kill()
    process.wait()


@pytest.fixture
def asked(
    tmux_server: StartTmux,
    start_exporter: StartExporter,
    start_prometheus: Callable[[Exporter], str],
    reporter: None,
    tmp_path: Path,
) -> Iterator[str]:
    """The URL of a Prometheus that knows a fleet: some work, a scheduler is lost, and one server hangs."""
    fleet, stuck = tmux_server("fleet"), tmux_server("stuck")
    left = tmp_path / "left.pid"
    populate(fleet, left)
    prometheus = start_prometheus(start_exporter())
    wait_for(lambda: query(prometheus, 'up{job="tmux"} == 1'), "Prometheus scrapes us", 20)
    wait_for(lambda: query(prometheus, 'tmux_up{server="stuck"} == 1'), "both servers are stored", 30)
    pid = server_pid(stuck)
    os.kill(pid, signal.SIGSTOP)
    try:
        for alert in ("TmuxServerNotAnswering", "TmuxSchedulerDangling"):
            firing = f'ALERTS{{alertname="{alert}", alertstate="firing", server=~"fleet|stuck"}}'
            wait_for(partial(query, prometheus, firing), f"{alert} fires", 60)
        leaked = 'tmux_leaked_processes{server="fleet", kind!="scheduler"} == 1'
        wait_for(lambda: query(prometheus, leaked), "the leak is told", 30)
        # The rate of the shortest window that a board asks for has two samples in it.
        used = 'rate(tmux_agent_cpu_seconds_total{server="fleet"}[4s]) > 0'
        wait_for(lambda: query(prometheus, used), "the agent's CPU has a rate", 30)
        budget = 'count(instance:tmux_slo_budget_left:ratio{slo=~"errors|latency|availability"}) == 3'
        wait_for(lambda: query(prometheus, budget), "the budgets are recorded", 30)
        yield prometheus
    finally:
        os.kill(pid, signal.SIGCONT)
        end_process(int(left.read_text()))


@pytest.mark.timeout(600)
def test_every_query_has_an_answer_and_the_tiles_tell_the_trouble_there_is(asked: str) -> None:
    questioner = Questioner(asked, scrape_interval=SCRAPE_INTERVAL, span=60)
    found = questioner.everything(SHIPPED, ({}, OURS), ONE, RIGHTLY_EMPTY)
    assert found.wrong == []
    assert found.empty == RIGHTLY_EMPTY.keys()

    board = SHIPPED["fleet"]
    tiles = [each for each in targets(board) if each.panel["type"] == "stat"]
    told: dict[str, float | None] = {}

    def tell() -> bool:
        asker = questioner.asker(board)
        told.update({each.panel["title"]: asker.value(each, OURS) for each in tiles})
        return (told.pop(URGENT) or 0) >= 1 and told == TROUBLE

    with suppress(AssertionError):
        wait_for(tell, "the tiles tell it", 30)
    assert told == TROUBLE
    assert tell()
    # What this test would say of a query that is wrong, and of one that asks for nothing that is there.
    asker = questioner.asker(board)
    assert asker.target(tiles[0]._replace(expr="rate(tmux_up)"), {}).complaints
    assert asker.target(tiles[0]._replace(expr='tmux_up{job=~"$job", server="none"}'), {}).series == 0
