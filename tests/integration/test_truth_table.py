"""The truth table: real schedulers and jobs on real tmux servers, while what they depend on comes and goes.

One row for each, one column for each deed; every cell is what the exporter must say after that deed.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.support.processes.started import end_process
from tests.support.scenes.scene import Scene
from tests.support.scenes.scene_watch import SceneWatch
from tests.support.wait import wait_for
from tests.support.zoo import programs
from tmux_exporter.analysis.leaks.exemptions import _MARKERS
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.sources.tmux import socket_files

MANY = 30.0

DEEDS = (
    "all is there", "the window that scheduled it is killed", "the target's window is moved",
    "another window takes its index", "the target's session is renamed", "and renamed once more",
    "it gets its name back", "it is killed", "the server is killed", "and started again on its path",
)  # fmt: skip

A, G, D, M, S, T = (
    SchedulerState.ARMED,
    SchedulerState.ARMED_ORIGIN_GONE,
    SchedulerState.DANGLING,
    SchedulerState.MISDIRECTED,
    SchedulerState.SERVERLESS,
    SchedulerState.STALE_GENERATION,
)
BY_INDEX = (A, G, D, G, M, D, G, D, S, T)


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One row: a line of shell, the server on which it is run, and the state after each deed.

    In it `$P` is the pane `work:api` and `$S` the folder of the sockets. `spawn NAME` starts a command in a
    kernel session of its own, `keep NAME` in that of its pane, deaf to the hangup.
    """

    line: str
    states: tuple[SchedulerState, ...]
    at: str = "default"


def always(state: SchedulerState) -> tuple[SchedulerState, ...]:
    return (state,) * len(DEEDS)


def to(target: str, text: str, *, tmux: str = "tmux") -> str:
    """What the script of Tmux-Orchestrator runs, three hours ahead."""
    send = f"{tmux} send-keys -t {target}"
    return f"bash -c \"sleep 3h && {send} '{text}' && sleep 1 && {send} Enter\""


# Which of the two is older is told by the starts of their sleeps, in ticks of 10 ms.
AFTER_ITS_TWIN = (
    "until p=$(cat $B/older_twin.pid 2>&1) && c=$(cat /proc/$p/task/$p/children 2>&1) "
    "&& grep -q sleep /proc/${c% }/comm 2>/dev/null; do sleep 0.02; done; sleep 0.05"
)

CHECK_INS: Mapping[str, CheckIn] = {
    "by_index": CheckIn(f"keep by_index {to('work:1', 'a')}", BY_INDEX),
    "by_name": CheckIn(f"keep by_name {to('work:api', 'b')}", (A, G, G, G, M, D, G, D, S, T)),
    "by_pane": CheckIn(f"keep by_pane {to('$P', 'c')}", (A, G, G, G, G, G, G, D, S, T)),
    "exact": CheckIn(f"keep exact {to('=work:1', 'd')}", (A, G, D, G, D, D, G, D, S, T)),
    "session_of_its_own": CheckIn(f"spawn session_of_its_own {to('work:1', 'e')}", BY_INDEX),
    "forked_twice": CheckIn(f"( ( keep forked_twice {to('work:1', 'f')} ) & )", BY_INDEX),
    "of_dash": CheckIn("keep of_dash dash -c 'sleep 3h; tmux send-keys -t work:1 g Enter'", BY_INDEX),
    "no_environment": CheckIn(
        line=f"keep no_environment env -i PATH=$PATH {to('work:1', 'h', tmux='tmux -S $S/default')}",
        # Nothing says that it meant the first of the two servers.
        states=(*BY_INDEX[:-1], G),
    ),
    "no_server": CheckIn(f"keep no_server env -i PATH=$PATH {to('work:1', 'i')}",
        always(SchedulerState.SERVERLESS)),
    "to_another": CheckIn(f"keep to_another {to('far:0', 'j', tmux='tmux -L other')}", (A, *(G,) * 9)),
    "on_another": CheckIn(f"keep on_another {to('far:0', 'k')}", always(A), at="other"),
    "in_a_nested_server": CheckIn(f"keep in_a_nested_server {to('deep:0', 'l')}", always(A), at="nested"),
    "to_a_hung_server": CheckIn(f"keep to_a_hung_server {to('main:0', 'm', tmux='tmux -L hung')}",
        always(SchedulerState.UNKNOWN)),
    "in_a_loop": CheckIn("keep in_a_loop bash -c 'while sleep 3h; do tmux send-keys -t work:1 Enter; done'",
        always(SchedulerState.OPAQUE)),
    "for_ever": CheckIn("keep for_ever bash -c 'sleep infinity; tmux send-keys -t far:0 Enter'",
        always(SchedulerState.IMMORTAL), at="other"),
    "between_sends": CheckIn("keep between_sends bash -c "
        "'sleep 0; tmux send-keys -t far:0 x; sleep 3h; tmux send-keys -t far:0 Enter'",
        always(SchedulerState.FIRING), at="other"),
    "late": CheckIn("keep late bash -c 'sleep 1800; tmux send-keys -t far:0 Enter'",
        always(SchedulerState.OVERDUE), at="other"),
    "older_twin": CheckIn(f"keep older_twin {to('far:0', 'twin')}", always(SchedulerState.DUPLICATE),
        at="other"),
    "younger_twin": CheckIn(f"{AFTER_ITS_TWIN}; keep younger_twin {to('far:0', 'twin')}", always(A),
        at="other"),
}  # fmt: skip

