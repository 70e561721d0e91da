import os
import socket
import stat
from pathlib import Path

import pytest

from tests.support.literals.facts import UID
from tmux_exporter.sources.tmux.socket_files import (
    MAX_ENTRIES,
    MAX_FOLDERS,
    PathState,
    canonical,
    check_entry,
    check_path,
    default_folders,
    find_sockets,
    folder_fault,
    scan,
)

OURS = os.getuid()


def bind(path: Path) -> None:
    """Leave a socket file at `path` on which no process listens."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("mode", "owner", "fault"),
    [
        (stat.S_IFDIR | 0o700, UID, ""),
        (stat.S_IFDIR | 0o775, UID, ""),
        (stat.S_IFDIR | 0o1777, UID, ""),
        (stat.S_IFDIR | 0o777, UID, "others may write to its folder"),
        (stat.S_IFDIR | 0o755, 0, ""),
        (stat.S_IFDIR | 0o1777, 0, ""),
        (stat.S_IFDIR | 0o1775, 0, ""),
        (stat.S_IFDIR | 0o777, 0, "others may write to its folder"),
        (stat.S_IFDIR | 0o775, 0, "others may write to its folder"),
        (stat.S_IFDIR | 0o700, 1001, "its folder belongs to uid 1001"),
        (stat.S_IFDIR | 0o1777, 1001, "its folder belongs to uid 1001"),
        (stat.S_IFLNK | 0o777, UID, "its folder is a symbolic link"),
        (stat.S_IFREG | 0o600, UID, "its folder is no folder"),
    ],
)
def test_a_folder_is_trusted_if_only_we_can_change_its_sockets(mode: int, owner: int, fault: str) -> None:
    assert folder_fault(mode, owner, UID) == fault


def entry(mode: int, owner: int) -> os.stat_result:
    return os.stat_result((mode, 7, 8, 1, owner, owner, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "state"),
    [
        (stat.S_IFSOCK | 0o600, UID, PathState.SOCKET),
        (stat.S_IFSOCK | 0o666, 1001, PathState.FOREIGN),
        (stat.S_IFSOCK | 0o666, 0, PathState.FOREIGN),
        (stat.S_IFLNK | 0o777, UID, PathState.LINK),
        (stat.S_IFREG | 0o600, UID, PathState.PLAIN),
        (stat.S_IFDIR | 0o700, UID, None),
        (stat.S_IFIFO | 0o600, UID, None),
    ],
)
def test_only_a_socket_of_our_uid_may_be_connected_to(mode: int, owner: int, state: PathState | None) -> None:
    site = check_entry("/f/name", entry(mode, owner), UID)
    assert (site and site.state) == state


def test_a_foreign_socket_says_whose_it_is() -> None:
    site = check_entry("/f/name", entry(stat.S_IFSOCK | 0o600, 1001), UID)
    assert site and site.detail == "it belongs to uid 1001"


def test_scan_tells_sockets_from_files_links_and_locks(tmp_path: Path) -> None:
    bind(tmp_path / "live")
    (tmp_path / "plain").touch()
    (tmp_path / "live.lock").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "live")
    sites, problems = scan(str(tmp_path), OURS)
    assert {(os.path.basename(site.path), site.state) for site in sites} == {
        ("live", PathState.SOCKET),
        ("plain", PathState.PLAIN),
        ("link", PathState.LINK),
    }
    assert problems == []


def test_a_missing_folder_has_no_sockets_and_is_no_problem(tmp_path: Path) -> None:
    assert scan(str(tmp_path / "none"), OURS) == ([], [])


def test_a_folder_that_is_a_link_is_not_looked_into(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    bind(real / "s")
    link = tmp_path / "link"
    link.symlink_to(real)
    sites, [problem] = scan(str(link), OURS)
    assert sites == []
    assert problem.reason == "untrusted"
    assert "symbolic link" in problem.detail


def test_another_uids_folder_is_not_looked_into(tmp_path: Path) -> None:
    bind(tmp_path / "s")
    sites, [problem] = scan(str(tmp_path), OURS + 1)
    assert sites == []
    assert problem.reason == "untrusted"


def test_too_many_entries_are_said_and_not_silently_cut(tmp_path: Path) -> None:
    for number in range(MAX_ENTRIES + 1):
        (tmp_path / f"{number:05}").touch()
    sites, [problem] = scan(str(tmp_path), OURS)
    assert len(sites) == MAX_ENTRIES
    assert problem.reason == "partial"


def test_too_many_folders_are_said(tmp_path: Path) -> None:
    folders = [str(tmp_path / str(number)) for number in range(MAX_FOLDERS + 1)]
    [problem] = find_sockets(folders, (), OURS).problems
    assert problem.reason == "partial"


def test_look_never_trusts_our_socket_in_an_open_folder(tmp_path: Path) -> None:
    bind(tmp_path / "s")
    assert check_path(str(tmp_path / "s"), OURS).state is PathState.SOCKET
    tmp_path.chmod(0o777)
    site = check_path(str(tmp_path / "s"), OURS)
    assert (site.state, site.detail) == (PathState.FOREIGN, "others may write to its folder")


def test_look_tells_missing_from_unreadable(tmp_path: Path) -> None:
    assert check_path(str(tmp_path / "none"), OURS).state is PathState.MISSING
    (tmp_path / "file").touch()
    assert check_path(str(tmp_path / "file" / "below"), OURS).state is PathState.MISSING
    assert check_path(str(tmp_path / "file"), OURS).state is PathState.PLAIN
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert check_path(f"{tmp_path}/loop/s", OURS).state is PathState.UNREADABLE
    assert check_path(f"{tmp_path}/{'n' * 300}", OURS).state is PathState.UNREADABLE


def test_two_names_of_one_socket_show_by_their_file(tmp_path: Path) -> None:
    bind(tmp_path / "s")
    os.link(tmp_path / "s", tmp_path / "t")
    sites = find_sockets([str(tmp_path)], (), OURS).sites
    assert len({site.file for site in sites.values()}) == 1
    assert len(sites) == 2


def test_a_path_is_named_by_its_real_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert canonical(f"{tmp_path}/link/../link/./s") == f"{tmp_path}/real/s"
    (tmp_path / "real" / "s").symlink_to("elsewhere")
    assert canonical(f"{tmp_path}/link/s") == f"{tmp_path}/real/s"


def test_the_default_folders_are_those_of_tmux_and_the_demos(tmp_path: Path) -> None:
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    demo = f"{tmp_path}/tmux-exporter/demo/tmux-{UID}"
    assert default_folders(UID, runtime) == (f"/tmp/tmux-{UID}", demo)
    assert default_folders(UID, {**runtime, "TMUX_TMPDIR": ""}) == (f"/tmp/tmux-{UID}", demo)
    assert default_folders(UID, {**runtime, "TMUX_TMPDIR": "/tmp"}) == (f"/tmp/tmux-{UID}", demo)
    (tmp_path / "link").symlink_to(tmp_path)
    assert default_folders(UID, {**runtime, "TMUX_TMPDIR": f"{tmp_path}/link"}) == (
        f"{tmp_path}/tmux-{UID}",
        f"/tmp/tmux-{UID}",
        demo,
    )
