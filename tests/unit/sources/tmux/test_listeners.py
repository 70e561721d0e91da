from pathlib import Path

import pytest

from tests.support.literals.facts import UID, process, table
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.tmux.listeners import ListenerFinder, is_server, parse_unix

HEAD = b"Num       RefCount Protocol Flags    Type St Inode Path\n"


def row(inode: int, path: bytes = b"", flags: int = 0x10000) -> bytes:
    text = b"000000003adf0d06: 00000002 00000000 %08X 0001 01 %5d" % (flags, inode)
    return text + (b" " + path if path else b"") + b"\n"


@pytest.mark.parametrize(
    ("comm", "exe", "expected"),
    [
        ("tmux: server", "/usr/bin/tmux", True),
        ("tmux: server", None, True),
        ("tmux: server", "/lib/ld-linux-x86-64.so.2", True),
        ("tmux: client", "/usr/bin/tmux", False),
        ("tmux-3.7c-debia", "/opt/tmux-3.7c-debian", True),
        ("tmux", "/usr/bin/tmux (deleted)", True),
        ("tmux", None, False),
        ("tmux-exporter", "/usr/bin/tmux-exporter", False),
        ("bash", "/usr/bin/bash", False),
    ],
)
def test_a_server_shows_by_its_role_or_its_program(comm: str, exe: str | None, expected: bool) -> None:
    assert is_server(process(1, comm=comm, exe=exe)) is expected


def test_only_listening_sockets_with_a_path_count() -> None:
    raw = HEAD + row(1, b"/a") + row(2, b"/a", flags=0) + row(3) + row(4, b"@abstract") + row(5, b"rel")
    assert parse_unix(raw) == {"1": "/a", "5": "rel"}


def test_a_path_may_hold_newlines_blanks_and_any_byte() -> None:
    raw = HEAD + row(1, b"/a\nb\n\nc") + row(2, b"/d e \xff") + row(3, b"/end\n")
    assert parse_unix(raw) == {"1": "/a\nb\n\nc", "2": "/d e \udcff", "3": "/end\n"}


def test_lines_below_a_row_that_does_not_count_are_not_added_to_another() -> None:
    assert parse_unix(HEAD + row(1, b"/a") + row(2, b"/x\ny", flags=0) + row(3, b"@x\ny")) == {"1": "/a"}


@pytest.mark.parametrize("forged_first", [True, False])
def test_a_row_forged_inside_a_path_makes_its_inode_unknown(forged_first: bool) -> None:
    forged = row(9, b"/evil\n" + row(1, b"/home/other/socket").rstrip(b"\n"))
    real = row(1, b"/home/me/socket")
    assert parse_unix(HEAD + (forged + real if forged_first else real + forged))["1"] is None


def fake_proc(root: Path, pid: int, links: dict[str, str], unix: bytes | None) -> None:
    (root / str(pid) / "fd").mkdir(parents=True)
    for fd, target in links.items():
        (root / str(pid) / "fd" / fd).symlink_to(target)
    if unix is not None:
        (root / "net").mkdir()
        (root / "net" / "unix").write_bytes(unix)


SERVER = process(5, comm="tmux: server")


def test_a_server_is_placed_by_its_listening_inode(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"0": "/dev/null", "4": "socket:[7]", "6": "socket:[8]"}, HEAD + row(8, b"/x/s"))
    found = ListenerFinder(str(tmp_path), UID).find(table(SERVER))
    assert {id_: listener.path for id_, listener in found.placed.items()} == {ProcessId(5, 5): "/x/s"}
    assert found.unplaced == {}


def test_a_socket_of_another_network_namespace_is_found_in_its_own_table(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD)
    (tmp_path / "5" / "net").mkdir()
    (tmp_path / "5" / "net" / "unix").write_bytes(HEAD + row(8, b"/x/s"))
    [listener] = ListenerFinder(str(tmp_path), UID).find(table(SERVER)).placed.values()
    assert listener.path == "/x/s"


