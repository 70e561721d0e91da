"""`tmux-exporter op`: the command as it would be without it, and what is reported of it."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes.run_text import run_text
from tests.support.programs.op_listener import OpListener
from tests.support.wait import wait_for
from tmux_exporter.reporters.op_arguments import WrongUseError, parse

OP = [sys.executable, "-m", "tmux_exporter", "op", "recovery"]


def run(
    listener: OpListener, *arguments: str, given: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `op` with these arguments; 64 times quicker than a hang."""
    return subprocess.run(
        [*OP, *arguments],
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
        env={**listener.environ(), **(env or {})},
    )


SAME = [
    "exit 0", "exit 1", "exit 77", "exit 255", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$",
    "kill -PIPE $$", "kill -USR1 $$", "trap 'exit 5' TERM; kill -TERM $$; exit 6",
    "cat; echo out; echo err >&2", "exec <&-; cat; echo $?", 'echo a b \'c d\' "$0" "$@"',
    "env | grep -v ^_= | sort", "grep -E '^(Sig(Blk|Ign|Cgt)|Umask|NoNewPrivs|Seccomp)' /proc/self/status",
    "ulimit -a; umask; pwd", "ls /proc/self/fd; readlink /proc/self/fd/57", "cut -d' ' -f5-7 /proc/self/stat",
    "yes | head -n 3", "no-such-command",
]  # fmt: skip
"""Each is run by sh with `op` before it and without, and has to come out the same."""

LOCALES = [
    {"LC_ALL": "C", "LANG": ""},
    {"LC_CTYPE": "C", "LC_ALL": ""},
    {"LANG": "C.UTF-8"},
    {"LC_CTYPE": "C.UTF-8"},
    {"LANG": "", "LC_ALL": "", "LC_CTYPE": "POSIX"},
]


def plainly(
    listener: OpListener, command: list[str], env: dict[str, str], kept: int
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        command, input=b"given\n", capture_output=True, timeout=60, check=False, pass_fds=(kept,),
        env={**listener.environ(), "ODD": "\udcff=x", **env},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_command_is_what_it_is_without(listener: OpListener) -> None:
    given = os.open("/dev/zero", os.O_RDONLY)
    kept = fcntl.fcntl(given, fcntl.F_DUPFD, 57)
    assert kept == 57
    os.close(given)
    try:
        for number, script in enumerate(SAME):
            command, env = ["sh", "-c", script, "name", "", "*", "--", "$x"], LOCALES[number % len(LOCALES)]
            bare = plainly(listener, command, env, kept)
            with_op = plainly(listener, [*OP, "--", *command], env, kept)
            assert with_op == bare, script
        for env in LOCALES:
            command = ["env"]
            bare, with_op = (plainly(listener, each, env, kept) for each in (command, [*OP, "--", *command]))
            assert sorted(with_op[1].split(b"\n")) == sorted(bare[1].split(b"\n")), env
    finally:
        os.close(kept)
    assert listener.wait_for_count("recovery", len(SAME) + len(LOCALES)).in_flight == 0


def test_without_an_exporter_it_is_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [*OP, "--", "sh", "-c", "cat; exit 3"],
        input=b"x",
        capture_output=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"x", b"")


def test_what_is_reported(listener: OpListener) -> None:
    assert run(listener, "--", "true").returncode == 0
    assert run(listener, "--", "false").returncode == 1
    assert run(listener, "--", "sh", "-c", "kill -9 $$").returncode == -9
    missing = run(listener, "--", "no-such-command")
    assert missing.returncode == 127
    assert missing.stderr == b"tmux-exporter op: cannot run 'no-such-command': No such file or directory\n"
    assert run(listener, "--", "/").returncode == 126
    found = listener.wait_for_count("recovery", 5)
    assert {reason: count for reason, count in found.errors.items() if count} == {
        "exit_status": 2,
        "other": 2,
    }
    assert found.duration.counts[found.duration.bounds.index(60.0)] == 5
    assert listener.settled_loss() == {}


def test_retries_until_it_succeeds(listener: OpListener, tmp_path: Path) -> None:
    script = f"echo x >>{tmp_path}/tries; test $(wc -l <{tmp_path}/tries) -ge 3"
    assert run(listener, "--retry", "5", "--backoff=1ms", "--", "sh", "-c", script).returncode == 0
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    found = listener.wait_for_count("recovery", 1)
    assert (found.retries_total, sum(found.errors.values())) == (2, 0)


