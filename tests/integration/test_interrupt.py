"""Ctrl-C at any moment of any command: no traceback, 130, nothing left."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.fixtures import StartTmux
from tests.support.programs.interrupted import INTERRUPTED, Ended, interrupted
from tests.support.wait import wait_for

_LISTEN = ("--web.listen-address", "127.0.0.1:0")
ONE_SHOT = (
    ("tmux-exporter", "once"), ("tmux-exporter", "explain", "%0"), ("tmux-exporter", "schedulers"),
    ("tmux-exporter", "leaks"), ("tmux-exporter", "top", "--once"), ("tmux-exporter", "doctor"),
    ("tmux-remediator", "plan"), ("tmux-remediator", "explain", "%0"),
)  # fmt: skip
MOMENTS = tuple(0.02 * 1.22**step for step in range(24))
"""Seconds from 0.02 to 2, closer together at the beginning."""


@pytest.fixture
def scene(socket_dir: Path, tmp_path: Path, tmux_server: StartTmux) -> dict[str, str]:
    """The environment of a command that sees one tmux server of the test's own."""
    tmux_server("fleet")
    names = ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")
    quiet = {"TMUX_TMPDIR": str(socket_dir.parent), "INTERRUPTED": str(tmp_path)}
    return {**dict.fromkeys(names, str(tmp_path)), **quiet}


def is_clean(ended: Ended) -> None:
    """No word but the blank line behind `^C`, and 130."""
    assert ended.status in INTERRUPTED, ended
    assert ended.stderr.strip() == ""


def left_by(scene: dict[str, str]) -> list[psutil.Process]:
    """Living processes that a command of this scene has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("INTERRUPTED") == scene["INTERRUPTED"]:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("command", ONE_SHOT, ids=" ".join)
def test_an_interrupted_import_leaves_no_traceback(scene: dict[str, str], command: tuple[str, ...]) -> None:
    for number in (2, 40, 120):
        is_clean(interrupted(command, scene, at_import=number))


def test_no_moment_of_a_command_ends_in_a_traceback(scene: dict[str, str]) -> None:
    statuses = []
    for number, seconds in enumerate(MOMENTS):
        ended = interrupted(ONE_SHOT[number % len(ONE_SHOT)], scene, seconds=seconds)
        statuses.append(ended.status)
        # Some have ended before, with 0, or 1 where they found something; some have said what they found.
        assert ended.status in {0, 1, *INTERRUPTED}, ended
        assert "Traceback" not in ended.stderr
        assert "ignored" not in ended.stderr
    assert sum(status in INTERRUPTED for status in statuses) >= len(MOMENTS) // 3, statuses
    assert left_by(scene) == []


@pytest.mark.parametrize("seconds", [0.02, 0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    "command",
    [("tmux-exporter", "serve", *_LISTEN), ("tmux-exporter", "up", *_LISTEN), ("tmux-remediator", "run")],
    ids=" ".join,
)
def test_a_service_leaves_nothing_whenever_it_is_interrupted(
    scene: dict[str, str], command: tuple[str, ...], seconds: float
) -> None:
    ended = interrupted(command, scene, seconds=seconds)
    # From the moment that it serves, a service ends well.
    assert ended.status in {0, *INTERRUPTED}, ended
    assert "Traceback" not in ended.stderr
    assert "ignored" not in ended.stderr
    wait_for(lambda: not left_by(scene), f"nothing is left: {left_by(scene)}", 20)


DROPPED = """
    thing = Thing()
    kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
"""
WRAPPED = """
    class Holder:
        thing = Thing()
"""


@pytest.mark.parametrize("moment", [DROPPED, WRAPPED], ids=["a callback", "a class being made"])
def test_an_interrupt_that_python_would_drop_or_wrap_ends_the_program(moment: str) -> None:
    program = f"""
import os, signal, weakref
from tmux_exporter.cli import main as entry

class Thing:
    def __set_name__(self, *_):
        os.kill(os.getpid(), signal.SIGINT)

def command():
{moment.strip(chr(10))}
    signal.pause()

entry._exporter = command
entry.main()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (130, b"")
