"""schedule_with_note.sh of Tmux-Orchestrator, written again from its description, in all that it produces."""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes.started import end_process
from tests.support.scenes.scene import Scene
from tests.support.scenes.scene_watch import SceneWatch
from tests.support.tmux.fake import make_tmux
from tests.support.wait import wait_for
from tmux_exporter.facts.report import SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerRemark, SchedulerState

MANY = 30.0

# What it does, its mistakes included: a fixed note file of another machine, bash's own variable SECONDS, bc
# that may be missing, a target without quotes.
SCRIPT = r"""#!/bin/bash
MINUTES=${1:-3}
NOTE=${2:-"Standard check-in"}
TARGET=${3:-"tmux-orc:0"}
echo "=== Next Check Note ($(date)) ===" > /Users/jasonedward/Coding/Tmux-Orchestrator/next_check_note.txt
echo "Scheduled for: $MINUTES minutes" >> /Users/jasonedward/Coding/Tmux-Orchestrator/next_check_note.txt
echo "Scheduling check in $MINUTES minutes with note: $NOTE"
SECONDS=$(echo "$MINUTES * 60" | bc)
$SLOWLY
nohup bash -c "sleep $SECONDS && tmux send-keys -t $TARGET 'Time for orchestrator check! cat \
/Users/jasonedward/Coding/Tmux-Orchestrator/next_check_note.txt && python3 claude_control.py \
status detailed' && sleep 1 && tmux send-keys -t $TARGET Enter" > /dev/null 2>&1 &
SCHEDULE_PID=$!
echo "Scheduled successfully - process detached (PID: $SCHEDULE_PID)"
"""
# bc as it answers to `MINUTES * 60`: with the digits that its operand has.
BC = r"""#!/bin/sh
read minutes star sixty
case $minutes in
    *.*) awk "BEGIN { printf \"%.1f\\n\", $minutes * 60 }" ;;
    *[!0-9]*) echo "(standard_in) 1: syntax error" >&2 ;;
    *) echo $((minutes * 60)) ;;
esac
"""
# Where its keys would go: it waits in its place, so that one that fires at once can be looked at.
SEND_KEYS = "read forever <{programs}/tmux.fifo"

Schedule = Callable[..., int]


@pytest.fixture
def schedule(scene: Scene) -> Schedule:
    """Run the script in a pane; the pid that it tells."""

    def run(*arguments: str, bc: bool = True, slowly: bool = False) -> int:
        programs = scene.base / "bin"
        programs.mkdir()
        for name in ("bash", "sh", "sleep", "nohup", "date", "awk", "cat", "id"):
            (programs / name).symlink_to(shutil.which(name) or name)
        os.mkfifo(programs / "tmux.fifo")
        make_tmux(programs, SEND_KEYS.format(programs=programs))
        if bc:
            (programs / "bc").write_text(BC)
            (programs / "bc").chmod(0o755)
        script = scene.base / "schedule_with_note.sh"
        script.write_text(SCRIPT)
        words = shlex.join(arguments)
        slow = "SLOWLY='sleep 2'" if slowly else "SLOWLY="
        scene.shell(f"{slow} PATH={programs} bash {script} {words} >$B/told 2>&1", "-t", "main:")
        told = scene.base / "told"
        told_pid = wait_for(
            lambda: re.search(r"PID: (\d+)", told.read_text()) if told.exists() else None, "it tells", MANY
        )
        return int(told_pid[1])

    return run


@pytest.fixture
def watch(scene: Scene) -> SceneWatch:
    scene.start()
    scene.tmux("new-session", "-d", "-s", "tmux-orc", "sleep 3600")
    scene.tmux("new-session", "-d", "-s", "task-templates", "sleep 3600")
    return SceneWatch(scene)


