"""A real leaked process of a pane that nobody saw: its working folder names the session, and never more."""

import os
from pathlib import Path

from tests.support.scenes.scene import Scene
from tests.support.scenes.scene_watch import SceneWatch
from tests.support.wait import wait_for

SPAWN = """(
cd "{folder}"
export TMUX="${{TMUX%,*}},9999" TMUX_PANE=%9999
quiet() {{ "$@" </dev/null >/dev/null 2>&1; }}
quiet setsid -f sh -c 'echo $$ >"$0"; exec sleep 3000' {base}/left.pid
unset TMUX TMUX_PANE
quiet setsid -f sh -c 'echo $$ >"$0"; exec sleep 3000' {base}/by_hand.pid
)"""
"""One names a pane of a session that had ended before the first look, the other one names none."""


def test_the_folder_of_a_session_that_has_ended_names_it(scene: Scene) -> None:
    worktree = scene.base / "worktrees" / "login"
    (worktree / "web").mkdir(parents=True)
    scene.start()
    pane = scene.tmux(
        "new-session", "-dPF", "#{pane_id}", "-s", "login", "-c", str(worktree), "sleep 3000"
    ).strip()
    watch = SceneWatch(scene)
    root = scene.root(pane)
    wait_for(lambda: os.readlink(f"/proc/{root}/cwd") == str(worktree), "the pane is in its folder", 60)
    watch.sample()

    scene.shell(SPAWN.format(folder=worktree / "web", base=scene.base), "-t", "main:")
    left, by_hand = scene.pid("left.pid"), scene.pid("by_hand.pid")
    # Its worktree is removed with it; who worked there is remembered.
    scene.tmux("kill-session", "-t", "=login")
    wait_for(lambda: not Path(f"/proc/{root}").exists(), "the pane's process is reaped", 60)
    (worktree / "web").rmdir()
    for _ in range(3):
        watch.sample()

    leaks = watch.leaks()
    assert leaks[left].session == "login"
    assert leaks[left].by_folder
    assert "its working folder is deleted" in leaks[left].reason
    assert str(worktree) not in leaks[left].reason
    assert by_hand not in leaks
