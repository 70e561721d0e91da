"""`tmux-remediator run --enforce` in the whole zoo: nothing but orphans ends, only what is left is paused.

All of it lives in a pid namespace of its own, so that no fault of the remediator reaches anything outside.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.run_text import run_text
from tests.support.processes.started import is_gone
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tests.support.zoo.decoys import DECOYS, LEFT
from tests.support.zoo.zoo import Zoo
from tmux_exporter.sources.tmux import socket_files

POLICIES = Path(__file__).parents[2] / "deploy" / "policies.yml"
REMEDIATOR = (sys.executable, "-m", "tmux_exporter.cli.remediator")
MANY = 60.0

ORPHANS = {
    "and": "bash -c 'sleep 20000 && tmux send-keys -t nowhere:0 now Enter'",
    "then": "bash -c 'sleep 20001; tmux send-keys -t nowhere:0 now Enter'",
    "or": "dash -c 'sleep 20002 || tmux send-keys -t nowhere:0 now Enter'",
    "whole": 'bash -c \'sleep 20003 && tmux send-keys -t lost:1 "Time for check!" && sleep 1 && '
    "tmux send-keys -t lost:1 Enter'",
}
"""Beside the one that the zoo itself has."""

Started = tuple[int, str]


def everybody() -> dict[int, Started]:
    """Every living process of this namespace but the first two, which are the test: by pid."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) > 1 and int(folder.name) != os.getpid():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in ("Z", "X"):
                found[int(folder.name)] = (int(folder.name), fields[19])
    return found


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def screens(zoo: Zoo) -> dict[tuple[str, str], str]:
    """What stands in every pane of the servers that answer."""
    return {
        (server, pane): zoo.scene.tmux("capture-pane", "-p", "-S", "-", "-t", pane, server=server)
        for server in ("default", "nested", "named")
        for pane in zoo.scene.tmux("list-panes", "-a", "-F", "#{pane_id}", server=server).split()
    }


@pytest.mark.long
@pytest.mark.timeout(300)
def test_in_the_whole_zoo_exactly_the_orphans_end() -> None:
    played(in_the_zoo)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_in_the_whole_zoo_a_throttle_holds_only_what_is_left() -> None:
    """By policies that name the command line of everything there is, and every agent, whatever it holds."""
    played(throttled_in_the_zoo)


Play = Callable[[Zoo, Path], None]


def played(play: Play) -> None:
    base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
    try:
        if not in_namespace(partial(work, base, play)):
            assert os.getuid() != 0, "root is given a pid namespace"
    finally:
        shutil.rmtree(base, ignore_errors=True)


def work(base: Path, play: Play) -> None:
    """The first process of the namespace: it waits for whoever has lost its parent, while its child tests."""
    child = os.fork()
    if child == 0:
        try:
            start_and_test(base, play)
        except BaseException:
            (base / "error").write_text(traceback.format_exc())
        os._exit(0)
    while os.wait()[0] != child:
        pass
    error = base / "error"
    assert not error.exists(), error.read_text()


def start_and_test(base: Path, play: Play) -> None:
    os.environ["TMUX_TMPDIR"] = str(base)
    for name in ("TMUX", "TMUX_PANE"):
        os.environ.pop(name, None)
    socket_files.DEFAULT_BASE = str(base / "none")
    sockets = base / f"tmux-{os.getuid()}"
    sockets.mkdir(mode=0o700)
    zoo = Zoo(Scene(base, sockets), sockets)
    zoo.start()
    play(zoo, base)


THROTTLES = """\
apiVersion: tmux-exporter/v1
kind: RemediationPolicies
defaults: {{ mode: enforce, warmup: 0s, max_match: {{ count: 1000, percent: 100 }} }}
policies:
  - name: everything
    match: {{ kind: leaked_process, cmdline_sha256: [{hashes}] }}
    for: 1s
    actions: [{{ do: throttle, pause: true, lease: 1h }}]
  - name: culprits
    match: {{ kind: agent }}
    when: {{ metric: tmux_agent_memory_bytes, above: 64KiB, clear_below: 32KiB }}
    for: 1s
    actions: [{{ do: throttle, pause: true, lease: 1h }}]
  - name: trees
    match: {{ kind: agent, program: [claude, codex] }}
    whom: tree
    for: 1s
    actions: [{{ do: throttle, pause: true, lease: 1h }}]
"""

HELD = {"left_daemon", "left_job", "left_mcp_server", "left_agent", "left_agent_daemon"}
"""Of what is left, what is no shell and nobody can reach."""

SPARED = {
    *("left_dev_server", "user_service", "left_shell_job", "left_script", "left_with_a_marker"),
    *("left_check_in", "left_immortal_check_in"),
}
"""Of what is left, what others can reach, shells, and what nothing but a marker ties to its pane."""


