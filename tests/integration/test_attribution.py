"""Attribution of real processes in real tmux servers."""

import os
import shutil
import signal
from pathlib import Path

from tests.support.processes.started import is_gone
from tests.support.scenes.scene import Scene, key
from tests.support.wait import wait_for
from tmux_exporter.facts.owner import Evidence, OwnerKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey

SCHEDULE = 'nohup bash -c "sleep 300 && tmux send-keys -t main:9 hello" >/dev/null 2>&1 &\n'
"""What Tmux-Orchestrator's script does: it returns at once, and its child is an orphan."""


def seen(scene: Scene, pid: int) -> tuple[OwnerKind, Evidence, PaneKey | None]:
    owner = scene.owner(pid)
    assert owner is not None, f"process {pid} has no owner"
    return owner.kind, owner.evidence, owner.pane


def await_exec(scene: Scene, pid: int) -> None:
    """Wait until a shell has become its sleep: during its exec it has the name, and no environment yet."""

    def sleeps() -> bool:
        process = scene.read().processes[pid]
        return process.comm == "sleep" and bool(process.environ)

    wait_for(sleeps, f"{pid} sleeps")


def server_of(scene: Scene, pid: int) -> ProcessId | None:
    owner = scene.owner(pid)
    return owner.server if owner and owner.kind is OwnerKind.SERVER else None


def look_again(scene: Scene) -> bool:
    """Take a sample; whether the only server answered."""
    scene.look()
    (view,) = scene.view.servers
    return view.up


def is_held(scene: Scene) -> bool:
    """Whether the only server's last listing is still held."""
    (view,) = scene.view.servers
    return view.listing is not None


