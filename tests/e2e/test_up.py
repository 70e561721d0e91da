"""`up` on real servers: what a newcomer starts is true, stays on loopback, and leaves nothing behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import libtmux
import pytest

from tests.support.fixtures import StartTmux, StartUp
from tests.support.pages.markdown import REPOSITORY
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, is_gone
from tests.support.programs.up import LOOPBACK, PREFERRED_PORT, Up, children_of, get, listening, query
from tests.support.wait import wait_for
from tests.support.web import exposition
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import REMEDIATOR_STATUS
from tmux_exporter.commands.up.up import refuse_sudo


def alert_health(prometheus: str) -> dict[str, str]:
    """Whether each alert could be evaluated, by its name; one whose turn comes within a minute counts."""
    groups = json.loads(get(f"{prometheus}/api/v1/rules?type=alert"))["data"]["groups"]
    found = {rule["name"]: (rule["health"], group["interval"]) for group in groups for rule in group["rules"]}
    return {
        name: "ok" if (health, interval) == ("unknown", 60) else health
        for name, (health, interval) in found.items()
    }


def test_a_port_that_is_taken_is_said_to_be(start_up: StartUp, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(PREFERRED_PORT, str(port))
        up = start_up()
        wait_for(lambda: "ends with Ctrl-C" in up.text(), "it has said where to look")
        (line,) = [line for line in up.text().splitlines() if "another port" in line]
        assert line.startswith(f"  Prometheus has another port than {port}: that is in use by ")
        assert line.endswith(f"(pid {os.getpid()}).")


def test_the_servers_this_test_needs_are_installed() -> None:
    missing = [
        name for name in ("prometheus", "promtool", "prometheus-alertmanager") if not shutil.which(name)
    ]
    assert not missing, f"install {missing}: `make test` does it with apt"


def test_prometheus_scrapes_the_sessions_on_loopback(start_up: StartUp, tmux_server: StartTmux) -> None:
    tmux_server("fleet").cmd("new-session", "-d", "-s", "billing", "sleep 3600")
    up = start_up("--sampling.interval", "1s")
    page, prometheus, alertmanager = up.url("live page"), up.url("Prometheus"), up.url("Alertmanager")

    wait_for(
        lambda: "Prometheus is ready." in up.text() and "Alertmanager is ready." in up.text(),
        "both ready",
        30,
    )
    wait_for(lambda: query(prometheus, 'up{job="tmux"} == 1'), "Prometheus scrapes us", 30)
    found = wait_for(
        lambda: query(prometheus, 'tmux_session_memory_bytes{server="fleet"}'), "sessions stored", 20
    )
    assert {metric["session"] for metric, _ in found} == {"main", "billing"}
    assert all(value > 0 for _, value in found)
    assert query(prometheus, 'tmux_up{server="fleet"}')[0][1] == 1

    metrics = get(f"{page}metrics")
    assert exposition.problems(metrics) == []
    lint = run_text(["promtool", "check", "metrics"], input=metrics)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")
    assert "tmux" in get(page)
    ours = {str(rule["alert"]) for rule in rules.alerts(Scope(thresholds=thresholds.load()))}
    wait_for(lambda: alert_health(prometheus) == dict.fromkeys(ours, "ok"), "our rules are evaluated", 20)
    assert "receiver: watchdog" in json.loads(get(f"{alertmanager}/api/v2/status"))["config"]["original"]
    wait_for(lambda: alertmanager in get(f"{prometheus}/api/v1/alertmanagers"), "alerts go there", 20)

    tree = [up.process.pid, *up.children()]
    assert len(tree) >= 3
    assert listening(tree) <= LOOPBACK
    assert listening(tree)


def test_the_servers_can_be_left_out_where_they_are_installed(start_up: StartUp) -> None:
    up = start_up("--no-servers")
    assert "tmux" in get(up.url("live page"))
    assert "Left out (--no-servers), and not needed for the page: Alertmanager, Prometheus." in up.text()
    # The remediator only.
    wait_for(lambda: len(up.children()) == 1, "its one child runs")
    (child,) = up.children()
    assert "tmux_exporter.cli.remediator" in argv(child)
    assert not {"Prometheus", "Alertmanager"} & set(re.findall(r"^  (\w+) +http", up.text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ((), []),
        (("SERVERS=yes",), []),
        (("SERVERS=no",), ["--no-servers"]),
        (("SERVERS=no", "ARGS=-h"), ["--no-servers", "-h"]),
    ],
)
def test_make_up_hands_the_wish_on(words: tuple[str, ...], flags: list[str]) -> None:
    told = subprocess.run(
        ("make", "--no-print-directory", "--dry-run", "up", *words),
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        # The tests may be run by a `make` with words of its own.
        env={
            name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "SERVERS")
        },
    )
    setup, run = told.stdout.splitlines()
    assert run.split()[1:] == [".venv/bin/tmux-exporter", "up", *flags]
    assert ("SERVERS='no'" in setup) == ("--no-servers" in flags)


def test_no_service_of_debian_s_packages_listens_beyond_loopback() -> None:
    """Both packages enable and start their server on all interfaces, unless its unit was masked before."""
    for unit in ("prometheus", "prometheus-alertmanager"):
        mask = Path(f"/etc/systemd/system/{unit}.service")
        if not (mask.is_symlink() and os.readlink(mask) == "/dev/null"):
            continue
        pids = [int(each.parent.name) for each in Path("/proc").glob("[0-9]*/exe") if runs(each, unit)]
        assert listening(pids) <= LOOPBACK, f"{unit} is masked, and yet it listens"


def runs(exe: Path, program: str) -> bool:
    try:
        return os.readlink(exe) == f"/usr/bin/{program}"
    except OSError:
        return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_up(start_up: StartUp, ending: signal.Signals) -> None:
    up = start_up()
    up.url("live page")
    wait_for(lambda: "Prometheus is ready." in up.text(), "Prometheus is ready", 30)
    wait_for(lambda: len(up.children()) == 3, "Prometheus, Alertmanager and remediator run")
    children = up.children()
    status_file = up.runtime / "tmux-exporter" / REMEDIATOR_STATUS
    wait_for(status_file.exists, "the remediator tells of itself")
    up.process.send_signal(ending)
    status = up.process.wait(60)
    wait_for(lambda: all(is_gone(pid) for pid in children), "the servers end too")
    if ending is not signal.SIGKILL:
        assert status == 0, up.text()
        assert "ended with status" not in up.text()
        assert not status_file.exists()


def test_a_remediator_observes(start_up: StartUp, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("log:\n  level: error\n")
    up = start_up("--sampling.interval", "500ms", "--config", str(settings))
    page = up.url("live page")
    wait_for(lambda: "tmux_remediator_up 1.0" in get(f"{page}metrics?fresh=1"), "it is seen", 20)
    metrics = get(f"{page}metrics")
    assert 'tmux_remediator_mode{mode="observe"} 1.0' in metrics
    assert 'tmux_remediator_mode{mode="enforce"} 0.0' in metrics
    (command,) = [words for pid in up.children() if "tmux_exporter.cli.remediator" in (words := argv(pid))]
    assert "--enforce" not in command
    assert command[command.index("--interval") + 1] == "500ms"
    assert command[command.index("--config") + 1] == str(settings)


def test_a_remediator_that_runs_already_is_left_as_it_is(start_up: StartUp) -> None:
    up = start_up()
    # The first one of this home ends with its `up`; then another one takes its place.
    up.url("live page")
    up.end()
    command = [sys.executable, "-m", "tmux_exporter.cli.remediator", "run", "--interval", "500ms"]
    with (up.home / "other.log").open("wb") as log:
        other = subprocess.Popen(command, env=up.environ, stderr=log)
    try:
        status_file = up.runtime / "tmux-exporter" / REMEDIATOR_STATUS
        wait_for(status_file.exists, "the other one runs")
        second = Up(up.home, up.runtime)
        words = f"No remediator of its own: a remediator already runs: pid {other.pid}, which observes"
        wait_for(lambda: words in second.text(), "up says so")
        second.end()
        assert other.poll() is None
        assert status_file.exists()
    finally:
        other.terminate()
        other.wait(60)


def argv(pid: int) -> list[str]:
    return [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]


def is_ready(url: str) -> bool:
    try:
        get(f"{url}-/ready")
    except OSError:
        return False
    return True


def in_terminal(server: libtmux.Server, folder: Path, words: str) -> tuple[str, int, Path]:
    """Run a command in a terminal of its own; the pane, the pid and the file with what it says."""
    out = folder / "out"
    out.touch()
    runtime = ("-e", f"XDG_STATE_HOME={folder}", "-e", f"XDG_RUNTIME_DIR={folder}")
    command = f"{words} --web.listen-address 127.0.0.1:0 >'{out}' 2>&1"
    form = ("-P", "-F", "#{pane_id} #{pane_pid}")
    pane, pid = server.cmd("new-window", "-d", "-t", "main:", *form, *runtime, command).stdout[0].split()
    url = wait_for(lambda: re.search(r"http://\S+/", out.read_text(encoding="utf-8")), "it listens")[0]
    wait_for(lambda: is_ready(url), "it has taken a sample")
    return pane, int(pid), out


@pytest.mark.parametrize("command", ["up", "serve"])
def test_it_ends_with_the_terminal_it_was_started_in(
    tmux_server: StartTmux, tmp_path: Path, command: str
) -> None:
    server = tmux_server("terminal")
    pane, pid, _ = in_terminal(server, tmp_path, f"exec {sys.executable} -m tmux_exporter {command}")
    tree = [pid, *children_of(pid)]
    try:
        assert (len(tree) > 1) == (command == "up")
        server.cmd("kill-pane", "-t", pane)
        wait_for(lambda: all(is_gone(each) for each in tree), "all of it ends")
    finally:
        for each in tree:
            end_process(each)


def test_under_nohup_it_outlives_its_terminal(tmux_server: StartTmux, tmp_path: Path) -> None:
    server = tmux_server("terminal")
    # As nohup does it, but with the terminal left as input: without, tmux ends such a pane at once.
    words = f"trap '' HUP; exec {sys.executable} -m tmux_exporter serve"
    pane, pid, out = in_terminal(server, tmp_path, words)
    try:
        server.cmd("kill-pane", "-t", pane)
        wait_for(lambda: "configuration applied" in out.read_text(encoding="utf-8"), "it reloads instead")
    finally:
        end_process(pid)


def test_a_second_up_is_told_where_the_first_one_is(start_up: StartUp) -> None:
    up = start_up()
    page = up.url("live page")
    second = Up(up.home, up.runtime)
    assert second.process.wait(60) == 2
    assert f"already up: {page} (pid {up.process.pid})" in second.text()


def test_up_refuses_to_run_under_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    refuse_sudo({})
    with pytest.raises(UsageError, match="without sudo"):
        refuse_sudo({"SUDO_UID": "1000"})
