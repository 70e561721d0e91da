"""Shell command lines: pure schedulers, opaque ones, and none."""

import math

import pytest

from tmux_exporter.analysis.schedulers.send_keys import Send
from tmux_exporter.analysis.schedulers.shell_grammar import (
    OpaqueScript,
    PureScript,
    duration,
    read_command,
    read_script,
)
from tmux_exporter.sources.processes.parse import ARGV_LIMIT, parse_argv

REAL = (
    "sleep 1800 && tmux send-keys -t tmux-orc:0 'Time for orchestrator check! cat /tmp/note.txt && python3 "
    "claude_control.py status detailed' && sleep 1 && tmux send-keys -t tmux-orc:0 Enter"
)


def _targets(script: str) -> list[str | None] | None:
    reading = read_script(script)
    return [send.target for send in reading.sends] if isinstance(reading, PureScript) else None


def test_the_orchestrators_own_script_is_pure() -> None:
    to = Send(target="tmux-orc:0", socket=None, label=None)
    reading = read_script(REAL)
    assert isinstance(reading, PureScript)
    assert reading == PureScript(
        sleep_args=("1800",), delay=1800.0, repeated=False, sends=(to, to), keys=reading.keys
    )


@pytest.mark.parametrize(
    ("script", "targets"),
    [
        ("sleep 5; tmux send-keys -t a:0 hi Enter", ["a:0"]),
        ("sleep 5 || tmux send -ta:0 hi", ["a:0"]),
        ("sleep 5 && tmux send-k -t a:0 hi;", ["a:0"]),
        ("/bin/sleep 5 && /usr/bin/tmux send-keys -t a:0 hi", ["a:0"]),
        ("sleep 5 && tmux send-keys -lt a:0 -- '-F; #(x)'", ["a:0"]),
        ("sleep 5 && tmux send-keys -t a:0 -t b:0 x", ["b:0"]),
        ("sleep 5 && tmux send-keys -N 3 -t a:0 x", ["a:0"]),
        ("sleep 5 && tmux send-keys hi -t a:0", [None]),
        ("sleep 5 && tmux send-keys -t 'my proj:Shell 2' \"it's\" \\$HOME", ["my proj:Shell 2"]),
        ("sleep 5 >/dev/null 2>&1 && tmux send-keys -t a:0 'x\\;' < /dev/null", ["a:0"]),
        ("sleep 5 && tmux send-keys -t a:0 'two\nlines' && tmux send-keys -t b:1 Enter", ["a:0", "b:1"]),
        (" \n sleep 5 && tmux send-keys -t a:0 hi\n", ["a:0"]),
        ("sleep 5 && tmux send-keys -t a:0 x>/dev/null", ["a:0"]),
        ('sleep 5 && tmux send-keys -t "a\\\\" \'b\'"\\n"', ["a\\"]),
        ("sleep 5 && tmux send-keys -t a:0 ünï#1 a=b x!", ["a:0"]),
        ("sleep 5 && tmux send-keys -t a:0 x\\ ", ["a:0"]),
        ("sleep 5 && tmux send-keys -t a:0 x\\\\ \n", ["a:0"]),
        ("nohup sleep 5 && tmux send-keys -t a:0 x", ["a:0"]),
        ("setsid nohup sleep 5; env tmux send-keys -t a:0 x", ["a:0"]),
        ("/usr/bin/env sleep 5; /usr/bin/nohup tmux -L w send-keys -t a:0 x >/dev/null 2>&1", ["a:0"]),
    ],
)
def test_a_pure_script_gives_its_targets(script: str, targets: list[str | None]) -> None:
    assert _targets(script) == targets


@pytest.mark.parametrize(
    ("options", "socket", "label"),
    [
        ("-L work", None, "work"),
        ("-Lwork -u", None, "work"),
        ("-2uL work", None, "work"),
        ("-S /run/t/s", "/run/t/s", None),
        ("-L work -S '/tmp/my sock'", "/tmp/my sock", "work"),
    ],
)
def test_a_send_names_its_server(options: str, socket: str | None, label: str | None) -> None:
    reading = read_script(f"sleep 5 && tmux {options} send-keys -t a:0 x")
    assert isinstance(reading, PureScript)
    assert reading.sends == (Send(target="a:0", socket=socket, label=label),)


