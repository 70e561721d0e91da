"""The scopes that tmux made for panes, by what the user's systemd writes down."""

import os
from pathlib import Path

import pytest

from tmux_exporter.facts.ledgers import PaneScope
from tmux_exporter.sources.host.pane_scopes import parse_launch, read_scopes

UID = os.getuid()
MANAGER = f"cg/user.slice/user-{UID}.slice/user@{UID}.service"
UNIT = b"""\
# This is a transient unit file, created programmatically via the systemd API. Do not edit.
[Unit]
Description=tmux child pane 77 launched by process 100

[Scope]
SendSIGHUP=1
"""


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.units = root / "run" / str(UID) / "systemd" / "transient"
        self.units.mkdir(parents=True)

    def scope(self, name: str, folder: str = "tmux.slice", unit: bytes = UNIT) -> Path:
        cgroup = self.root / MANAGER / folder / name
        cgroup.mkdir(parents=True)
        (self.units / name).write_bytes(unit)
        os.utime(self.units / name, (5000, 5000))
        return cgroup

    def found(self, *known: str) -> set[PaneScope]:
        return set(read_scopes(known, uid=UID, unified=str(self.root / "cg"), runtime=str(self.root / "run")))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_scopes_are_found_wherever_their_parent_is(machine: Machine) -> None:
    first = machine.scope("tmux-spawn-1.scope")
    second = machine.scope("tmux-spawn-2.scope", "app.slice/terminal.service")
    machine.scope("run-3.scope")
    scopes = [PaneScope(str(each), pane_pid=77, server_pid=100, made_at=5000.0) for each in (first, second)]
    assert machine.found() == set(scopes)
    assert machine.found("tmux-spawn-1.scope") == {scopes[1]}


def test_what_is_no_scope_of_tmux_says_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.scope("tmux-spawn-1.scope", unit=b"[Unit]\nDescription=tmux child pane x launched by process 1\n")
    ended = machine.scope("tmux-spawn-2.scope")
    ended.rmdir()
    linked = machine.scope("tmux-spawn-3.scope")
    (machine.units / "tmux-spawn-3.scope").rename(tmp_path / "elsewhere")
    (machine.units / "tmux-spawn-3.scope").symlink_to(tmp_path / "elsewhere")
    assert linked.exists() and machine.found() == set()


def test_without_a_systemd_of_the_user_there_are_none(tmp_path: Path) -> None:
    assert read_scopes((), uid=UID, unified=str(tmp_path), runtime=str(tmp_path / "run")) == ()


def test_the_description_has_both_pids() -> None:
    assert parse_launch(UNIT) == (77, 100)
    with pytest.raises(ValueError, match="description"):
        parse_launch(b"[Unit]\nDescription=my tmux child pane 77 launched by process 100\n")
