"""`up --demo` as a newcomer runs it: what it shows, what fires, whom it leaves alone, what remains."""

import json
import os
import re
import signal
import subprocess
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libtmux
import pytest

from tests.support.fixtures import StartTmux, StartUp
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, is_gone
from tests.support.programs.demo import belongings
from tests.support.programs.up import LOOPBACK, Up, get, listening, query
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_AUDIT

AGENTS = {
    ("billing", "Claude-Agent", "claude"),
    ("web-shop", "Claude-Frontend", "claude"),
    ("web-shop", "Codex-Backend", "codex"),
    ("orchestrator", "Orchestrator", "claude"),
    ("orchestrator", "Project-Manager", "aider"),
    ("orchestrator", "qa-bot", "other"),
}
SCHEDULERS = [("", "dangling"), ("billing", "armed"), ("orchestrator", "dangling"), ("web-shop", "armed")]


LEFT = {"vite": "dev_server", "mcp-server-fetch": "mcp_server"}
"""The programs that outlive their window, and their kinds."""

WANTED = {
    "Watchdog",
    "TmuxSchedulerDangling",
    "TmuxAgentWaiting",
    "TmuxAgentExited",
    "TmuxAgentMemoryGrowing",
    "TmuxSessionMemoryGrowing",
}
"""What is played: lost schedulers, who waits, who ends, who leaks."""


def folder_of(up: Up) -> Path:
    return up.runtime / "tmux-exporter" / "demo"


def socket_of(up: Up) -> Path:
    return folder_of(up) / f"tmux-{os.getuid()}" / "demo"


def stands(up: Up) -> dict[int, str]:
    """Wait until the fleet stands; its processes."""
    wait_for((folder_of(up) / "ready").exists, "the fleet stands", 30)
    return belongings(folder_of(up))


def pending(up: Up) -> list[int]:
    """The shells and sleeps of all schedulers, told from the short sleeps of a played agent's tools."""
    found = belongings(folder_of(up))
    return sorted(pid for pid, words in found.items() if re.search(r"sleep \d{4}\b", words))


def report(up: Up) -> dict[str, Any]:
    page = up.url("live page")

    def body() -> str | None:
        try:
            return get(f"{page}api/v1/report")
        except urllib.error.HTTPError as error:
            assert error.code == 503
            return None

    answer: dict[str, Any] = json.loads(wait_for(body, "a first sample"))
    return answer


def on(server: str, things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in things if each["server"] == server]


def schedulers(up: Up) -> list[tuple[str, str]]:
    return sorted((each["session"], each["state"]) for each in on("demo", report(up)["schedulers"]))


def everything_in(server: libtmux.Server) -> list[list[str]]:
    """What a user would see of a server, and what tells of anybody who touched it."""
    form = "#{session_name} #{window_name} #{pane_id} #{pane_pid} #{history_size} #{cursor_x},#{cursor_y}"
    return [
        server.cmd("list-panes", "-a", "-F", form).stdout,
        server.cmd("list-clients").stdout,
        server.cmd("list-buffers").stdout,
        server.cmd("show-options", "-g").stdout,
        *(server.cmd("capture-pane", "-p", "-t", str(pane.pane_id)).stdout for pane in server.panes),
    ]


def left_over(up: Up) -> list[tuple[str, str]]:
    """Session and kind of what outlived a window of the demo; schedulers are shown apart."""
    leaks = on("demo", report(up)["leaks"])
    return sorted((each["session"], each["kind"]) for each in leaks if each["kind"] != "scheduler")


def servers_without_window(up: Up) -> list[int]:
    """The servers that are started in a window, once that is closed and they are there still."""
    tmux = ("tmux", "-S", str(socket_of(up)))

    def running() -> list[int] | None:
        found = belongings(folder_of(up))
        pids = [pid for pid, words in found.items() if any(f"/bin/{name} " in words for name in LEFT)]
        return pids if len(pids) == len(LEFT) else None

    pids = wait_for(running, "the servers run")
    subprocess.run([*tmux, "kill-window", "-t", "web-shop:Preview"], check=True)
    assert "Preview" not in run_text([*tmux, "list-windows", "-a"], check=True).stdout
    assert running() == pids
    return pids


def fired(prometheus: str) -> set[str]:
    """Alerts that have fired at any time, but for those about this machine, which may well be busy."""
    ever = 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
    names = {each["alertname"] for each, _ in query(prometheus, ever)}
    return {each for each in names if not each.startswith("TmuxHost")}


def assert_no_trace(up: Up, was_there: dict[int, str]) -> None:
    folder = folder_of(up)
    wait_for(lambda: not folder.exists(), "the folder is gone")
    wait_for(lambda: not belongings(folder), f"every process has ended: {belongings(folder)}")
    # A process that is ending has no arguments any more, and is still there for a moment.
    wait_for(lambda: all(is_gone(pid) for pid in was_there), "none is left that is only ending")