def stopped() -> set[int]:
    found = set()
    for pid in everybody():
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                found.add(pid)
    return found


def throttled_in_the_zoo(zoo: Zoo, base: Path) -> None:
    before = stopped()
    assert zoo.missing == set() and len(DECOYS) + len(LEFT) > 100
    lines = {Path(f"/proc/{pid}/cmdline").read_bytes() for pid in everybody()}
    hashes = ", ".join(sorted(hashlib.sha256(each).hexdigest() for each in lines))
    home = base / "home"
    home.mkdir(mode=0o700)
    (home / "policies.yml").write_text(THROTTLES.format(hashes=hashes))
    (home / "policies.yml").chmod(0o600)
    # What a decoy is in only for the zoo's own look, such as a unit of systemd, is here what was left.
    mine = {each.name for each in DECOYS if each.unit} | {each.name for each in LEFT}
    pids = {zoo.pids[name] for name in mine if zoo.pids[name] in everybody()}
    spared = {zoo.pids[name] for name in SPARED}
    allowed = (pids | {child for pid in pids for child in children(pid)}) - spared
    wanted = {zoo.pids[name] for name in HELD}
    environ = {**os.environ, "XDG_STATE_HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    flags = ("--enforce", "--policy", str(home / "policies.yml"), "--interval", "500ms")
    with (home / "log").open("wb") as log:
        remediator = subprocess.Popen((*REMEDIATOR, "run", *flags), env=environ, stderr=log)
    said = (home / "log").read_text
    try:
        wait_for(lambda: wanted <= stopped() or remediator.poll() is not None, "they are held", MANY)
        assert remediator.poll() is None
        cycles = status(home)
        wait_for(lambda: status(home) > cycles + 10, "ten more cycles", MANY)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wanted - stopped()}\n{said()}") from None
    names = {pid: name for name, pid in zoo.pids.items()}
    held = stopped() - before
    assert held <= allowed, [names.get(each, each) for each in held - allowed]
    audit = [json.loads(line) for line in (home / "tmux-exporter" / "remediator-audit.jsonl").open()]
    touched = {each[0] for line in audit if line["kind"] == "throttle" for each in line["processes"]}
    assert touched <= allowed, [names.get(each, each) for each in touched - allowed]
    assert wanted <= held
    os.kill(remediator.pid, signal.SIGKILL)
    remediator.wait(30)
    wait_for(lambda: stopped() <= before, "nothing stays stopped", MANY)


def in_the_zoo(zoo: Zoo, base: Path) -> None:
    lines = [
        f"nohup {command} >/dev/null 2>&1 &\necho $! >$B/{name}.pid" for name, command in ORPHANS.items()
    ]
    zoo.scene.shell("\n".join(lines))
    shells = [zoo.scene.pid(f"{name}.pid") for name in ORPHANS] + [zoo.pids["left_check_in"]]
    for shell in shells:
        wait_for(partial(children, shell), "it sleeps", MANY)
    orphans = {pid for shell in shells for pid in (shell, *children(shell))}
    assert len(orphans) == 2 * (len(ORPHANS) + 1)
    before, shown = everybody(), screens(zoo)
    assert orphans < before.keys()
    assert len(before) > 100, "this is a zoo"

    home = base / "home"
    home.mkdir(mode=0o700)
    policies = shutil.copy(POLICIES, home)
    environ = {**os.environ, "XDG_STATE_HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    flags = ("--enforce", "--policy", policies, "--interval", "500ms", "--time-scale", "0.001")
    with (home / "log").open("wb") as log:
        remediator = subprocess.Popen((*REMEDIATOR, "run", *flags), env=environ, stderr=log)
    said = (home / "log").read_text
    try:
        wait_for(lambda: all(map(is_gone, orphans)) or remediator.poll() is not None, "they end", MANY)
    except AssertionError:
        raise AssertionError(said()) from None
    assert remediator.poll() is None, said()
    # It goes on for as long as everything else would have taken.
    cycles = status(home)
    wait_for(lambda: status(home) > cycles + 10, "ten more cycles", MANY)
    remediator.terminate()
    assert remediator.wait(30) == 0

    ended = {pid for pid, each in before.items() if everybody().get(pid) != each}
    assert ended == orphans, {pid: each for pid, each in zoo.pids.items() if each in ended - orphans}
    assert screens(zoo) == shown, "no key has arrived in any pane"
    replay = (*REMEDIATOR, "audit", "--replay")
    done = run_text(replay, env=environ)
    assert (done.returncode, done.stderr) == (0, ""), done


def status(home: Path) -> float:
    """How many intervals the clock had seen when the last cycle ended."""
    return float(json.loads((home / "tmux-exporter" / "remediator.json").read_text())["cycle_at"]) / 0.5
