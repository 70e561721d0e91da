"""The disk space of folders, beside du, and which folder an agent's working folder stands for."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.workspaces import Workspace
from tmux_exporter.sources.host.workspaces import (
    Place,
    WorkspaceReader,
    disk_usage,
    parse_worktree,
    workspace_of,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of all sorts, more than one slice of them."""
    root = tmp_path / "tree"
    for number in range(450):
        folder = root / f"f{number % 9}" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(b"x" * (number * 37))
    os.link(root / "f0/deep/9", root / "f1/again")
    os.link(root / "f0/deep/9", root / "once more")
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(50 << 20)
        sparse.write(b"x")
    (root / "to home").symlink_to("/usr")
    (root / "to nowhere").symlink_to("x" * 200)
    os.mkfifo(root / "pipe")
    (root / "bad\udcff").mkdir()
    return root


def ended(walk: Generator[None, None, Workspace | None]) -> Workspace | None:
    while True:
        try:
            next(walk)
        except StopIteration as end:
            found: Workspace | None = end.value
            return found


def bytes_of(walk: Generator[None, None, Workspace | None]) -> int | None:
    found = ended(walk)
    return None if found is None else found.bytes


def du(folder: Path) -> int:
    return int(subprocess.check_output(["du", "-sx", "--block-size=1", folder]).split()[0])


def test_a_folder_takes_what_du_tells(tree: Path) -> None:
    assert bytes_of(disk_usage(str(tree))) == du(tree) > 3_000_000


def test_the_oldest_file_is_the_one_that_was_written_longest_ago(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "empty", (5, 5))
    found = ended(disk_usage(str(tmp_path)))
    assert found is not None and found.oldest is None, "a folder is no file"
    for name, written in (("new", 900), ("empty/old", 700), ("middle", 800)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (9, written))
    found = ended(disk_usage(str(tmp_path)))
    assert found is not None and found.oldest == 700


def test_a_walk_rests_now_and_then(tree: Path) -> None:
    assert len(list(disk_usage(str(tree)))) == 2


def test_other_file_systems_below_do_not_count() -> None:
    if os.stat("/dev/pts").st_dev == os.stat("/dev").st_dev:
        pytest.skip("nothing is mounted on /dev/pts here")
    assert bytes_of(disk_usage("/dev")) == du(Path("/dev"))


def test_half_a_walk_has_no_figure(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(disk_usage(str(tree), most=400)) is None
    assert ended(disk_usage(str(tree / "gone"))) is None
    real = os.open

    def denied(path: str, flags: int, *rest: int) -> int:
        if path.endswith("f3/deep"):
            raise PermissionError(13, "denied", path)
        return real(path, flags, *rest)

    # As an ordinary user meets it; the tests may run as root.
    monkeypatch.setattr(os, "open", denied)
    assert ended(disk_usage(str(tree))) is None


def test_a_folder_within_a_worktree_stands_for_the_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "repo/.git").mkdir(parents=True)
    (home / "repo/src/deep").mkdir(parents=True)
    linked, submodule, plain = (home / each for each in ("side/src", "repo/lib", "plain/src"))
    for each in (linked, submodule, plain):
        each.mkdir(parents=True)
    (home / "side/.git").write_text(f"gitdir: {home}/repo/.git/worktrees/feature-x\n")
    (submodule / ".git").write_text("gitdir: ../.git/modules/lib\n")
    (plain / ".git").write_text("no such thing\n")

    def place(folder: Path | str) -> Place | None:
        return workspace_of(str(folder), str(home))

    assert place(home / "repo/src/deep") == Place(f"{home}/repo")
    assert place(linked) == Place(f"{home}/side", "feature-x")
    assert place(submodule) == Place(str(submodule))
    assert place(plain) == Place(str(plain))
    assert place("~/.claude/projects/-x") == Place(f"{home}/.claude/projects/-x")
    # A whole home is no workspace, even with a repository of settings in it.
    (home / ".git").mkdir()
    assert [place(each) for each in (home, tmp_path, "/")] == [None] * 3
    assert place(home / "plain") == Place(f"{home}/plain")


@pytest.mark.parametrize("raw", [b"", b"gitdir:", b"worktree: /x\n"])
def test_what_is_no_worktree(raw: bytes) -> None:
    with pytest.raises(ValueError, match="gitdir"):
        parse_worktree(raw)


def test_folders_are_measured_while_they_are_asked_for(tree: Path, tmp_path: Path) -> None:
    reader = WorkspaceReader(clock=SystemClock(), home=str(tmp_path))
    wanted = [str(tree / "f1"), str(tmp_path / "gone"), str(tmp_path)]
    wait_for(lambda: len(reader.read(wanted)) == 1, "it is measured")
    files = [each for each in (tree / "f1").rglob("*") if not each.is_dir()]
    oldest = min(each.lstat().st_mtime for each in files)
    known = {wanted[0]: Workspace(bytes=du(tree / "f1"), oldest=oldest)}
    assert reader.read(wanted) == known
    # It is not walked again within ten minutes.
    (tree / "f1/more").mkdir()
    assert reader.read(wanted[:1]) == known
    reader.read(())
    wait_for(lambda: reader.read(()) == {} and not reader.is_running, "its thread ends")
