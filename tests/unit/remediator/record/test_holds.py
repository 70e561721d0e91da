"""What people hold: kept over restarts and boots, believed only where it is whole, taken back again."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.remediator.orphans import WALL
from tmux_exporter.base.errors import CannotSeeError, UsageError
from tmux_exporter.base.paths import REMEDIATOR_HOLDS
from tmux_exporter.commands.views.hold import parse_target, parse_time, words
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.record.holds import EVERYTHING, Holds

UNTIL = WALL + 3600
NIGHTLY = Hold(until=UNTIL, server="default", session="nightly")
PROCESS = Hold(until=UNTIL, process=ProcessId(4711, 9_000))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def holds(folder: Path, boot: str = "this") -> Holds:
    return Holds(folder, uid=os.getuid(), boot=boot)


def test_what_is_held_is_read_back(folder: Path) -> None:
    assert holds(folder).read() == ()
    holds(folder).add(NIGHTLY, WALL)
    holds(folder).add(PROCESS, WALL)
    assert holds(folder).read() == (NIGHTLY, PROCESS)
    assert (folder / REMEDIATOR_HOLDS).stat().st_mode & 0o777 == 0o600


def test_to_hold_the_same_again_is_to_hold_it_for_another_time(folder: Path) -> None:
    longer = replace(NIGHTLY, until=UNTIL + 1)
    holds(folder).add(NIGHTLY, WALL)
    holds(folder).add(longer, WALL)
    assert holds(folder).read() == (longer,)


def test_what_is_released_is_no_longer_held(folder: Path) -> None:
    holds(folder).add(NIGHTLY, WALL)
    assert not holds(folder).release(PROCESS, WALL)
    assert holds(folder).release(replace(NIGHTLY, until=0.0), WALL)
    assert holds(folder).read() == ()


def test_what_has_run_out_is_dropped_when_the_file_is_written(folder: Path) -> None:
    holds(folder).add(NIGHTLY, WALL)
    holds(folder).add(PROCESS, UNTIL + 1)
    assert holds(folder).read() == (PROCESS,)


def test_a_process_is_of_its_boot_alone_and_a_name_is_not(folder: Path) -> None:
    holds(folder).add(NIGHTLY, WALL)
    holds(folder).add(PROCESS, WALL)
    assert holds(folder, boot="the next").read() == (NIGHTLY,)


def document(**changes: object) -> dict[str, object]:
    one = {
        "until": UNTIL, "process": None, "boot": "this", "server": "", "session": "x", "agent": "",
        "pane": "",
    }  # fmt: skip
    return {"version": 1, "holds": [one | changes]}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[" * 100_000, json.dumps(document() | {"version": 2}).encode(),
        json.dumps(document(until="soon")).encode(), json.dumps(document(until=True)).encode(),
        json.dumps(document(until=10**400)).encode(), json.dumps({"version": 1, "holds": ["x"]}).encode(),
        json.dumps(document(session=1)).encode(), json.dumps(document(more="x")).encode(),
        json.dumps(document(process=[1])).encode(), json.dumps(document(process="ab")).encode(),
        json.dumps(document(process=[-1, 2])).encode(),
        b'{"version": 1, "holds": [{"until": NaN, "process": null, "boot": "", "server": "", "session": "", '
        b'"agent": "", "pane": ""}]}',
        b" " * (1 << 21),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_holds_everything(folder: Path, content: bytes) -> None:
    (folder / REMEDIATOR_HOLDS).write_bytes(content)
    (folder / REMEDIATOR_HOLDS).chmod(0o600)
    assert holds(folder).read() == (EVERYTHING,)
    with pytest.raises(CannotSeeError, match="so everything is held; remove it"):
        holds(folder).add(NIGHTLY, WALL)
    assert (folder / REMEDIATOR_HOLDS).read_bytes() == content


def test_the_plain_file_is_understood(folder: Path) -> None:
    (folder / REMEDIATOR_HOLDS).write_text(json.dumps(document()))
    (folder / REMEDIATOR_HOLDS).chmod(0o600)
    assert holds(folder).read() == (Hold(until=UNTIL, session="x"),)


def test_a_file_that_others_can_write_or_that_is_a_link_holds_everything(folder: Path) -> None:
    holds(folder).add(NIGHTLY, WALL)
    path = folder / REMEDIATOR_HOLDS
    path.chmod(0o622)
    assert holds(folder).read() == (EVERYTHING,)
    path.rename(folder / "elsewhere")
    path.symlink_to("elsewhere")
    assert holds(folder).read() == (EVERYTHING,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4711", 4711),
        ("all", Hold(until=UNTIL, server="s")),
        ("%3", Hold(until=UNTIL, server="s", pane="%3")),
        ("agent:coder", Hold(until=UNTIL, server="s", agent="coder")),
        ("session:a:b", Hold(until=UNTIL, server="s", session="a:b")),
        ("server:x", Hold(until=UNTIL, server="x")),
    ],
)
def test_targets(text: str, expected: Hold | int) -> None:
    assert parse_target(text, "s", UNTIL) == expected


@pytest.mark.parametrize("text", ["", "coder", "window:x", "agent:", "%", "%x", "-1", "12345678901"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError, match="is no target; write a pid"):
        parse_target(text, "", UNTIL)


@pytest.mark.parametrize("text", ["24", "0s", "1d", "9999h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        parse_time(text)
    assert parse_time("24h") == 86400


def test_a_hold_in_words() -> None:
    assert words(Hold(until=1.0)) == "everything"
    assert words(NIGHTLY) == "server default, session nightly"
    assert words(replace(PROCESS, server="x\n")) == "process 4711, server x\\012"


def test_hold_holds_and_release_from_the_command_line(tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}

    def run(*arguments: str) -> tuple[int, str]:
        command = (sys.executable, "-m", "tmux_exporter.cli.remediator", *arguments)
        done = run_text(command, env=environ)
        return done.returncode, done.stdout + done.stderr

    assert run("holds") == (0, "nothing is held\n")
    assert run("hold", str(os.getpid()), "24h") == (0, f"held for 24h: process {os.getpid()}\n")
    assert run("hold", "session:nightly", "1h", "--server", "default")[0] == 0
    status, shown = run("holds")
    assert status == 0
    assert shown.splitlines()[1].split()[:4] == ["server", "default,", "session", "nightly"]
    assert len(json.loads(run("holds", "--json")[1])["holds"]) == 2
    assert run("release", "session:nightly") == (1, "was not held: session nightly\n")
    assert run("release", "session:nightly", "--server", "default")[0] == 0
    assert run("release", str(os.getpid()))[0] == 0
    assert run("holds") == (0, "nothing is held\n")
    assert run("hold", "999999999", "1h") == (2, "tmux-remediator: there is no process 999999999; see ps\n")
