"""Every command of the runbooks and every query of all pages, run as it stands there; what it leaves open is
filled in.

What only looks has to end well and show something. What acts is done to something planted, and has to have
its effect.
"""

import os
import re
import signal
import subprocess
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.alerts.promql import selected
from tests.support.isolation.namespace import in_namespace
from tests.support.pages.markdown import all_blocks
from tests.support.pages.runbook_pages import PAGES, commands
from tests.support.pages.runbook_scene import Answer, RunbookScene
from tests.support.processes.started import is_gone
from tests.support.programs.exporter import Exporter
from tests.support.programs.up import query
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.sources.tmux import socket_files

COMMANDS = sorted({command for page in PAGES for command in commands(page)})
QUERIES = sorted({each for block in all_blocks("promql") for each in block.queries()})
"""Those of all other pages too."""

ASKS_SYSTEMD = {
    "loginctl show-user USER -p Linger": "the login manager",
    "systemctl reload tmux-remediator@USER": "the service manager",
    "systemctl --user set-property UNIT MemoryMax=8G": "the user's service manager",
    "systemctl --user list-timers --all": "the user's service manager",
    "systemctl --user set-property --runtime UNIT MemoryHigh=infinity CPUQuota= TasksMax=infinity": (
        "the user's service manager"
    ),
}
"""What needs somebody whom a container has not: it is run, and gets as far as asking for them."""

NO_SYSTEMD = re.compile(
    r"^(Failed to connect to bus: |System has not been booted with systemd|Failed to set unit properties )",
    re.MULTILINE,
)

ENDS_WITH = {
    "tmux-exporter leaks": {0, 1},
    "tmux-exporter schedulers": {1},
    "tmux-exporter schedulers --json": {1},
    "tmux-exporter doctor": {0, 1},
    # Where there is no journal it has no entries.
    "journalctl": {0, 1},
    "ls -l /proc/*/fd 2>/dev/null | grep deleted": {0, 1},
}
"""The exit status of what tells by it what it found."""

MAY_BE_EMPTY = ("tmux -L SERVER list-clients", "ls -l /proc/*/fd 2>/dev/null | grep deleted")
"""Shows nothing where nobody is attached, and no file is deleted and open."""

COMPLAINS = re.compile(
    r"(unknown|unrecognized|invalid|no such|unsupported) (option|command|flag|sort)|usage:", re.IGNORECASE
)

LATEST = {"agent:tmux_agent_memory_bytes:min15m", "instance:tmux_slo_errors:ratio_rate30d"}
"""What is recorded last."""

PLANTED = {
    *("TmuxAgentAbsent", "TmuxOperationErrors", "TmuxSchedulerDangling"),
    "TmuxServerNotAnswering",
}
"""What is wrong in this scene, by its alerts; the agent that has ended is declared, and so absent."""

NO_SERIES = {
    "server:tmux_command_errors:ratio_rate5m": "commands are only seen where the kernel tells of them",
    "tmux_agent_waiting_since_timestamp_seconds": "nobody waits",
    **dict.fromkeys(
        (
            "device:tmux_host_network_used:ratio_rate5m",
            "tmux_host_network_receive_bytes_total",
            "tmux_host_network_speed_bytes",
        ),
        "a namespace has no network device but its loopback",
    ),
    **dict.fromkeys(
        (
            *("tmux_agent_tokens_total", "tmux_agent_cost_dollars_total", "tmux_agent_compactions_total"),
            *("tmux_agent_context_tokens", "tmux_agent_context_window_tokens", "tmux_agent_quota_used_ratio"),
            *("tmux_agent_state_cost_dollars_total", "tmux_agent_usage_limit_reset_timestamp_seconds"),
        ),
        "the agent here writes no file of what it spends",
    ),
    "tmux_agent_oom_kills_total": "the agent here has no cgroup of its own",
    "tmux_remediator_lease_end_timestamp_seconds": "the remediator here only observes",
    "tmux_exporter_family_dropped_series": "no page here has as many series as the limit",
}
"""What this scene has no series of."""


def looks(scene: RunbookScene, command: str) -> str:
    """What is wrong with a command that only looks; nothing is the empty text."""
    if "/proc/pressure" in command and not Path("/proc/pressure/cpu").exists():
        return ""
    answer = scene.run(scene.filled(command))
    program = next((each for each in ENDS_WITH if each in (command, command.split(maxsplit=1)[0])), "")
    if answer.status not in ENDS_WITH.get(program, {0}) or COMPLAINS.search(answer.errors):
        return f"ends with {answer.status}: {answer.errors.strip()[-300:]}"
    if not answer.output.strip() and command not in MAY_BE_EMPTY and program != "journalctl":
        return "shows nothing"
    return ""