OPAQUE = [
    "sleep $N && tmux send-keys -t a:0 x", 'sleep 5 && tmux send-keys -t "$T" x',
    "sleep 5 && tmux send-keys -t a:0 $(date)", 'sleep 5 && tmux send-keys -t a:0 "`date`"',
    "(sleep 5; tmux send-keys -t a:0 x)", "{ sleep 5; tmux send-keys -t a:0 x; }",
    "sleep 5 && tmux send-keys -t a:{0,1} x", "sleep 5 && tmux send-keys -t a:0 x &",
    "sleep 5 & tmux send-keys -t a:0 x", "sleep 5 && tmux send-keys -t a:0 x | cat",
    "sleep 5 && tmux send-keys -t a:0 x > /tmp/log", "sleep 5 && tmux send-keys -t a:0 x &>/dev/null",
    "sleep 5 && tmux send-keys -t a:0 x >/dev/nullx", "sleep 5 && tmux send-keys -t a:0 < /tmp/prompt",
    "sleep 5 && tmux send-keys -t a:0 *", "sleep 5 && tmux send-keys -t ~:0 x",
    "sleep 5 # tmux\ntmux send-keys -t a:0 x",
    "sleep 5\ntmux send-keys -t a:0 x", "sleep 5 && make deploy && tmux send-keys -t a:0 x",
    "sleep 5 && ./tmux send-keys -t a:0 x && tmux send-keys -t a:0 x",
    "TMUX= sleep 5 && TMUX= tmux send-keys -t a:0 x",
    "while true; do sleep 60; tmux send-keys -t a:0 Enter; done",
    "for p in 1 2; do sleep 5; tmux send-keys -t a:$p x; done",
    "if sleep 5; then tmux send-keys -t a:0 x; fi", "tmux send-keys -t a:0 x && sleep 5",
    "sleep 5 && tmux has-session -t a && tmux send-keys -t a:0 x",
    "sleep 5 && tmux display-message x ';' send-keys -t a:0 x",
    # tmux itself ends a command at an argument that ends in `;`.
    "sleep 5 && tmux send-keys -t a:0 'x;' kill-server", "sleep 5 && tmux send-keys -t a:0 x \\; kill-server",
    "sleep 5 && tmux send-keys -t 'a:0;' kill-server", "sleep 5 && tmux send-keys -t 'a:0\\;' x",
    "sleep 5 && tmux 'send-keys;' kill-server && tmux send-keys -t a:0 x",
    # Formats and copy-mode commands run programs.
    "sleep 5 && tmux send-keys -F -t a:0 '#(reboot)'", "sleep 5 && tmux send-keys -t a:0 -X copy-pipe reboot",
    "sleep 5 && tmux send-keys -lF -t a:0 x", "sleep 5 && tmux -f /tmp/conf send-keys -t a:0 x",
    "sleep 5 && tmux send-keys -t", "sleep five && tmux send-keys -t a:0 x",
    "sleep 5 --help && tmux send-keys -t a:0 x", "sleep && tmux send-keys -t a:0 x",
    "sleep 5 && sleep x; tmux send-keys -t a:0 x", "sleep 5 && && tmux send-keys -t a:0 x",
    "sleep 5 && tmux send-keys -t a:0 x &&", "sleep 5;; tmux send-keys -t a:0 x",
    "sleep 5 && tmux send-keys -t a:0 'don't do it'", 'sleep 5 && tmux send-keys -t a:0 "open',
    "sleep 5 && tmux send-keys -t a:0 x\\", "env TMUX= sleep 5 && tmux send-keys -t a:0 x",
    "sleep 5 && env TMUX=/tmp/s,1,0 tmux send-keys -t a:0 x",
    "sleep 5 && env -u TMUX tmux send-keys -t a:0 x", "setsid -f sleep 5 && tmux send-keys -t a:0 x",
    "nohup make && sleep 5 && tmux send-keys -t a:0 x",
    "sleep 5 && ./nohup tmux send-keys -t a:0 x && tmux send-keys -t a:0 x",
    "sleep 5 && timeout 5 tmux send-keys -t a:0 x && tmux send-keys -t a:0 x",
    "timeout -k 5 900 sleep 5; sudo -u me tmux send-keys -t a:0 x",
    "env -i sleep 5; exec tmux send-keys -t a:0 x",
    "source snapshot && eval 'sleep 600 && tmux send-keys -t a:0 hi' && pwd -P",
]  # fmt: skip