@pytest.mark.timeout(600)
def test_the_fleet_is_seen_and_its_alert_fires_alone(start_up: StartUp, tmux_server: StartTmux) -> None:
    own = tmux_server("own")
    # A pane that shows every key that reaches it.
    own.cmd("new-session", "-d", "-s", "checkout-fix", "-x", "80", "-y", "24", "cat -v")
    before = everything_in(own)
    up = start_up("--demo", "--sampling.interval", "1s")
    prometheus = up.url("Prometheus")
    was_there = stands(up)

    wait_for(lambda: schedulers(up) == SCHEDULERS, "four schedulers are seen", 20)
    seen = report(up)
    assert {each["session"] for each in on("demo", seen["sessions"])} == {
        "billing",
        "web-shop",
        "orchestrator",
    }
    assert {
        (each["session"], each["agent"], each["program"]) for each in on("demo", seen["agents"])
    } == AGENTS
    assert {each["session"] for each in on("own", seen["sessions"])} == {"main", "checkout-fix"}
    told = wait_for(lambda: re.search(r"Seen: .* (\d+) agents, (\d+) pending", up.text()), "a summary")
    assert int(told[1]) >= len(AGENTS)
    assert int(told[2]) >= len(SCHEDULERS)

    leaking = 'tmux_agent_memory_bytes{server="demo",agent="Codex-Backend"}'
    working = 'rate(tmux_agent_cpu_seconds_total{server="demo",agent="Claude-Agent"}[20s])'
    idle = 'rate(tmux_agent_cpu_seconds_total{server="demo",agent="Claude-Frontend"}[20s])'
    first = wait_for(lambda: query(prometheus, leaking), "the leak is stored", 20)[0][1]
    wait_for(lambda: query(prometheus, leaking)[0][1] > first + 2**21, "the leak grows")
    wait_for(
        lambda: query(prometheus, f"{working} > ignoring(session, agent) 10 * {idle}"),
        "the worker works, the idle one idles",
    )

    firing = 'ALERTS{alertname="TmuxSchedulerDangling",alertstate="firing",server="demo"}'
    wait_for(lambda: len(query(prometheus, firing)) == 2, "the alert fires for both", 60)
    page = f"{up.url('live page')}api/v1/alerts"
    wait_for(lambda: get(page).count("TmuxSchedulerDangling") == 2, "the page tells of both")
    link = r"The alert TmuxSchedulerDangling fires: (http://\S+)$"
    told = wait_for(lambda: re.search(link, up.text(), re.MULTILINE), "the alert is told of")
    assert told[1].startswith(prometheus)
    assert "TmuxSchedulerDangling" in get(told[1])
    alertmanager = up.url("Alertmanager")
    wait_for(
        lambda: any(
            each["labels"].get("server") == "demo"
            for each in json.loads(get(f"{alertmanager}/api/v2/alerts"))
        ),
        "Alertmanager has it",
    )

    dangling = {each["pid"] for each in on("demo", seen["schedulers"]) if each["state"] == "dangling"}
    told_of = r"The remediator, which only observes, would end shell (\d+) and sleep (\d+):"
    wait_for(lambda: len(re.findall(told_of, up.text())) == 2, "what the remediator would do is told", 30)
    assert {int(shell) for shell, _ in re.findall(told_of, up.text())} == dangling
    would = 'tmux_remediator_actions_total{action="stop",outcome="would"} > 0'
    wait_for(lambda: query(prometheus, would), "it is counted")
    assert query(prometheus, 'sum(tmux_remediator_actions_total{outcome="done",action!="warn"})')[0][1] == 0
    assert schedulers(up) == SCHEDULERS

    waiting = 'tmux_agent_waiting_since_timestamp_seconds{server="demo",reason="permission"}'
    asks = wait_for(lambda: query(prometheus, waiting), "one asks for a permission", 60)
    assert [each["agent"] for each, _ in asks] == ["Claude-Frontend"]
    done = "count(tmux_operation_duration_seconds_count > 0)"
    wait_for(lambda: query(prometheus, f"{done} == 5"), "the orchestrator reports its operations", 60)

    outlived = sorted(("web-shop", kind) for kind in LEFT.values())
    wait_for(lambda: left_over(up) == outlived, f"two servers have outlived their window: {left_over(up)}")
    wait_for(lambda: "TmuxAgentWaiting" in fired(prometheus), "who waits is told", 60)
    assert fired(prometheus) <= WANTED

    data = up.home / "tmux-exporter" / "demo"
    assert (data / "prometheus").is_dir()
    assert (data / "tmux-exporter" / REMEDIATOR_AUDIT).exists()
    assert not (data.parent / "prometheus").exists()
    children = up.children()
    assert listening([up.process.pid, *children]) <= LOOPBACK
    # The dev server, or it would be none.
    assert listening(list(belongings(folder_of(up)))) == {"0100007F"}
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0, up.text()
    assert_no_trace(up, was_there)
    assert not data.exists()
    assert all(is_gone(pid) for pid in children)
    assert "ended with status" not in up.text()
    assert everything_in(own) == before