def test_retries_end_and_the_last_status_counts(listener: OpListener, tmp_path: Path) -> None:
    script = f"echo x >>{tmp_path}/tries; exit $(wc -l <{tmp_path}/tries)"
    assert run(listener, "--retry", "2", "--backoff", "0", "--", "sh", "-c", script).returncode == 3
    assert run(listener, "--retry", "9", "--backoff", "0", "--", "no-such-command").returncode == 127
    found = listener.wait_for_count("recovery", 2)
    assert found.retries_total == 2, "a command that is not there is not tried again"
    assert (found.errors["exit_status"], found.errors["other"]) == (1, 1)


def test_a_timeout_ends_the_command_and_nobody_else(listener: OpListener, tmp_path: Path) -> None:
    assert run(listener, "--timeout", "300ms", "--", "sleep", "60").returncode == 124
    stubborn = f"trap 'echo told >>{tmp_path}/told' TERM; kill -STOP $$; exec sleep 0.05"
    assert run(listener, "--timeout=200ms", "--", "sh", "-c", stubborn).returncode == 124
    assert (tmp_path / "told").read_text() == "told\n", "a stopped one is told too, and goes on"
    found = listener.wait_for_count("recovery", 2)
    assert found.errors["timeout"] == 2
    assert found.duration.sum >= 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, 40])
def test_a_signal_for_us_is_the_command_s(listener: OpListener, tmp_path: Path, number: int) -> None:
    ready = tmp_path / "ready"
    # One that does not tell to end is a failure like any other, to be tried again.
    retry = ["--retry", "3"] if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) else []
    caught = f"trap 'echo got; exit 9' {int(number)}; touch {ready}; while :; do sleep 0.02; done"
    for script, status, output in ((caught, 9, b"got\n"), (f"touch {ready}; exec sleep 60", -number, b"")):
        with subprocess.Popen(
            [*OP, *retry, "--", "sh", "-c", script], stdout=subprocess.PIPE, env=listener.environ()
        ) as program:
            wait_for(ready.exists, "the command runs", timeout=60)
            ready.unlink()
            wait_for(lambda: listener.figures("recovery").in_flight == 1, "it is under way", timeout=60)
            program.send_signal(number)
            written, _ = program.communicate(timeout=30)
        assert (program.returncode, written) == (status, output)
    found = listener.wait_for_count("recovery", 2)
    assert found.errors["exit_status"] == 2
    assert found.retries_total == 0, "who is told to end does not try again"


def test_a_signal_between_two_attempts_ends_it(listener: OpListener, tmp_path: Path) -> None:
    command = [*OP, "--retry", "3", "--backoff", "1h", "--", "sh", "-c", f"touch {tmp_path}/ran; exit 4"]
    with subprocess.Popen(command, env=listener.environ()) as program:
        wait_for((tmp_path / "ran").exists, "it has run once", timeout=60)
        wait_for(lambda: not psutil.Process(program.pid).children(), "it has failed", timeout=60)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == -signal.SIGTERM
    assert listener.wait_for_count("recovery", 1).errors["exit_status"] == 1


