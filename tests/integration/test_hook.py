"""`tmux-exporter hook`, called as agents call it, and how soon and for whom its word is seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.run_text import run_text
from tests.support.tmux.played_agent import PlayedAgents
from tests.support.wait import wait_for
from tmux_exporter.facts.agents import AgentState, StateSource, WaitingReason
from tmux_exporter.wire.hook_line import parse

HOOK = f"{sys.executable} -m tmux_exporter hook"


@pytest.fixture
def agents(tmux_server: StartTmux, socket_dir: Path) -> PlayedAgents:
    return PlayedAgents(socket_dir.parent, tmux_server("default"))


def serving(agents: PlayedAgents, name: str) -> str:
    """The script of an agent that runs each line that is written into the pipe `NAME.in`."""
    pipe = agents.base / f"{name}.in"
    os.mkfifo(pipe)
    exports = f"export XDG_RUNTIME_DIR={agents.base} PYTHONPATH={Path(__file__).parents[2]}"
    return f'{exports}; while :; do read -r line <{pipe} && eval "$line"; done'


def call(agents: PlayedAgents, name: str, command: str) -> None:
    """Let an agent run a command to its end."""
    done = agents.base / f"{name}.done"
    done.unlink(missing_ok=True)
    (agents.base / f"{name}.in").write_text(f"{command}; echo $? >{done}\n")
    wait_for(lambda: done.exists() and done.read_text().strip(), f"{command} ends", 30.0)


def files(agents: PlayedAgents) -> list[Path]:
    return sorted((agents.base / "tmux-exporter" / "hooks").iterdir())


def test_the_word_of_a_hook_is_seen_in_the_next_sample(agents: PlayedAgents) -> None:
    pid = agents.start("one", serving(agents, "one"))
    assert agents.tracked("one").status.source is not StateSource.HOOK
    call(agents, "one", f"{HOOK} waiting permission")
    status = agents.look()["one"].status
    assert (status.state, status.reason, status.source) == (
        AgentState.WAITING,
        WaitingReason.PERMISSION,
        StateSource.HOOK,
    )
    (file,) = files(agents)
    assert abs(status.since - file.stat().st_mtime) < 1.0
    assert parse(file.read_bytes())[3][0][0] == pid
    # A second hook for the same question does not begin it anew.
    before = file.stat().st_mtime_ns
    call(agents, "one", f"{HOOK} waiting permission")
    assert parse(file.read_bytes())[2] == before
    assert agents.look()["one"].status.since == pytest.approx(status.since, abs=0.001)
    call(agents, "one", f"{HOOK} working")
    assert agents.look()["one"].status.state is AgentState.WORKING
    mksh = agents.base / "mksh"
    mksh.symlink_to("/bin/sh")
    call(agents, "one", f"sh -c '{mksh} -c \"{HOOK} idle; :\"; :'")
    assert agents.look()["one"].status.state is AgentState.IDLE
    assert len(files(agents)) == 1, "shells between agent and hook are not the agent"
    call(agents, "one", f"{HOOK} forget")
    assert files(agents) == []


def test_two_agents_and_a_stranger_each_speak_for_themselves(agents: PlayedAgents) -> None:
    for name, state in (("one", "working"), ("two", "waiting question"), ("none", "waiting auth")):
        agents.start(name, serving(agents, name), "claude" if name != "none" else "tool")
        call(agents, name, f"{HOOK} {state}")
    assert len(files(agents)) == 3
    wait_for(lambda: {"one", "two"} <= agents.look().keys(), "both agents are seen", 30.0)
    lives = agents.look()
    assert (lives["one"].status.state, lives["two"].status.reason) == (
        AgentState.WORKING,
        WaitingReason.QUESTION,
    )


def run(environ: dict[str, str], *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tmux_exporter", "hook", *arguments]
    whole = {**os.environ, **environ}
    return subprocess.run(command, capture_output=True, input=stdin, env=whole, check=False)


def test_it_reads_nothing_and_says_nothing(tmp_path: Path) -> None:
    done = run({"XDG_RUNTIME_DIR": str(tmp_path)}, "working", stdin=b'{"prompt": "SECRET"}' * 50_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (file,) = (tmp_path / "tmux-exporter" / "hooks").iterdir()
    assert b"SECRET" not in file.read_bytes()
    assert [each.stat().st_mode & 0o777 for each in (file, file.parent, file.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]


@pytest.mark.parametrize(
    "arguments",
    [(), ("SECRET",), ("exited",), ("idle", "auth"), ("waiting", "SECRET"), ("waiting", "auth", "x")],
)
def test_wrong_use_never_stops_an_agent(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run({"XDG_RUNTIME_DIR": str(tmp_path)}, *arguments)
    assert done.returncode == 1, "2 would stop what the agent is about to do"
    assert done.stderr.startswith(b"tmux-exporter hook: say one of ") and done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_it_writes_nowhere_but_into_a_folder_of_its_own(tmp_path: Path) -> None:
    ours = tmp_path / "tmux-exporter"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    ours.symlink_to(elsewhere)
    assert run({"XDG_RUNTIME_DIR": str(tmp_path)}, "idle").returncode == 1
    ours.unlink()
    ours.mkdir(mode=0o777)
    ours.chmod(0o777)
    assert b"doctor" in run({"XDG_RUNTIME_DIR": str(tmp_path)}, "idle").stderr
    ours.chmod(0o700)
    (ours / "hooks").symlink_to(elsewhere)
    assert run({"XDG_RUNTIME_DIR": str(tmp_path)}, "idle").returncode == 1
    assert list(elsewhere.iterdir()) == []
    assert run({"XDG_RUNTIME_DIR": "/proc/none"}, "idle").returncode == 1


def test_a_heap_of_old_words_is_swept(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert run(environ, "idle").returncode == 0
    folder = tmp_path / "tmux-exporter" / "hooks"
    (own,) = folder.iterdir()
    own.rename(folder / "kept")
    living = own.name
    for number in range(80):
        (folder / f"{2**22 + number}-1").write_text("old")
    (folder / ".4194399").write_text("a draft of nobody")
    (folder / f"{os.getpid()}-1").write_text("another process of that pid")
    assert run(environ, "idle").returncode == 0
    assert [each.name for each in folder.iterdir()] == [living]


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    done = run_text(
        [sys.executable, "-X", "importtime", "-m", "tmux_exporter", "hook", "idle"],
        check=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    mine = done.stderr[done.stderr.index("tmux_exporter") :]
    loaded = {line.rpartition("|")[2].strip() for line in mine.splitlines()} - {"tmux_exporter"}
    assert {name for name in loaded if name.startswith("tmux_exporter.")} == {
        f"tmux_exporter.{name}"
        for name in (
            *("cli", "cli.main", "facts", "facts.shells", "reporters", "reporters.hook"),
            "reporters.hand_over",
            *("wire", "wire.hook_line", "wire.runtime_folder"),
        )
    }
    assert not loaded & {"enum", "re", "typing", "socket", "signal", "subprocess", "pathlib", "click", "json"}


def test_doctor_prints_what_every_agent_needs_and_changes_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tmux_exporter", "doctor", "--hooks"]
    done = subprocess.run([*command, "--json"], capture_output=True, check=True, env=environ)
    told = json.loads(done.stdout)
    assert "Nothing was changed." in run_text(command, check=True, env=environ).stdout
    assert list(tmp_path.iterdir()) == []
    assert set(told["programs"]) == {"claude", "codex", "gemini", "qwen"}
    for program in told["programs"].values():
        calls = [
            call["command"].partition(" hook ")[2].split()
            for groups in program["settings"]["hooks"].values()
            for group in groups
            for call in group["hooks"]
        ]
        assert calls
        for words in calls:
            assert run({"XDG_RUNTIME_DIR": str(tmp_path)}, *words).returncode == 0
