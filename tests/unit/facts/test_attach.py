"""The command that attaches to a pane: a shell makes exactly these words of it, whatever the socket is."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.facts.attach import AttachPoint


def point(socket: str, **ids: str) -> AttachPoint:
    return AttachPoint(**{"socket": socket, "session": "$3", "window": "@5", "pane": "%7", **ids})


def words_of(command: str) -> list[str]:
    """What a real shell hands to tmux."""
    script = f'tmux() {{ printf "%s\\0" "$@"; }}; {command}'
    told = subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd="/").stdout
    return told.decode().split("\0")[:-1]


HOSTILE = ["/tmp/a b", "/tmp/$(reboot)", "/tmp/`id`", '/tmp/it\'s "$HOME" \\; !x', "/tmp/-S", "/tmp/é#{pid}"]


@pytest.mark.parametrize("socket", HOSTILE)
def test_a_shell_takes_it_as_it_is_meant(socket: str) -> None:
    command = point(socket).command
    assert command is not None
    expected = [
        "-S",
        socket,
        "attach",
        "-t",
        "$3",
        ";",
        "select-window",
        "-t",
        "@5",
        ";",
        "select-pane",
        "-t",
        "%7",
    ]
    assert words_of(command) == expected


@given(st.text(max_size=40))
def test_what_is_copied_is_one_printable_line(tail: str) -> None:
    command = point(f"/tmp/{tail}").command
    assert (command is not None) == tail.isprintable()
    assert command is None or command.isprintable()


@pytest.mark.parametrize(
    "ids", [{"session": "work"}, {"session": "$(id)"}, {"window": "@5;"}, {"pane": ""}, {"pane": "%7\n"}]
)
def test_no_name_takes_the_place_of_an_id(ids: dict[str, str]) -> None:
    assert point("/tmp/x", **ids).command is None


def test_a_relative_socket_would_be_another_one_elsewhere() -> None:
    assert point("x").command is None


@pytest.mark.parametrize("socket", HOSTILE)
def test_a_command_is_taken_back_to_what_it_was_made_from(socket: str) -> None:
    assert AttachPoint.of_command(point(socket).command or "") == point(socket)


@pytest.mark.parametrize(
    "text",
    [
        "", "reboot", "tmux -S /tmp/x kill-server", "tmux -S /tmp/x attach -t 'work'",
        "tmux -S /tmp/x attach -t '$3' \\; select-window -t @5 \\; select-pane -t %7; reboot",
        "tmux -S /tmp/x -S /tmp/y attach -t '$3' \\; select-window -t @5 \\; select-pane -t %7",
        "tmux -S $(id) attach -t '$3' \\; select-window -t @5 \\; select-pane -t %7",
        "tmux -S '/tmp/x\n' attach -t '$3' \\; select-window -t @5 \\; select-pane -t %7",
    ],
)  # fmt: skip
def test_no_other_text_is_taken_for_a_command(text: str) -> None:
    assert AttachPoint.of_command(text) is None