def in_terminal(listener: OpListener, script: str, typed: bytes, sign: bytes) -> tuple[int, bytes]:
    """Run sh with this script on a terminal of its own and type once `sign` is there; status, output."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(listener.environ())
        os.execvp("sh", ["sh", "-c", script])
    output = b""
    try:
        while sign not in output:
            output += os.read(master, 1000)
        os.write(master, typed)
        while True:
            output += os.read(master, 1000)
    except OSError:
        pass  # the terminal has no user any more
    finally:
        os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


def test_a_key_of_the_terminal_reaches_the_command_once(listener: OpListener) -> None:
    counting = "trap 'n=$((n+1))' INT; echo re\"\"ady; sleep 1; sleep 0.1; echo caught $n; exit 3"
    with_op = f"exec {' '.join(OP)} -- sh -c '{counting.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'"
    status, output = in_terminal(listener, with_op, b"\x03", b"ready")
    assert status == 3, output
    assert b"caught 1" in output
    assert listener.wait_for_count("recovery", 1).errors["exit_status"] == 1


def test_a_command_killed_with_us_is_not_counted_as_finished(listener: OpListener, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*OP, "--", "sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 60"], env=listener.environ()
    ) as program:
        wait_for(
            lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "it runs", timeout=30
        )
        program.kill()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    listener.report(set())
    assert listener.report(set()).lost["unfinished"] == 1  # type: ignore[index]


def test_a_script_without_its_first_line_runs_as_in_a_shell(listener: OpListener, tmp_path: Path) -> None:
    script = tmp_path / "plain"
    script.write_text('echo "$1"; exit 5\n')
    script.chmod(0o755)
    done = run(listener, "--", str(script), "a b")
    assert (done.returncode, done.stdout) == (5, b"a b\n")
    done = run(listener, "--", "plain", "c", env={"PATH": f"/nowhere:{tmp_path}:/usr/bin:/bin"})
    assert (done.returncode, done.stdout) == (5, b"c\n")


def test_the_trace_of_the_caller_is_handed_on(listener: OpListener) -> None:
    listener.operations.configure((), 50, exemplars=True)
    trace = "0af7651916cd43dd8448eb211c80319c"
    run(listener, "--", "true", env={"TRACEPARENT": f"00-{trace}-b7ad6b7169203331-01"})
    run(listener, "--", "true", env={"TRACEPARENT": "nonsense"})
    found = listener.wait_for_count("recovery", 2).duration.exemplars
    assert [each.trace_id for each in found.values()] == [trace]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "name an operation and a command"),
        ("recovery", "name an operation and a command"),
        ("recovery --", "name an operation and a command"),
        ("-- true", "name an operation and a command"),
        ("Recovery -- true", "is no name of an operation"),
        ("recovery true", "write -- before the command: tmux-exporter op recovery -- true"),
        ("recovery --retries 3 -- true", "there is no option '--retries'"),
        ("recovery --retry -- true", "--retry needs a value"),
        ("recovery --retry -1 -- true", "--retry takes a number"),
        ("recovery --retry 1.5 -- true", "--retry takes a number"),
        ("recovery --retry 99999999 -- true", "--retry takes a number"),
        ("recovery --timeout 0 -- true", "--timeout takes a time"),
        ("recovery --timeout 5d -- true", "--timeout takes a time"),
        ("recovery --timeout nan -- true", "--timeout takes a time"),
        ("recovery --timeout 25h -- true", "--timeout takes a time"),
        ("recovery --backoff -5s -- true", "--backoff takes a time"),
        ("recovery --backoff 1.2.3s -- true", "--backoff takes a time"),
    ],
)
def test_wrong_use_is_one_line_with_the_mend(arguments: str, message: str) -> None:
    with pytest.raises(WrongUseError, match=message) as refused:
        parse(arguments.split())
    assert "\n" not in str(refused.value)


def test_wrong_use_ends_with_2_and_runs_nothing(listener: OpListener, tmp_path: Path) -> None:
    done = run(listener, "--retry", "x", "--", "touch", str(tmp_path / "ran"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"tmux-exporter op: --retry takes a number of 0 to 1000000, not 'x'\n"
    assert not (tmp_path / "ran").exists()
    told = run(listener, "--help")
    assert told.returncode == 0
    assert b"Example:\n  tmux-exporter op inter_agent_message -- ./send-claude-message.sh" in told.stdout


def test_options_are_read() -> None:
    request = parse(
        [
            "recovery", "--retry", "3", "--backoff=250ms", "--timeout", "1.5m", "--", "a", "--", "--timeout",
            "3",
        ]
    )  # fmt: skip
    assert request is not None
    assert (request.retries, request.backoff, request.timeout) == (3, 250 * 10**6, 90 * 10**9)
    assert request.command == ("a", "--", "--timeout", "3")


def test_nothing_heavy_is_imported_before_the_command(listener: OpListener) -> None:
    done = run_text(
        [sys.executable, "-X", "importtime", "-m", "tmux_exporter", "op", "recovery", "--", "true"],
        check=True,
        env=listener.environ(),
    )
    mine = done.stderr[done.stderr.index("tmux_exporter") :]
    loaded = {line.rpartition("|")[2].strip() for line in mine.splitlines()} - {"tmux_exporter"}
    assert {name for name in loaded if name.startswith("tmux_exporter.")} == {
        f"tmux_exporter.{name}"
        for name in (
            *("cli", "cli.main", "instrument", "reporters", "reporters.op", "reporters.op_arguments"),
            "reporters.become",
            *("wire", "wire.operation_line", "wire.runtime_folder"),
        )
    }
    assert not loaded & {"enum", "re", "typing", "socket", "signal", "subprocess", "pathlib", "click", "json"}