@pytest.mark.parametrize("script", OPAQUE)
def test_a_script_that_does_more_is_opaque(script: str) -> None:
    reading = read_script(script)
    assert isinstance(reading, OpaqueScript)
    assert reading.reason


@pytest.mark.parametrize(
    ("end", "word"),
    [(" &", "background"), (" | cat", "pipe"), (" $(id)", "expand"), ("\nid", "lines"), (" # x", "comment")],
)
def test_the_reason_says_what_stands_in_the_way(end: str, word: str) -> None:
    reading = read_script(REAL + end)
    assert isinstance(reading, OpaqueScript) and word in reading.reason


@pytest.mark.parametrize(
    "script",
    [
        "sleep 100", "sleep 100 && tmux kill-session -t a", "sleep 100; echo 'tmux send-keys -t a:0 x'",
        "tmux send-keys -t a:0 'sleep 5'", "echo sleep 5 '&&' tmux send-keys -t a:0 x",
        "sleep 100 # tmux send-keys later", "grep -r 'sleep 5 && tmux send-keys' .",
        "python3 agent.py --prompt 'sleep 5 && tmux send-keys -t a:0 x'", "make sleep && mytmux send-keys",
        "",
    ],
)  # fmt: skip
def test_what_does_not_sleep_and_send_is_no_scheduler(script: str) -> None:
    assert read_script(script) is None


@pytest.mark.parametrize(
    ("argv", "shell", "pure"),
    [
        (["bash", "-c", REAL], "bash", True), (["/bin/sh", "-c", REAL], "dash", True),
        (["sh", "-c", REAL], "dash", True), (["-zsh", "-lc", REAL], "zsh", True),
        (["bash", "-l", "-e", "-c", REAL], "bash", True), (["bash", "-c", "-l", REAL], "bash", True),
        (["busybox", "sh", "-c", REAL], "busybox", True), (["ash", "-c", REAL], "busybox", True),
        (["bash", "-c", REAL, "name"], "bash", False), (["bash", "--norc", "-c", REAL], "bash", False),
        (["bash", "-o", "noexec", "-c", REAL], "bash", False), (["bash", "-nc", REAL], "bash", False),
        (["bash", REAL], "bash", None), (["bash", "-x", REAL], "bash", None), (["bash", "-c"], "bash", None),
        (["bash"], "bash", None), ([], "bash", None), (["busybox", "sleep", "5"], "busybox", None),
        (["busybox", "watch", "-c", REAL], "busybox", None),
    ],
)  # fmt: skip
def test_the_script_is_the_one_argument_after_c(argv: list[str], shell: str, pure: bool | None) -> None:
    kind = {True: PureScript, False: OpaqueScript, None: type(None)}[pure]
    assert isinstance(read_command(argv, shell), kind)


@pytest.mark.parametrize(
    ("script", "fallback"),
    [
        ("sleep 5 && tmux send-keys -t a:0 x", [False]),
        ("sleep 5; tmux send-keys -t a:0 x", [False]),
        ("sleep 5 || tmux send-keys -t a:0 x", [True]),
        ("sleep 5 || tmux send-keys -t a:0 x && tmux send-keys -t a:0 y", [True, False]),
        ("sleep 5 && tmux send-keys -t a:0 x || tmux send-keys -t b:0 x", [False, True]),
        (
            "sleep 5 && tmux send-keys -t a:0 x || tmux send-keys -t b:0 x; tmux send -t c:0 x",
            [False, True, False],
        ),
        ("sleep 5 || sleep 6 || tmux send-keys -t a:0 x", [True]),
    ],
)
def test_what_only_runs_after_a_failure_is_told(script: str, fallback: list[bool]) -> None:
    reading = read_script(script)
    assert isinstance(reading, PureScript)
    assert [send.fallback for send in reading.sends] == fallback


