"""Parsing the argv and environment of tmux clients, and counting their commands."""

import pytest

from tmux_exporter.analysis.operations.tmux_commands import (
    COMMANDS,
    NO_SERVER,
    Client,
    TmuxCommandCounters,
    command_name,
    read_client,
)
from tmux_exporter.facts.operations import CommandBatch, CommandLoss, CommandRun
from tmux_exporter.facts.report import CommandFigures

NOTHING_LOST = dict.fromkeys(CommandLoss, 0)
ENVIRON = {"TMUX": "/tmp/tmux-7/mine,123,0"}


def client(text: str, environ: dict[str, str] | None = ENVIRON) -> Client | None:
    return read_client(text.split(" "), lambda: environ, 7)


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("send-keys", "send-keys"), ("send", "send-keys"), ("send-k", "send-keys"), ("send-", "other"),
        ("ls", "list-sessions"), ("list-p", "list-panes"), ("has", "has-session"), ("set", "set-option"),
        ("list-", "other"), ("mine", "other"), ("", "other"), (";", "other"),
    ],
)  # fmt: skip
def test_a_command_is_what_tmux_takes_the_word_for(word: str, command: str) -> None:
    assert command_name(word) == command
    assert command in COMMANDS


@pytest.mark.parametrize(
    ("text", "socket", "command"),
    [
        ("tmux send-keys -t a secret", "/tmp/tmux-7/mine", "send-keys"),
        ("/usr/bin/tmux ls", "/tmp/tmux-7/mine", "list-sessions"),
        ("tmux -L x ls", "/tmp/tmux-7/x", "list-sessions"),
        ("tmux -Lx -u ls", "/tmp/tmux-7/x", "list-sessions"),
        ("tmux -2uS /a/b ls", "/a/b", "list-sessions"),
        ("tmux -S /a/b -L x ls", "/a/b", "list-sessions"),
        ("tmux -S b ls", None, "list-sessions"),
        ("tmux -f /dev/null new-session -d -s a", "/tmp/tmux-7/mine", "new-session"),
        ("tmux new -ds a", "/tmp/tmux-7/mine", "new-session"),
        ("tmux new -Ad -s a", "/tmp/tmux-7/mine", "new-session"),
        ("tmux -- ls", "/tmp/tmux-7/mine", "list-sessions"),
        ("tmux kill-session -t attach", "/tmp/tmux-7/mine", "kill-session"),
    ],
)
def test_a_client_by_its_words(text: str, socket: str | None, command: str) -> None:
    assert client(text) == Client(socket=socket, command=command)


@pytest.mark.parametrize(
    "text",
    [
        "grep tmux", "tmux: server", "mytmux ls", "tmux", "tmux -V", "tmux -C ls", "tmux -CC attach",
        "tmux attach -t a", "tmux a", "tmux new -s d", "tmux new -s a ; split-window -d",
    ],
)  # fmt: skip
def test_terminals_and_others_are_no_commands(text: str) -> None:
    if text == "tmux a":
        # An alias of nothing and the beginning of one name only.
        assert command_name("a") == "attach-session"
    assert client(text) is None


def test_the_server_of_an_environment() -> None:
    assert client("tmux ls", {}) == Client(socket="/tmp/tmux-7/default", command="list-sessions")
    assert client("tmux ls", {"TMUX": ",1,0", "TMUX_TMPDIR": "/x"}) == Client(
        socket="/x/tmux-7/default", command="list-sessions"
    )
    assert client("tmux -L b ls", None) == Client(socket=None, command="list-sessions")
    assert read_client([], lambda: {}, 7) is None


def harvest(*runs: CommandRun, listening: bool = True) -> CommandBatch:
    return CommandBatch(runs=runs, lost=NOTHING_LOST, listening=listening)


def run(
    socket: str | None = "/tmp/tmux-7/a", command: str = "send-keys", *, failed: bool = False
) -> CommandRun:
    return CommandRun(socket=socket, command="send-keys", seconds=0.003, failed=failed)


def counted(
    commands: TmuxCommandCounters, given: CommandBatch, servers: dict[str, str]
) -> dict[tuple[str, str], tuple[int, int]]:
    report = commands.report(given, servers, {"/link": "/tmp/tmux-7"})
    assert report and report.lost == NOTHING_LOST
    return {(each.server, each.command): _counts(each) for each in report.commands}


def _counts(each: CommandFigures) -> tuple[int, int]:
    assert each.duration.sum == pytest.approx(0.003 * each.duration.count)
    return each.duration.count, each.errors_total


def test_a_pair_begins_at_0_and_ends_with_its_server() -> None:
    commands, servers = TmuxCommandCounters(), {"/tmp/tmux-7/a": "a"}
    seen = harvest(run(), run(failed=True), run("/link/a"), run("/nowhere/b"), run(None))
    assert counted(commands, seen, servers) == {("a", "send-keys"): (0, 0), (NO_SERVER, "send-keys"): (0, 0)}
    assert counted(commands, harvest(), servers) == {
        ("a", "send-keys"): (3, 1),
        (NO_SERVER, "send-keys"): (2, 0),
    }
    assert counted(commands, harvest(run()), servers)["a", "send-keys"] == (4, 1)
    assert counted(commands, harvest(), {}) == {(NO_SERVER, "send-keys"): (2, 0)}
    assert counted(commands, harvest(run()), servers)["a", "send-keys"] == (0, 0)


def test_a_kernel_that_does_not_tell_is_no_report() -> None:
    assert TmuxCommandCounters().report(harvest(listening=False), {}, {}) is None