def seen(watch: SceneWatch, pid: int, state: SchedulerState, *, remarked: bool = False) -> SchedulerReport:
    """The scheduler once it is in this state, and something is remarked where that is asked for."""

    def found() -> SchedulerReport | None:
        each = next((one for one in watch.sample().schedulers if one.process.pid == pid), None)
        if each is None or each.state is not state or (remarked and not each.remarks):
            return None
        return each

    return wait_for(found, f"{pid} is {state}", MANY)


def sleeps(scheduler: SchedulerReport) -> str:
    assert scheduler.sleep is not None
    return Path(f"/proc/{scheduler.sleep.pid}/cmdline").read_bytes().decode().split("\0")[1]


@pytest.mark.parametrize(
    ("arguments", "target", "asked"),
    [
        (("30", "a note", "task-templates:0"), "task-templates:0", 1800),
        (("5",), "tmux-orc:0", 300),
        ((), "tmux-orc:0", 180),
        (("1440", "it's; $(a) `b`", "task-templates:0.0"), "task-templates:0.0", 86_400),
    ],
)
def test_whole_minutes_are_armed(
    watch: SceneWatch, schedule: Schedule, arguments: tuple[str, ...], target: str, asked: int
) -> None:
    it = seen(watch, schedule(*arguments), SchedulerState.ARMED)
    assert it.targets == (target,)
    assert (it.server, it.session) == ("default", target.partition(":")[0])
    # SECONDS counts on, so a slow machine asks for a little more.
    assert asked <= int(sleeps(it)) <= asked + 5
    assert it.due_timestamp_seconds is not None
    assert SchedulerRemark.FIRES_AT_ONCE not in it.remarks


def test_the_variable_that_counts_on(watch: SceneWatch, schedule: Schedule) -> None:
    it = seen(watch, schedule("30", slowly=True), SchedulerState.ARMED)
    assert 1802 <= int(sleeps(it)) <= 1810


@pytest.mark.parametrize(
    ("minutes", "bc"),
    [("0.1", True), ("1.5", True), ("30", False), ("0.5", False), ("soon", True), ("0", True)],
)
def test_fractions_without_bc_fire_at_once(
    watch: SceneWatch, schedule: Schedule, minutes: str, bc: bool
) -> None:
    it = seen(watch, schedule(minutes, bc=bc), SchedulerState.FIRING, remarked=True)
    assert it.targets == ("tmux-orc:0",)
    assert it.remarks[0] is SchedulerRemark.FIRES_AT_ONCE


@pytest.mark.parametrize(
    ("target", "state"),
    [
        ("task-templates:7", SchedulerState.DANGLING),
        ("task:0", SchedulerState.MISDIRECTED),
        ("nobody:0", SchedulerState.DANGLING),
        ("task-templates", SchedulerState.UNKNOWN),
        # Not quoted in the script, so only the first word is its target.
        ("task templates:0", SchedulerState.UNKNOWN),
    ],
)
def test_what_becomes_of_its_target(
    watch: SceneWatch, schedule: Schedule, target: str, state: SchedulerState
) -> None:
    assert seen(watch, schedule("30", "note", target), state).targets == (target.partition(" ")[0],)


def test_one_per_orchestrator_is_a_duplicate(scene: Scene, watch: SceneWatch, schedule: Schedule) -> None:
    first = schedule("30")
    seen(watch, first, SchedulerState.ARMED)
    (scene.base / "told").rename(scene.base / "told-first")
    again = f"SLOWLY= PATH={scene.base}/bin bash {scene.base}/schedule_with_note.sh 30 >$B/told 2>&1"
    scene.shell(again, "-t", "main:")
    told = scene.base / "told"
    second = wait_for(
        lambda: re.search(r"PID: (\d+)", told.read_text()) if told.exists() else None, "it tells", MANY
    )
    seen(watch, first, SchedulerState.DUPLICATE)
    seen(watch, int(second[1]), SchedulerState.ARMED)
    # Its shell first: the script joins with &&, and nothing may be sent.
    end_process(int(second[1]))
    seen(watch, first, SchedulerState.ARMED)