def asks(scene: RunbookScene, question: str) -> str:
    """What is wrong with a query."""
    assert scene.watched
    try:
        names = {each.name for each in selected(question)} - NO_SERIES.keys()
    except ValueError as error:
        return str(error)
    if missing := names - scene.names():
        return f"no series {', '.join(sorted(missing))}"
    asked = urllib.parse.urlencode({"query": scene.filled(question)})
    answered = prometheus.fetch(f"{scene.watched.prometheus.url}/api/v1/query?{asked}")
    return "" if answered else "is refused"


def fired(scene: RunbookScene) -> set[str]:
    """The alerts that have fired so far."""
    assert scene.watched
    asked = 'group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
    return {labels["alertname"] for labels, _ in query(scene.watched.prometheus.url, asked)}


def wait_for_planted(scene: RunbookScene) -> None:
    """Operations that fail are told while they go on failing."""
    told: set[str] = set()

    def all_told() -> bool:
        scene.work()
        told.update(fired(scene))
        return told >= PLANTED

    try:
        wait_for(all_told, "", 300)
    except AssertionError:
        raise AssertionError(f"{PLANTED - told} was not told, only {told}") from None


def asks_systemd(scene: RunbookScene, command: str) -> str:
    """What is wrong with a command for which nobody is here."""
    answer = scene.run(scene.filled(command, UNIT="nobody.service"))
    return "" if answer.status == 0 or NO_SYSTEMD.search(answer.errors) else answer.errors.strip()


def ends_it(scene: RunbookScene, command: str) -> None:
    pid = scene.plant()
    run_well(scene, command, PID=str(pid))
    wait_for(lambda: is_gone(pid), f"{command} ends it")


def ends_what_does_not_listen(scene: RunbookScene, command: str) -> None:
    pid = scene.plant()
    os.kill(pid, signal.SIGSTOP)
    run_well(scene, f"{command} {pid}")
    wait_for(lambda: is_gone(pid), f"{command} ends it")


def lets_it_go_on(scene: RunbookScene, command: str) -> None:
    pid = scene.plant()
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: state_of(pid) == "T", "it is stopped")
    run_well(scene, command, PID=str(pid))
    wait_for(lambda: state_of(pid) != "T", f"{command} lets it go on")


def is_read_again(scene: RunbookScene, command: str) -> None:
    assert scene.watched
    exporter = scene.watched.exporter
    before = last_read(exporter)
    run_well(scene, command, PID=str(exporter.process.pid))
    wait_for(lambda: last_read(exporter) > before, "it is read again")


def last_read(exporter: Exporter) -> float:
    name = "tmux_exporter_config_last_reload_successful_timestamp_seconds"
    return float(re.findall(rf"^{name} (\S+)$", exporter.metrics(), re.MULTILINE)[0])


def makes_the_socket(scene: RunbookScene, command: str) -> None:
    assert not scene.lost_socket.exists()
    run_well(scene, command, PID=str(scene.lost))
    wait_for(scene.lost_socket.exists, "the socket file is there again")


def raises_the_limit(scene: RunbookScene, command: str) -> None:
    pid = scene.plant()
    run_well(scene, command, PID=str(pid))
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"^Max open files +16384 ", limits, re.MULTILINE), limits


def forgets_the_history(scene: RunbookScene, command: str) -> None:
    size = ("display-message", "-p", "-t", scene.log, "#{history_size}")
    wait_for(lambda: int(scene.fleet.tmux(*size)) > 100, "the pane has a history")
    run_well(scene, command, PANE=scene.log)
    assert scene.fleet.tmux(*size) == "0"


def attaches(scene: RunbookScene, command: str) -> None:
    words = ("script", "-qec", scene.filled(command), "/dev/null")
    terminal = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=scene.environ)
    try:
        wait_for(lambda: scene.fleet.tmux("list-clients", "-t", "work"), f"{command} attaches")
    finally:
        scene.fleet.tmux("detach-client", "-s", "work")
        assert terminal.wait(60) == 0