LATE_SECONDS = 1800 + 60


@pytest.fixture
def scene(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    base = socket_dir.parent
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(base / "none"))
    programs.make(base, [*(line for line, _ in JOBS.values()), "$B/bin/tmux-exporter"])
    made = Scene(base, socket_dir)
    yield made
    made.close()


def run(scene: Scene, head: str, lines: Mapping[str, str], server: str) -> tuple[str, dict[str, int]]:
    """Run the lines in a window of its own, behind a session `home`; that window's pane, and their pids."""
    script = "\n".join([head, *lines.values()])
    pane = scene.shell(script, "-t", "home:" if server == "default" else "main:", server=server)
    pids = {name: scene.pid(f"{name}.pid") for name in lines}
    # It writes its pid before it becomes its program, and has the environment of its pane until then.
    for name, pid in pids.items():
        wait_for(partial(is_program, pid), f"{name} has become its program", MANY)
    return pane, pids


def is_program(pid: int) -> bool:
    """Whether it is no longer the shell, nohup or env that starts it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() not in ("sh", "nohup", "env")
    except FileNotFoundError:
        return True


def kill_pane(scene: Scene, pane: str) -> None:
    root = scene.root(pane)
    scene.tmux("kill-pane", "-t", pane)
    wait_for(lambda: not Path(f"/proc/{root}").exists(), "the pane's process is reaped", MANY)


def test_every_state_after_every_deed(scene: Scene, socket_dir: Path) -> None:
    server, watch = scene.start(), SceneWatch(scene)
    for name in ("other", "hung"):
        scene.start(name)
    for name, place in (("home", "default"), ("work", "default"), ("far", "other")):
        scene.tmux("new-session", "-d", "-s", name, "sleep 3600", server=place)
    window = ("new-window", "-d", "-P", "-F", "#{pane_id}", "-t")
    target = scene.tmux(*window, "work:1", "-n", "api", "sleep 3600")
    nested = f"tmux -f /dev/null -S {socket_dir}/nested new-session -d -s main 'sleep 3600'"
    head = f"{programs.prologue(socket_dir, _MARKERS)}P={target}"
    pids: dict[str, int] = {}
    origin = ""
    for place in ("default", "nested", "other"):
        lines = {name: each.line for name, each in CHECK_INS.items() if each.at == place}
        if place == "nested":
            scene.tmux("new-session", "-d", "-s", "deep", "sleep 3600", server=place)
        # The nested server is started by a shell in the pane that is going to be killed.
        more = f"{head}\n{nested}" if place == "default" else head
        pane, found = run(scene, more, lines, place)
        origin = pane if place == "default" else origin
        pids.update(found)
    hung = int(scene.tmux("display-message", "-p", "#{pid}", server="hung"))
    scene.look()
    os.kill(hung, signal.SIGSTOP)
    scene.clock.advance(LATE_SECONDS)

    def shown() -> dict[str, SchedulerState | None]:
        states = watch.states()
        return {name: states.get(pid) for name, pid in pids.items()}

    def check(column: int) -> None:
        wanted = {name: each.states[column] for name, each in CHECK_INS.items()}
        seen: list[dict[str, SchedulerState | None]] = []

        def holds() -> bool:
            seen.append(shown())
            return seen[-1] == wanted

        try:
            wait_for(holds, DEEDS[column], MANY)
        except AssertionError:
            wrong = {
                name: (seen[-1][name], state) for name, state in wanted.items() if seen[-1][name] != state
            }
            raise AssertionError(f"{DEEDS[column]}: {wrong}") from None

    check(0)
    kill_pane(scene, origin)
    check(1)
    scene.tmux("move-window", "-d", "-s", "work:1", "-t", "work:7")
    check(2)
    scene.tmux("new-window", "-d", "-t", "work:1", "sleep 3600")
    check(3)
    scene.tmux("rename-session", "-t", "work", "work-two")
    check(4)
    scene.tmux("rename-session", "-t", "work-two", "other")
    check(5)
    scene.tmux("rename-session", "-t", "other", "work")
    check(6)
    scene.tmux("kill-session", "-t", "work")
    check(7)
    end_process(server.pid)
    check(8)
    scene.start()
    for name in ("home", "work"):
        scene.tmux("new-session", "-d", "-s", name, "sleep 3600")
    scene.tmux("new-window", "-d", "-t", "work:1", "-n", "api", "sleep 3600")
    check(9)


JOBS: Mapping[str, tuple[str, LeakKind | None]] = {
    "job": ("keep job sleep 3000", LeakKind.SHELL_JOB),
    "daemon": ("spawn daemon sleep 3000", LeakKind.OTHER),
    "forked_twice": ("( ( keep forked_twice sleep 3000 ) & )", LeakKind.SHELL_JOB),
    "no_environment": ("keep no_environment env -i sleep 3000", LeakKind.SHELL_JOB),
    # No look ever saw it below its pane, and nothing else ties it to one: not known is not leaked.
    "untied": ("spawn untied env -i sleep 3000", None),
    "script_file": ("spawn script_file bash $B/later.sh", LeakKind.SHELL_JOB),
    "agent": ("keep agent $B/sh/claude -c 'read x <$0' $B/never", LeakKind.AGENT),
    "agent_daemon": (
        "spawn agent_daemon $B/sh/codex -c 'read x <$1' app-server $B/never",
        LeakKind.AGENT_DAEMON,
    ),
    "mcp_server": ("spawn mcp_server $B/bin/mcp-server-git 3000", LeakKind.MCP_SERVER),
    "dev_server": ("spawn dev_server $PY $B/listen.py", LeakKind.DEV_SERVER),
}


def test_every_kind_keeps_its_owner_when_session_or_server_end(scene: Scene, socket_dir: Path) -> None:
    server, watch = scene.start(), SceneWatch(scene)
    scene.tmux("new-session", "-d", "-s", "home", "sleep 3600")
    head = programs.prologue(socket_dir, _MARKERS)
    origin, pids = run(scene, head, {name: line for name, (line, _) in JOBS.items()}, "default")

    def check(session: str) -> None:
        wanted = {
            name: (kind, "default", session, origin) for name, (_, kind) in JOBS.items() if kind and session
        }
        seen: list[object] = []

        def holds() -> bool:
            leaks = watch.leaks()
            found = {name: leaks[pid] for name, pid in pids.items() if pid in leaks}
            seen.append(
                {name: (leak.kind, leak.server, leak.session, leak.pane) for name, leak in found.items()}
            )
            return seen[-1] == wanted

        try:
            wait_for(holds, session, MANY)
        except AssertionError:
            raise AssertionError(f"{session}: {seen[-1]}") from None

    check("")
    kill_pane(scene, origin)
    check("home")
    scene.tmux("rename-session", "-t", "home", "den")
    check("den")
    scene.tmux("kill-session", "-t", "den")
    check("den")
    end_process(server.pid)
    check("den")
    # The new server's panes have the same ids, and a session of the first name.
    scene.start()
    scene.tmux("new-session", "-d", "-s", "home", "sleep 3600")
    check("den")