@pytest.fixture
def busy() -> Iterator[Callable[[int], None]]:
    """Start processes that do nothing but burn CPU."""
    started: list[subprocess.Popen[bytes]] = []

    def start(count: int) -> None:
        started.extend(subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(count))

    yield start
    for each in started:
        each.kill()
        each.wait()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_under_load_only_what_is_played_fires(start_up: StartUp, busy: Callable[[int], None]) -> None:
    up = start_up("--demo")
    prometheus = up.url("Prometheus")
    stands(up)
    busy(20)
    stored = 'up{job="tmux"} offset 4m'
    wait_for(lambda: query(prometheus, stored), "four minutes have passed", 600)
    assert {"TmuxSchedulerDangling", "TmuxAgentWaiting"} <= fired(prometheus) <= WANTED
    assert float(Path("/proc/loadavg").read_text().split()[0]) > 10


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_of_the_demo_outlives_up(start_up: StartUp, ending: signal.Signals) -> None:
    up = start_up("--demo")
    was_there = stands(up)
    assert len(pending(up)) == 2 * len(SCHEDULERS)
    assert socket_of(up).is_socket()
    assert set(servers_without_window(up)) <= was_there.keys()
    up.process.send_signal(ending)
    up.process.wait(60)
    assert_no_trace(up, was_there)


def test_the_agents_end_everything_if_the_keeper_is_killed_too(start_up: StartUp) -> None:
    up = start_up("--demo")
    was_there = stands(up)
    servers_without_window(up)
    # Its keeper has neither the mark nor the folder's path: the pids to kill are those of the tree. They are
    # stopped first: a keeper that saw `up` end before its own turn came would be killed halfway through
    # ending the agents, and nobody would be left to wipe the folder.
    family = (up.process.pid, *up.children())
    for stop in (signal.SIGSTOP, signal.SIGKILL):
        for pid in family:
            os.kill(pid, stop)
    up.process.wait(60)
    assert_no_trace(up, was_there)


def test_the_next_demo_ends_what_is_left_where_everything_was_killed_at_one_blow(start_up: StartUp) -> None:
    up = start_up("--demo")
    stands(up)
    left = pending(up)
    everyone = [up.process.pid, *up.children(), *belongings(folder_of(up))]
    for stop in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everyone:
            if pid not in left and not is_gone(pid):
                os.kill(pid, stop)
    up.process.wait(60)
    wait_for(lambda: sorted(belongings(folder_of(up))) == left, "only the schedulers are left")
    assert folder_of(up).exists()

    again = Up(up.home, up.runtime, "--demo", "--sampling.interval", "1s")
    try:
        wait_for(lambda: all(is_gone(pid) for pid in left), "the next demo ends them", 20)
        wait_for(lambda: schedulers(again) == SCHEDULERS, "and has its own", 20)
    finally:
        was_there = belongings(folder_of(again))
        again.end()
    assert_no_trace(again, was_there)


@pytest.fixture
def bystanders(socket_dir: Path) -> Iterator[Callable[[Path], list[int]]]:
    """Processes that know the demo's folder, but are none of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path) -> list[int]:
        marks: tuple[dict[str, str], ...] = (
            {},
            {"TMUX_EXPORTER_DEMO": f"{folder}-2"},
            {"X": f"TMUX_EXPORTER_DEMO={folder}"},
        )
        for mark in marks:
            words = ["tail", "-f", "/dev/null", "--pid", str(os.getpid())]
            started.append(subprocess.Popen(words, env={**os.environ, "SEEN": str(folder), **mark}))
        return [each.pid for each in started]

    yield start
    for each in started:
        end_process(each.pid)
        each.wait()


def test_it_tells_of_the_end_of_its_server_and_ends_nobody_by_its_arguments(
    start_up: StartUp, bystanders: Callable[[Path], list[int]]
) -> None:
    up = start_up("--demo")
    was_there = stands(up)
    pids = bystanders(folder_of(up))
    subprocess.run(["tmux", "-S", str(socket_of(up)), "kill-server"], check=True)
    wait_for(lambda: "demo fleet ended with status 3: the demo's tmux server has ended" in up.text(), "told")
    wait_for(lambda: all(is_gone(pid) for pid in was_there), "the rest of the demo ends")
    assert not folder_of(up).exists()
    assert sorted(belongings(folder_of(up))) == sorted(pids)
    assert up.process.poll() is None
    wait_for(lambda: on("demo", report(up)["agents"]) == [], "a sample shows that they are gone")
