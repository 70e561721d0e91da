"""`tmux-exporter statusline`, as an agent calls it: the user's own command runs as if we were not there."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.wire.usage_line import UsageLine, parse

STATUSLINE = [sys.executable, "-m", "tmux_exporter", "statusline"]
SECRET = "zz-secret-words-4711"
SESSION = "e2c03fe3-12c6-4c4a-9662-a325f88ad5d5"


def told(*, session: str = SESSION, dollars: Any = 1.25, **more: object) -> dict[str, Any]:
    """What Claude Code 2.1.197 writes, with a marker in every text."""
    return {
        "session_id": session,
        "transcript_path": f"/home/{SECRET}/{session}.jsonl",
        "cwd": SECRET,
        "session_name": SECRET,
        "model": {"id": "claude-x-1", "display_name": SECRET},
        "cost": {"total_cost_usd": dollars, "total_duration_ms": 9000},
        "context_window": {"total_input_tokens": 41907, "context_window_size": 200000, "used_percentage": 21},
        "rate_limits": {"five_hour": {"used_percentage": 42, "resets_at": 1796074896}, "seven_day": None},
        **more,
    }


class Agent:
    """We call it, as an agent would."""

    def __init__(self, base: Path) -> None:
        self.base = base
        own = psutil.Process()
        start = Path(f"/proc/{own.pid}/stat").read_text().rpartition(")")[2].split()[19]
        self.file = base / "tmux-exporter" / "usage" / f"{own.pid}-{start}"

    def call(
        self, given: object, *command: str, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run it with this in standard input; `before` are the words of a shell in between."""
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        (self.base / "given").write_bytes(content)
        with (self.base / "given").open("rb") as stdin:
            return subprocess.run(
                [*before, *STATUSLINE, *(("--", *command) if command else ())],
                stdin=stdin,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "XDG_RUNTIME_DIR": str(self.base)},
            )

    def keeps(self, given: dict[str, Any]) -> UsageLine:
        """What is kept once a call was not too slow."""
        dollars = given["cost"]["total_cost_usd"]

        def kept() -> UsageLine | None:
            assert self.call(given).returncode == 0
            line = parse(self.file.read_bytes()) if self.file.exists() else None
            right = line is not None and (line.session, line.session_dollars) == (
                given["session_id"],
                dollars,
            )
            return line if right else None

        line = wait_for(kept, "it is kept", 30.0)
        assert isinstance(line, UsageLine)
        return line


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_the_command_has_the_same_input_parent_and_streams(agent: Agent) -> None:
    done = agent.call(told(), "sh", "-c", 'cat; echo "$PPID" >&2; exit 7')
    assert (json.loads(done.stdout), int(done.stderr), done.returncode) == (told(), os.getpid(), 7)


def test_numbers_model_and_session_are_kept_and_nothing_else(agent: Agent) -> None:
    line = agent.keeps(told())
    assert (line.model, line.context, line.window) == ("claude-x-1", 41907, 200000)
    assert line.quotas == {"5h": (42.0, 1796074896.0)}
    assert SECRET not in agent.file.read_text() and agent.file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in agent.file.parent.iterdir()] == [agent.file.name]


def test_money_is_what_is_spent_since_the_first_call_of_each_session(agent: Agent) -> None:
    other = SESSION.replace("e", "f")
    calls = [(SESSION, 1.25), (SESSION, 1.5), (other, 4.0), (other, 4.5), (SESSION, 0.0), (SESSION, 0.25)]
    spent = [agent.keeps(told(session=session, dollars=dollars)).spent_dollars for session, dollars in calls]
    assert spent == [0.0, 0.25, 0.25, 0.75, 0.75, 1.0]


def test_shells_between_are_not_the_agent(agent: Agent) -> None:
    def kept() -> bool:
        agent.call(told(), "true", before=("sh", "-c", '"$@"; :', "sh", "bash", "-c", '"$@"; :', "bash"))
        return agent.file.exists()

    wait_for(kept, "it is kept", 30.0)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"cost": 1}',
        b'{"cost": {"total_cost_usd": NaN}}',
        b" " * 70_000,
    ],
)
def test_whatever_is_given_is_given_back(agent: Agent, given: bytes) -> None:
    done = agent.call(given, "od", "-An", "-tx1", "-v")
    assert bytes.fromhex(done.stdout) == given and (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_kept_hinders_nobody(agent: Agent) -> None:
    (agent.base / "tmux-exporter").write_text("no folder")
    done = agent.call(told(), "echo", "mine")
    assert (done.stdout, done.stderr, done.returncode) == ("mine\n", "", 0)


def test_input_that_comes_late_or_is_large_is_handed_on(agent: Agent) -> None:
    process = subprocess.Popen(
        [*STATUSLINE, "--", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "XDG_RUNTIME_DIR": str(agent.base)},
    )
    assert process.stdin is not None
    with process:
        process.stdin.write(b"first ")
        process.stdin.flush()
        # It has become the command, which waits for the rest.
        wait_for(lambda: psutil.Process(process.pid).name() == "cat", "it is the command", 30.0)
        assert process.communicate(b"x" * 5_000_000)[0] == b"first " + b"x" * 5_000_000


@pytest.mark.parametrize(
    ("command", "status"),
    [(("/nowhere/x",), 127), (("/etc",), 126), (("sh", "-c", "kill -9 $$"), -9)],
)
def test_a_command_that_does_not_run_is_told_by_its_status(
    agent: Agent, command: tuple[str, ...], status: int
) -> None:
    done = agent.call(told(), *command)
    assert done.returncode == status and done.stderr.startswith("tmux-exporter statusline: ") is (status > 0)


def test_wrong_use_and_help() -> None:
    assert subprocess.run([*STATUSLINE, "cat"], capture_output=True, check=False).returncode == 2
    assert "tmux-exporter statusline --" in run_text([*STATUSLINE, "--help"], check=True).stdout


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", *STATUSLINE[1:]]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = run_text(command, check=True, env=environ, stdin=subprocess.DEVNULL)
    mine = done.stderr[done.stderr.index("tmux_exporter") :]
    loaded = {line.rpartition("|")[2].strip() for line in mine.splitlines()}
    assert not loaded & {"enum", "re", "typing", "socket", "signal", "subprocess", "pathlib", "click", "json"}


@pytest.mark.long
def test_it_costs_at_most_25_ms(tmp_path: Path) -> None:
    """The installed script over the user's command alone, beside a bare start of the interpreter; medians."""
    given = tmp_path / "given"
    given.write_text(json.dumps(told()))
    script = str(Path(sys.executable).parent / "tmux-exporter")
    commands = {
        "alone": ["/bin/true"],
        "with it": [script, "statusline", "--", "/bin/true"],
        "bare": [sys.executable, "-I", "-c", ""],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(200):
        for name, command in commands.items():
            with given.open("rb") as stdin:
                began = time.perf_counter()
                environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
                subprocess.run(command, stdin=stdin, check=True, env=environ)
                times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(medians)
    assert medians["with it"] - medians["alone"] <= 25.0, medians