def test_a_relative_path_starts_where_the_server_stands(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"s"))
    (tmp_path / "5" / "cwd").symlink_to("/proc")
    [listener] = ListenerFinder(str(tmp_path), UID).find(table(SERVER)).placed.values()
    assert listener.path == "/proc/s"


def test_another_mount_namespace_is_told(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"/x/s"))
    for who, namespace in (("5", "mnt:[1]"), ("self", "mnt:[2]")):
        (tmp_path / who / "ns").mkdir(parents=True)
        (tmp_path / who / "ns" / "mnt").symlink_to(namespace)
    [listener] = ListenerFinder(str(tmp_path), UID).find(table(SERVER)).placed.values()
    assert not listener.same_mounts


def test_a_missing_table_of_sockets_is_a_problem_and_not_no_server(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, None)
    found = ListenerFinder(str(tmp_path), UID).find(table(SERVER))
    assert found.placed == {}
    [problem] = found.unplaced.values()
    assert problem.reason == "partial"
    assert "unix: No such file" in problem.detail


def test_a_server_that_listens_nowhere_is_none_for_anybody(tmp_path: Path) -> None:
    """It is just starting, or just ending, or a fork of a server that has not come to its exec."""
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD)
    (tmp_path / "5" / "net").mkdir()
    (tmp_path / "5" / "net" / "unix").write_bytes(HEAD)
    found = ListenerFinder(str(tmp_path), UID).find(table(SERVER))
    assert (found.placed, found.unplaced) == ({}, {})


def test_a_server_whose_row_was_forged_is_a_problem(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"/x/s") + row(8, b"/x/t"))
    found = ListenerFinder(str(tmp_path), UID).find(table(SERVER))
    assert found.placed == {}
    [problem] = found.unplaced.values()
    assert (problem.reason, "two rows" in problem.detail) == ("partial", True)


def test_a_fork_of_a_server_is_not_a_second_one(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"/x/s") + row(9, b"/x/t"))
    for pid, link in ((6, "socket:[8]"), (7, "socket:[9]")):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "6").symlink_to(link)
    fork = process(6, ppid=5, comm="tmux: server")
    inner = process(7, ppid=5, comm="tmux: server")
    found = ListenerFinder(str(tmp_path), UID).find(table(SERVER, fork, inner))
    assert set(found.placed) == {SERVER.id, inner.id}


def test_a_program_named_tmux_that_does_not_listen_is_nothing(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD)
    found = ListenerFinder(str(tmp_path), UID).find(table(process(5, comm="tmux", exe="/usr/bin/tmux")))
    assert (found.placed, found.unplaced) == ({}, {})


def test_other_users_dead_and_vanished_servers_are_left_out(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"/x/s"))
    finder = ListenerFinder(str(tmp_path), UID)
    for seen in (
        process(5, comm="tmux: server", uid=UID + 1),
        process(5, comm="tmux: server", state="Z"),
        process(6, comm="tmux: server"),
    ):
        found = finder.find(table(seen))
        assert (found.placed, found.unplaced) == ({}, {})


def test_a_seat_is_kept_until_its_descriptor_changes(tmp_path: Path) -> None:
    fake_proc(tmp_path, 5, {"6": "socket:[8]"}, HEAD + row(8, b"/x/s"))
    finder = ListenerFinder(str(tmp_path), UID)
    assert finder.find(table(SERVER)).placed
    (tmp_path / "net" / "unix").unlink()
    [listener] = finder.find(table(SERVER)).placed.values()
    assert listener.path == "/x/s"
    # SIGUSR1: the server binds its path anew.
    (tmp_path / "5" / "fd" / "6").unlink()
    (tmp_path / "5" / "fd" / "6").symlink_to("socket:[9]")
    (tmp_path / "net" / "unix").write_bytes(HEAD + row(9, b"/x/t"))
    [listener] = finder.find(table(SERVER)).placed.values()
    assert listener.path == "/x/t"
    # The pid is another process now: nothing that was known of the old one counts.
    (tmp_path / "net" / "unix").unlink()
    assert finder.find(table(process(5, start=2, comm="tmux: server"))).placed == {}
