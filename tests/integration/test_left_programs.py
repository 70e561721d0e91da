"""Real programs that outlive their pane, window, session or server are leaks within two samples."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.support.literals.scripted import sampler_of
from tests.support.processes.started import is_gone
from tests.support.scenes.own_sockets import own_sockets
from tests.support.scenes.scene import Scene
from tests.support.wait import wait_for
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.leak_details import LeakDetailReader

pytestmark = pytest.mark.long
POSTGRES = "/usr/lib/postgresql/15/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/17/bin"
# An agent that ignores the hang-up; what runs it keeps its terminal.
AGENT = "trap '' HUP\necho $$ >$B/{name}.pid\nexec $B/claude 3600\n"


@dataclass(frozen=True)
class Program:
    """What a pane runs below its shell, the program that it needs, and the kind of what it leaves."""

    command: str
    needs: str
    kind: LeakKind


PROGRAMS = {
    "script": Program("script -qec 'sh $B/script.sh' /dev/null", "script", LeakKind.AGENT),
    "expect": Program(
        "expect -c 'set timeout -1; trap SIG_IGN HUP; spawn sh $env(B)/expect.sh; expect eof'",
        "expect",
        LeakKind.AGENT,
    ),
    "unbuffer": Program("unbuffer sh $B/unbuffer.sh", "unbuffer", LeakKind.AGENT),
    "pty": Program(
        "python3 -c 'import pty; pty.spawn([\"sh\", \"'$B'/pty.sh\"])'", "python3", LeakKind.AGENT
    ),
    "redis": Program(
        "redis-server --port 0 --unixsocket $B/redis --save '' & echo $! >$B/redis.pid; wait",
        "redis-server",
        LeakKind.SHELL_JOB,
    ),
    # It refuses to run as root: then it is another user's.
    "postgres": Program(
        "$AS initdb -D $B/data --auth=trust --no-sync >$B/initdb 2>&1\n"
        "$AS postgres -D $B/data -k $B/data -c listen_addresses= & echo $! >$B/postgres.pid; wait",
        "postgres",
        LeakKind.SHELL_JOB,
    ),
}
WAYS = {
    "kill-pane": (),
    "kill-window": ("kill-window", "-t", "work:0"),
    "kill-session": ("kill-session", "-t", "work"),
    "kill-server": ("kill-server",),
}


@pytest.fixture
def scene() -> Iterator[Scene]:
    with own_sockets() as (sockets, _), closing(Scene(sockets.parent, sockets)) as made:
        yield made


@pytest.mark.parametrize("way", WAYS)
def test_programs_that_outlive_their_pane_are_leaks_of_its_session(scene: Scene, way: str) -> None:
    for program in PROGRAMS.values():
        path = f"{os.environ['PATH']}:{POSTGRES}"
        assert shutil.which(program.needs, path=path), f"{program.needs} is missing: run deploy/setup check"
    base, uid = scene.base, os.getuid()
    become = "setpriv --reuid=65534 --regid=65534 --clear-groups" if uid == 0 else ""
    base.chmod(0o755)
    (base / "data").mkdir(mode=0o700)
    if uid == 0:
        os.chown(base / "data", 65534, 65534)
    shutil.copy(shutil.which("sleep") or "/bin/sleep", base / "claude")
    server = scene.start()
    panes: list[str] = []
    for name, program in PROGRAMS.items():
        (base / f"{name}.sh").write_text(f"B={base}\n" + AGENT.format(name=name))
        command = scene.script(
            f"export B\nAS='{become}'\nPATH=$PATH:{POSTGRES}\ntrap '' HUP\n{program.command}\n"
        )
        new = ("split-window", "-d", "-t", "work:0") if panes else ("new-session", "-d", "-s", "work")
        panes.append(scene.tmux(*new, "-P", "-F", "#{pane_id}", command))
        scene.tmux("select-layout", "-t", "work:0", "tiled")
    pids = {name: scene.pid(f"{name}.pid") for name in PROGRAMS}
    sampler = sampler_of(
        ProcReader(uid=uid, clock=scene.clock),
        scene.source,
        clock=scene.clock,
        leak_details=LeakDetailReader(clock=scene.clock),
    )
    agents = {name for name, program in PROGRAMS.items() if program.kind is LeakKind.AGENT}

    def all_run() -> bool:
        scene.clock.advance(5.0)
        return len({each.pane for each in sampler.sample().agents if each.up}) == len(agents)

    wait_for(all_run, "the agents run")
    for pane in panes if way == "kill-pane" else ():
        scene.tmux("kill-pane", "-t", pane)
    if WAYS[way]:
        scene.tmux(*WAYS[way])
        wait_for(lambda: way != "kill-server" or is_gone(server.pid), "the server ends")
    assert not [name for name, pid in pids.items() if is_gone(pid)]
    reports = []
    for _ in range(2):
        scene.clock.advance(5.0)
        reports.append(sampler.sample())
    found = {each.process.pid: (each.kind, each.session) for each in reports[-1].leaks}
    assert {name: found.get(pid) for name, pid in pids.items()} == {
        name: (program.kind, "work") for name, program in PROGRAMS.items()
    }