def test_a_schedulers_orphan_is_its_panes_by_kernel_session_and_then_leaked(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell(scene.script(f"{SCHEDULE}echo $! >$B/shell.pid"))
    shell, root = scene.pid("shell.pid"), scene.root(pane)
    scene.look_until(shell, root)
    assert scene.process(shell).ppid != root
    wait_for(lambda: Path(f"/proc/{shell}/task/{shell}/children").read_text(), "its sleep runs")
    scene.look()
    sleep = scene.child(shell)
    expected = (OwnerKind.PANE, Evidence.KERNEL_SESSION, key(server, pane))
    assert seen(scene, shell) == seen(scene, sleep) == expected
    assert seen(scene, root) == (OwnerKind.PANE, Evidence.TREE, key(server, pane))

    scene.tmux("kill-pane", "-t", pane)
    wait_for(lambda: not Path(f"/proc/{root}").exists(), "the pane's process is reaped")
    scene.look()
    leaked = (OwnerKind.LEAKED, Evidence.ENVIRONMENT, key(server, pane))
    assert seen(scene, shell) == seen(scene, sleep) == leaked


def test_a_child_with_a_session_of_its_own_is_its_panes_by_environment(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell("setsid -f sh -c 'echo $$ >'$B'/child.pid; exec sleep 300'")
    child = scene.pid("child.pid")
    await_exec(scene, child)
    scene.look_until(child, scene.root(pane))
    assert seen(scene, child) == (OwnerKind.PANE, Evidence.ENVIRONMENT, key(server, pane))

    scene.tmux("kill-pane", "-t", pane)
    scene.look()
    assert seen(scene, child) == (OwnerKind.LEAKED, Evidence.ENVIRONMENT, key(server, pane))


def test_a_child_without_an_environment_is_remembered(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell(
        scene.script(
            "mkfifo $B/fifo\n"
            "env -i setsid sh -c 'echo $$ >'$B'/child.pid; exec sleep 300' &\n"
            "echo $$ >$B/parent.pid\nread line <$B/fifo"
        )
    )
    child, parent = scene.pid("child.pid"), scene.pid("parent.pid")
    wait_for(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", "the child sleeps")
    scene.look()
    assert scene.process(child).ppid == parent
    assert not scene.process(child).environ
    assert seen(scene, child) == (OwnerKind.PANE, Evidence.TREE, key(server, pane))

    (scene.base / "fifo").write_text("go\n")
    scene.look_until(child, parent)
    assert seen(scene, child) == (OwnerKind.PANE, Evidence.MEMORY, key(server, pane))

    scene.tmux("kill-pane", "-t", pane)
    scene.look()
    assert seen(scene, child) == (OwnerKind.LEAKED, Evidence.MEMORY, key(server, pane))


def test_twice_forked_is_still_in_the_panes_kernel_session(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell("( ( exec env -i sh -c 'echo $$ >'$B'/child.pid; exec sleep 300' ) & )")
    child = scene.pid("child.pid")
    scene.look_until(child, scene.root(pane))
    assert seen(scene, child) == (OwnerKind.PANE, Evidence.KERNEL_SESSION, key(server, pane))


def test_who_ignores_the_hangup_of_kill_pane_is_leaked_below_its_server(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell("trap '' HUP; sleep 300 & echo $! >$B/child.pid")
    root, child = scene.root(pane), scene.pid("child.pid")
    wait_for(lambda: Path(f"/proc/{root}/comm").read_text() == "sleep\n", "the script is done")
    scene.tmux("kill-pane", "-t", pane)
    scene.look()
    assert scene.process(root).ppid == server.pid
    leaked = (OwnerKind.LEAKED, Evidence.ENVIRONMENT, key(server, pane))
    assert seen(scene, root) == seen(scene, child) == leaked


def running_sleeps(scene: Scene) -> set[tuple[str, ...]]:
    return {each.argv or () for each in scene.read().processes.values() if each.comm == "sleep"}


def test_a_server_inside_a_pane_and_all_of_its_own_are_not_the_panes(scene: Scene) -> None:
    outer = scene.start()
    inner_sleep = "sh -c 'echo $$ >'$B'/inner.pid; exec sleep 300'"
    pane = scene.shell(
        f'T="tmux -f /dev/null -S {scene.base}/inner"\n'
        f'$T new-session -d "{scene.script(inner_sleep)} & wait"\n'
        '$T run-shell -b "exec sleep 301"\n'
        "$T run-shell -b \"setsid -f sh -c 'echo \\$\\$ >$B/orphan.pid; exec sleep 302'\"\n"
        '$T pipe-pane "exec sleep 303"\n'
        "echo done >$B/done\n"
    )
    inner_child, orphan = scene.pid("inner.pid"), scene.pid("orphan.pid")
    wait_for((scene.base / "done").exists, "the inner server has all it was told")
    # Its jobs are shells until they have become what they run.
    wait_for(lambda: {("sleep", "301"), ("sleep", "303")} <= running_sleeps(scene), "its jobs run")
    scene.look()
    assert seen(scene, scene.root(pane)) == (OwnerKind.PANE, Evidence.TREE, key(outer, pane))
    (inner,) = [view.process for view in scene.view.servers if view.socket == f"{scene.base}/inner"]
    assert inner is not None
    # As tmux does it: the server and its jobs still carry the outer pane's id.
    assert (scene.process(inner.pid).environ or {})["TMUX_PANE"] == pane
    assert server_of(scene, inner.pid) == inner
    assert seen(scene, inner_child) == (OwnerKind.PANE, Evidence.TREE, key(inner, "%0"))
    sleeps = {each.argv: each for each in scene.table.processes.values() if each.comm == "sleep"}
    for argument in ("301", "303"):
        job = sleeps[("sleep", argument)]
        assert server_of(scene, job.id.pid) == inner
        assert job.session_id == inner.pid
    assert sleeps[("sleep", "302")].id.pid == orphan
    assert scene.owner(orphan) is None or seen(scene, orphan)[0] is not OwnerKind.LEAKED

    scene.tmux("kill-pane", "-t", pane)
    scene.look()
    assert server_of(scene, inner.pid) == inner
    assert seen(scene, inner_child) == (OwnerKind.PANE, Evidence.TREE, key(inner, "%0"))


def test_an_orphaned_job_of_a_server_is_the_servers(scene: Scene) -> None:
    server = scene.start()
    script = scene.script(
        "setsid -f sh -c 'echo $$ >'$B'/far.pid; exec sleep 300'\n"
        "echo $$ >$B/job.pid\nsleep 300 &\necho $! >$B/near.pid"
    )
    scene.tmux("run-shell", "-b", f"{script} >/dev/null 2>&1")
    far, near = scene.pid("far.pid"), scene.pid("near.pid")
    scene.look_until(near, scene.pid("job.pid"))
    assert seen(scene, far) == (OwnerKind.SERVER, Evidence.ENVIRONMENT, None)
    assert seen(scene, near) == (OwnerKind.SERVER, Evidence.KERNEL_SESSION, None)
    assert server_of(scene, far) == server_of(scene, near) == server


def test_a_pane_that_moves_keeps_its_processes(scene: Scene) -> None:
    server = scene.start()
    scene.tmux("new-session", "-d", "-s", "other", "sleep 3600")
    pane = scene.shell(
        f"{SCHEDULE}echo $! >$B/shell.pid\nsetsid -f sh -c 'echo $$ >'$B'/far.pid; exec sleep 300'",
        "-t",
        "main:",
    )
    shell, far = scene.pid("shell.pid"), scene.pid("far.pid")
    scene.look()
    scene.tmux("join-pane", "-d", "-s", pane, "-t", "other:")
    scene.look()
    (listing,) = [view.listing for view in scene.view.servers if view.listing]
    session = {each.id: each.session_id for each in listing.panes}[pane]
    assert {each.id: each.name for each in listing.sessions}[session] == "other"
    for pid in (scene.root(pane), shell, far):
        assert seen(scene, pid)[::2] == (OwnerKind.PANE, key(server, pane))


def test_a_forged_environment_owns_nothing(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell(":")
    for name, pid in (("dead", 2**22 - 1), ("no-server", os.getpid())):
        scene.tmux(
            "run-shell",
            "-b",
            f"TMUX={scene.base}/x,{pid},0 TMUX_PANE={pane} setsid -f "
            + scene.script(f"echo $$ >$B/{name}.pid; exec sleep 300")
            + " >/dev/null 2>&1",
        )
    pids = [scene.pid(f"{name}.pid") for name in ("dead", "no-server")]
    # Who is seen below the server once is remembered as its job.
    for pid in pids:
        scene.wait_until(pid, server.pid)
    scene.look()
    for pid in pids:
        assert seen(scene, pid) == (OwnerKind.OTHER, Evidence.NONE, None)


def test_a_client_that_nobody_watches_is_never_leaked(scene: Scene) -> None:
    scene.start()
    pane = scene.shell(
        "mkfifo $B/in\n"
        "setsid -f sh -c 'echo $$ >'$B'/client.pid; exec tmux -C attach -t main <>'$B'/in >/dev/null'"
    )
    client = scene.pid("client.pid")
    wait_for(lambda: Path(f"/proc/{client}/comm").read_text() == "tmux: client\n", "the client is attached")
    scene.look()
    assert seen(scene, client)[:2] == (OwnerKind.PANE, Evidence.ENVIRONMENT)
    scene.tmux("kill-pane", "-t", pane)
    scene.look()
    assert seen(scene, client)[0] is OwnerKind.OTHER


def test_a_dead_pane_that_is_still_there_keeps_its_members(scene: Scene) -> None:
    server = scene.start()
    scene.tmux("set-option", "-g", "remain-on-exit", "on")
    pane = scene.tmux(
        "new-window",
        "-d",
        "-P",
        "-F",
        "#{pane_id}",
        scene.script("trap '' HUP; sleep 300 & echo $! >$B/child.pid"),
    )
    child = scene.pid("child.pid")
    wait_for(
        lambda: scene.tmux("display-message", "-p", "-t", pane, "#{pane_dead}") == "1", "the pane is dead"
    )
    scene.look()
    assert seen(scene, child) == (OwnerKind.PANE, Evidence.ENVIRONMENT, key(server, pane))


def test_a_pane_that_starts_another_program_keeps_what_the_old_one_left(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell(f"{SCHEDULE}echo $! >$B/shell.pid")
    shell, root = scene.pid("shell.pid"), scene.root(pane)
    scene.tmux("respawn-pane", "-k", "-t", pane, "sleep 3600")
    wait_for(lambda: not Path(f"/proc/{root}").exists(), "the old process is reaped")
    scene.look()
    assert seen(scene, shell) == (OwnerKind.PANE, Evidence.ENVIRONMENT, key(server, pane))


def test_while_a_server_hangs_nothing_of_it_is_gone(scene: Scene) -> None:
    server = scene.start()
    pane = scene.shell(
        "mkfifo $B/fifo\nread line <$B/fifo\nsetsid -f sh -c 'echo $$ >'$B'/late.pid; exec sleep 300'"
    )
    root = scene.root(pane)
    scene.look()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        (scene.base / "fifo").write_text("go\n")
        late = scene.pid("late.pid")
        assert not look_again(scene)
        assert is_held(scene)
        assert seen(scene, root) == (OwnerKind.PANE, Evidence.TREE, key(server, pane))
        assert seen(scene, late) == (OwnerKind.PANE, Evidence.ENVIRONMENT, key(server, pane))
        scene.clock.advance(60.0)
        assert not look_again(scene)
        assert not is_held(scene)
        assert seen(scene, root) == seen(scene, late) == (OwnerKind.PANE, Evidence.MEMORY, key(server, pane))
        scene.owners = {}
        scene.look()
        assert seen(scene, root) == seen(scene, late) == (OwnerKind.OTHER, Evidence.ENVIRONMENT, None)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    scene.clock.advance(60.0)
    wait_for(lambda: look_again(scene), "the server answers again")
    assert seen(scene, root) == (OwnerKind.PANE, Evidence.TREE, key(server, pane))
    assert seen(scene, late) == (OwnerKind.PANE, Evidence.ENVIRONMENT, key(server, pane))


def test_what_outlived_its_server_is_not_the_next_servers(scene: Scene) -> None:
    old = scene.start()
    pane = scene.shell(f"{SCHEDULE}echo $! >$B/shell.pid")
    shell = scene.pid("shell.pid")
    scene.look()
    os.kill(old.pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{old.pid}").exists(), "the server is reaped")
    new = scene.start()
    assert scene.shell(":") == pane
    scene.look()
    assert new != old
    assert seen(scene, shell) == (OwnerKind.LEAKED, Evidence.MEMORY, key(old, pane))
    # Without a memory nobody can say whose it was: its server is no more, and proves nothing.
    scene.owners = {}
    scene.look()
    assert seen(scene, shell) == (OwnerKind.OTHER, Evidence.NONE, None)


AGENT = """unset TMUX TMUX_PANE
export CODEX_THREAD_ID=01234567-89ab-cdef-0123-456789abcdef
sleep 300 &
echo $! >$1/tool.pid
setsid -f sh -c 'echo $$ >"$0"; exec sleep 300' $1/orphan.pid </dev/null >/dev/null 2>&1
echo $$ >$1/agent.pid
wait
"""
"""An agent: what it leaves has its marker, and no variable of tmux."""


def test_what_an_agent_left_without_tmux_is_tied_by_the_agents_marker(scene: Scene) -> None:
    server = scene.start()
    shutil.copy(os.path.realpath(shutil.which("sh") or ""), scene.base / "codex")
    (scene.base / "agent.sh").write_text(AGENT)
    pane = scene.shell("$B/codex $B/agent.sh $B &")
    agent, tool, orphan = scene.pid("agent.pid"), scene.pid("tool.pid"), scene.pid("orphan.pid")
    await_exec(scene, orphan)
    scene.look()
    assert "TMUX" not in (scene.process(orphan).environ or {})
    assert seen(scene, tool) == (OwnerKind.PANE, Evidence.TREE, key(server, pane))
    assert seen(scene, orphan) == (OwnerKind.PANE, Evidence.AGENT_MARKER, key(server, pane))

    scene.tmux("kill-pane", "-t", pane)
    wait_for(lambda: is_gone(agent) and is_gone(tool), "the agent has ended", 30)
    scene.look()
    assert seen(scene, orphan) == (OwnerKind.LEAKED, Evidence.AGENT_MARKER, key(server, pane))
