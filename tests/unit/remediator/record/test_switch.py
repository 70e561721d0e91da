"""`tmux-remediator off` and `on`: the switch file, also before anything ever ran."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tmux_exporter.base.paths import REMEDIATOR_OFF
from tmux_exporter.remediator.record.switch import is_off


def run(home: Path, command: str) -> tuple[int, str, str]:
    environ = {name: each for name, each in os.environ.items() if not name.startswith("XDG_")}
    done = run_text(
        (sys.executable, "-m", "tmux_exporter.cli.remediator", command), env={**environ, "HOME": str(home)}
    )
    return done.returncode, done.stdout, done.stderr


def test_off_and_on_before_the_first_run_and_twice(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "state" / "tmux-exporter"
    switch = folder / REMEDIATOR_OFF
    assert run(tmp_path, "on") == (0, f"it was on: there is no {switch}\n", "")
    assert not folder.exists(), "who asks for nothing makes nothing"
    assert run(tmp_path, "off") == (0, f"off: while {switch} is there nothing is signalled\n", "")
    assert (folder.stat().st_mode & 0o777, switch.stat().st_mode & 0o777) == (0o700, 0o600)
    assert is_off(switch)
    assert run(tmp_path, "off") == (0, f"it was off: while {switch} is there nothing is signalled\n", "")
    assert run(tmp_path, "on") == (0, f"on: {switch} is removed\n", "")
    assert not is_off(switch)


def test_whatever_has_its_name_is_the_switch_and_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    switch = tmp_path / ".local" / "state" / "tmux-exporter" / REMEDIATOR_OFF
    switch.parent.mkdir(parents=True)
    switch.symlink_to("nowhere")
    assert run(tmp_path, "off")[1].startswith("it was off")
    assert run(tmp_path, "on") == (0, f"on: {switch} is removed\n", "")
    switch.mkdir()
    status, shown, said = run(tmp_path, "on")
    assert (status, shown) == (1, "")
    assert said.startswith(f"tmux-remediator: cannot use '{switch}': Is a directory; ")
    assert is_off(switch)


@pytest.mark.parametrize("name", ["file", "loop"])
def test_a_switch_that_cannot_be_looked_at_is_off(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    assert is_off(tmp_path / name / REMEDIATOR_OFF)