def _keys(script: str) -> str:
    reading = read_script(script)
    assert isinstance(reading, PureScript), reading
    return reading.keys


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 && tmux send-keys -t a:0 'hi there' && sleep 1 && tmux send-keys -t a:0 Enter",
        "sleep 1h && tmux send -t b:1 hi\\ there && sleep 1 && tmux send-keys -t b:1 Enter",
        "nohup sleep 1m && tmux -L w send -t a:0 -- 'hi there' && sleep 1 && env tmux send -t a:0 Enter;",
    ],
)
def test_scripts_that_type_the_same_have_the_same_keys(script: str) -> None:
    assert _keys(script) == _keys("sleep 5&&tmux send -t x: 'hi there'&&sleep 1&&tmux send -t y: Enter")


@pytest.mark.parametrize(
    "script",
    [
        "sleep 5 && tmux send-keys -t a:0 hi there && sleep 1 && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -t a:0 'hi there' && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -t a:0 'hi there' && sleep 2 && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -t a:0 'hi there'; sleep 1 && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -l -t a:0 'hi there' && sleep 1 && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -N 2 -t a:0 'hi there' && sleep 1 && tmux send-keys -t a:0 Enter",
        "sleep 5 && tmux send-keys -t a:0 'hi there' && sleep 1 && tmux send-keys -t a:0",
    ],
)
def test_scripts_that_type_something_else_have_other_keys(script: str) -> None:
    assert _keys(script) != _keys("sleep 5&&tmux send -t x: 'hi there'&&sleep 1&&tmux send -t y: Enter")


def test_zsh_looks_up_a_program_for_a_word_that_begins_with_equals() -> None:
    script = "sleep 5 && tmux send-keys -t =a:0 x"
    assert isinstance(read_command(["bash", "-c", script], "bash"), PureScript)
    assert isinstance(read_command(["zsh", "-c", script], "zsh"), OpaqueScript)
    assert isinstance(read_command(["zsh", "-c", script.replace("=a", "'=a'")], "zsh"), PureScript)


def test_a_command_line_that_was_cut_is_never_pure() -> None:
    script = "sleep 5 && tmux send-keys -t a:0 " + "word " * 2000 + "; reboot"
    cut = parse_argv(b"\0".join([b"bash", b"-c", script.encode(), b""]))
    assert len(cut[2]) < ARGV_LIMIT
    assert isinstance(read_command(cut, "bash"), OpaqueScript)
    whole = REAL + " " + "x" * 3000
    assert isinstance(read_command(["bash", "-c", whole], "bash"), PureScript)


def test_the_text_that_would_be_typed_is_not_kept() -> None:
    for script in (REAL, *(text + "; secret" for text in OPAQUE)):
        assert "secret" not in repr(read_script(script))
        assert "Time for" not in repr(read_script(script))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("90", 90.0), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("3m", 180.0), ("1h", 3600.0),
        ("2d", 172800.0), ("10s", 10.0), ("1e3", 1000.0), ("inf", math.inf), ("Infinity", math.inf),
        ("infinityd", math.inf), ("", None), ("-1", None), ("+1", None), ("1M", None), ("nan", None),
        ("0x10", None), ("1 ", None), ("٣", None), ("1\N{LATIN SMALL LETTER LONG S}", None), ("30.0.0", None),
        ("one", None),
    ],
)  # fmt: skip
def test_durations_are_those_of_sleep(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


def test_a_sleep_of_several_durations_waits_for_their_sum() -> None:
    reading = read_script("sleep 1m 30s && tmux send-keys -t a:0 x && sleep 1m 30s")
    assert isinstance(reading, PureScript)
    assert (reading.delay, reading.sleep_args, reading.repeated) == (90.0, ("1m", "30s"), True)
