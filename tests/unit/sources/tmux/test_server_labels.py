from collections.abc import Mapping

from tmux_exporter.facts.label import Label, is_label
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.tmux.server import Key, Server, assign_labels, key_of

FOLDERS = ("/run/t/tmux-1000", "/tmp/tmux-1000")


def server(path: str, pid: int = 1, *, holds_path: bool = True) -> Server:
    return Server(path=path, process=ProcessId(pid, 1), holds_path=holds_path)


def labels_of(*servers: Server, given: Mapping[Key, Label] | None = None) -> dict[str, str]:
    found = assign_labels(servers, FOLDERS, given or {})
    assert len(set(found.values())) == len(servers)
    return {f"{s.path} {s.process.pid if s.process else ''}": found[key_of(s)] for s in servers}


def test_a_default_folder_gives_the_name_and_any_other_the_path() -> None:
    assert labels_of(server("/tmp/tmux-1000/default"), server("/srv/s", 2)) == {
        "/tmp/tmux-1000/default 1": "default",
        "/srv/s 2": "/srv/s",
    }


def test_of_two_defaults_the_one_that_tmux_finds_first_is_default() -> None:
    assert labels_of(server("/tmp/tmux-1000/default"), server("/run/t/tmux-1000/default", 2)) == {
        "/run/t/tmux-1000/default 2": "default",
        "/tmp/tmux-1000/default 1": "/tmp/tmux-1000/default",
    }


def test_a_given_label_is_kept_even_where_a_better_claim_comes_later() -> None:
    given: dict[Key, Label] = {"/tmp/tmux-1000/default": Label("default")}
    assert labels_of(
        server("/tmp/tmux-1000/default"), server("/run/t/tmux-1000/default", 2), given=given
    ) == {"/tmp/tmux-1000/default 1": "default", "/run/t/tmux-1000/default 2": "/run/t/tmux-1000/default"}


def test_swarms_are_numbered_and_a_free_number_is_used_again() -> None:
    first, second, third = (server(f"/tmp/tmux-1000/claude-swarm-{pid}", pid) for pid in (70, 8, 9))
    given = assign_labels((first, second), FOLDERS, {})
    assert given == {first.path: "claude-swarm-1", second.path: "claude-swarm-2"}
    given = assign_labels((second,), FOLDERS, given)
    assert given == {second.path: "claude-swarm-2"}
    given = assign_labels((second, third), FOLDERS, given)
    assert given == {second.path: "claude-swarm-2", third.path: "claude-swarm-1"}


def test_a_swarm_elsewhere_has_no_pid_in_its_label_either() -> None:
    assert labels_of(server("/srv/claude-swarm-4711")) == {"/srv/claude-swarm-4711 1": "/srv/claude-swarm-1"}


def test_only_a_whole_swarm_name_is_rewritten() -> None:
    assert labels_of(server("/tmp/tmux-1000/claude-swarm-12x")) == {
        "/tmp/tmux-1000/claude-swarm-12x 1": "claude-swarm-12x"
    }


def test_a_server_without_its_path_has_a_label_of_its_own() -> None:
    path = "/tmp/tmux-1000/default"
    found = labels_of(server(path, 2), server(path, 1, holds_path=False), server(path, 3, holds_path=False))
    assert found == {f"{path} 2": "default", f"{path} 1": path, f"{path} 3": "default#2"}


def test_a_number_never_meets_a_socket_of_that_name() -> None:
    path = "/srv/s"
    found = labels_of(server("/srv/s#2", 1), server(path, 2), server(path, 3, holds_path=False))
    assert found == {"/srv/s#2 1": "/srv/s#2", "/srv/s 2": "/srv/s", "/srv/s 3": "/srv/s#3"}


def test_a_server_that_got_its_path_back_gets_the_paths_label() -> None:
    path = "/tmp/tmux-1000/default"
    given = assign_labels((server(path, 2), server(path, 1, holds_path=False)), FOLDERS, {})
    assert labels_of(server(path, 1), given=given) == {f"{path} 1": "default"}


def test_any_file_name_becomes_a_label() -> None:
    long = f"/srv/{'n' * 50}/{'Ω' * 50}"
    found = labels_of(server("/tmp/tmux-1000/a\nb\udcff"), server(long, 2), server(long, 3, holds_path=False))
    assert found["/tmp/tmux-1000/a\nb\udcff 1"] == r"a\012b\377"
    assert all(is_label(each) for each in found.values())
    assert found[f"{long} 3"].endswith("#2")