def serves(scene: RunbookScene, command: str) -> None:
    """Never at its usual port: that may be somebody's."""
    place = scene.home / "second"
    place.mkdir(mode=0o700)
    places = {"XDG_STATE_HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
    words = f"{command} --web.listen-address 127.0.0.1:0".split()
    assert_runs(words, "listening on", scene.environ | places, place / "log")


def observes(scene: RunbookScene, command: str) -> None:
    place = scene.home / "third"
    place.mkdir(mode=0o700)
    places = {"XDG_STATE_HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
    assert_runs(command.split(), "observ", scene.environ | places, place / "log")


def assert_runs(words: Sequence[str], says: str, environ: Mapping[str, str], log: Path) -> None:
    """It runs until it is asked to end."""
    with log.open("wb") as errors:
        process = subprocess.Popen(words, stderr=errors, env=environ)
    try:
        wait_for(lambda: says in log.read_text() or process.poll() is not None, f"{words} says: {says}")
        assert process.poll() is None, log.read_text()
        # It says so just before it is ready to be ended.
        wait_for(lambda: catches_sigterm(process.pid), f"{words} can be asked to end")
    finally:
        process.terminate()
        assert process.wait(60) == 0


def installs_hooks(scene: RunbookScene, command: str) -> None:
    """It asks before it writes; nobody is here who could answer."""
    run_well(scene, f"{command} --yes")
    assert "tmux-exporter" in (scene.home / ".claude" / "settings.json").read_text()


def catches_sigterm(pid: int) -> bool:
    (caught,) = re.findall(r"^SigCgt:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def keeps_quiet(scene: RunbookScene, command: str) -> None:
    silenced = run_well(scene, command).output.strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", silenced), silenced
    assert silenced in scene.run(f"{scene.filled('amtool silence query --quiet')}").output


def run_well(scene: RunbookScene, command: str, **words: str) -> Answer:
    answer = scene.run(scene.filled(command, **words))
    assert answer.status == 0, answer.errors
    return answer


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


ACTS: dict[str, Callable[[RunbookScene, str], None]] = {
    "kill PID": ends_it, "kill -9": ends_what_does_not_listen, "kill -CONT PID": lets_it_go_on,
    "kill -HUP PID": is_read_again, "kill -USR1 PID": makes_the_socket,
    "prlimit --pid PID --nofile=16384:": raises_the_limit,
    "tmux -L SERVER clear-history -t PANE": forgets_the_history, "tmux -L SERVER attach -t SESSION": attaches,
    "tmux-exporter hooks install claude": installs_hooks,
    "tmux-exporter serve": serves, "tmux-remediator run": observes,
}  # fmt: skip
"""What does something, each tried on something of its own."""


def acts(scene: RunbookScene, command: str) -> str:
    """What is wrong with a command that does something."""
    try:
        (keeps_quiet if is_silence(command) else ACTS[command])(scene, command)
    except AssertionError as error:
        return str(error)
    return ""


def is_silence(command: str) -> bool:
    return command.startswith("amtool silence add ")


BROKEN = (
    "amtool silence add --durations=1h --comment=known alertname=TmuxAgentStuck",
    "amtool silence add --duration=1h alertname=TmuxAgentStuck", "cat /proc/PID/limit",
    "curl -s http://127.0.0.1:10077/-/well", "kill -CONTINUE PID", "ps -o pid,colour -p PID",
    "py-spy dump --pids PID", "prlimit --pid PID --nofiles=65536",
    "tmux -L SERVER capture-pane -p -t nowhere", "tmux-exporter explain AGENT --deep",
    "tmux-exporter once --format json | jq '.agent[] | .up'",
)  # fmt: skip
BROKEN_FOR_SYSTEMD = (
    "loginctl show-user USER -q Linger",
    "systemctl --user set-properties UNIT MemoryMax=8G",
)
BROKEN_QUERIES = ("tmux_no_such_thing", "rate(tmux_up)", "topk(10, tmux_pane_history)")


def try_all(scene: RunbookScene) -> None:
    acting = {command for command in COMMANDS if command in ACTS or is_silence(command)}
    looking = [command for command in COMMANDS if command not in acting | ASKS_SYSTEMD.keys()]
    found = {command: looks(scene, command) for command in looking}
    found |= {command: asks_systemd(scene, command) for command in ASKS_SYSTEMD}
    found |= {command: acts(scene, command) for command in sorted(acting)}
    wait_for(lambda: scene.names() >= LATEST, "everything has been recorded")
    wait_for_planted(scene)
    found |= {each: asks(scene, each) for each in QUERIES}
    problems = [f"{each}: {problem}" for each, problem in found.items() if problem]
    assert not problems, "\n".join(problems)

    broken = {each: (acts if is_silence(each) else looks)(scene, each) for each in BROKEN}
    broken |= {each: asks(scene, each) for each in BROKEN_QUERIES}
    broken |= {each: asks_systemd(scene, each) for each in BROKEN_FOR_SYSTEMD}
    assert [each for each, problem in broken.items() if not problem] == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_command_and_query_of_a_runbook_works(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(socket_dir.parent / "none"))
    home = socket_dir.parent / "home"
    home.mkdir(mode=0o700)

    def work() -> None:
        with closing(RunbookScene(socket_dir.parent, socket_dir, home)) as scene:
            try_all(scene)

    assert in_namespace(work), "the kernel gives no namespace"


def test_what_acts_or_asks_systemd_still_stands_in_a_runbook() -> None:
    assert (ASKS_SYSTEMD.keys() | ACTS.keys()) <= set(COMMANDS)
    told = {each.split()[0] if each.startswith("journalctl") else each for each in COMMANDS}
    assert ENDS_WITH.keys() <= told
