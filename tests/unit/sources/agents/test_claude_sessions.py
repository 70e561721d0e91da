"""Claude's session files: what is believed, and that nothing else is."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ShiftedClock
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.agents import AgentState, Clue, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sources.agents.claude_sessions import (
    LARGEST_BYTES,
    ClaudeSessionReport,
    ClaudeSessions,
    parse,
)

RECORDED = Path(__file__).parents[3] / "fixtures" / "agents" / "claude-session-idle.json"
CLAUDE = ProcessId(5165, 73617)
NOBODY = 65534


def document(**changes: Any) -> bytes:
    return json.dumps(json.loads(RECORDED.read_text()) | changes).encode()


def test_the_recorded_file() -> None:
    assert parse(RECORDED.read_bytes(), CLAUDE) == ClaudeSessionReport(
        clue=Clue(
            source=StateSource.AGENT_FILE,
            state=AgentState.IDLE,
            since=1795777592.024,
            why="its session file says idle",
        ),
        version="2.1.197",
    )


@pytest.mark.parametrize(
    ("status", "waiting_for", "state", "reason"),
    [
        ("busy", None, AgentState.WORKING, None),
        ("shell", None, AgentState.IDLE, None),
        ("busy", "permission prompt", AgentState.WORKING, None),
        ("waiting", "permission prompt", AgentState.WAITING, WaitingReason.PERMISSION),
        ("waiting", "worker request", AgentState.WAITING, WaitingReason.PERMISSION),
        ("waiting", "sandbox request", AgentState.WAITING, WaitingReason.PERMISSION),
        ("waiting", "input needed", AgentState.WAITING, WaitingReason.QUESTION),
        ("waiting", "dialog open", AgentState.WAITING, WaitingReason.DIALOG),
        ("waiting", None, AgentState.WAITING, WaitingReason.OTHER),
        ("waiting", "SECRET", AgentState.WAITING, WaitingReason.OTHER),
        ("waiting", ["permission prompt"], AgentState.WAITING, WaitingReason.OTHER),
    ],
)
def test_every_status(
    status: str, waiting_for: object, state: AgentState, reason: WaitingReason | None
) -> None:
    clue = parse(document(status=status, waitingFor=waiting_for), CLAUDE).clue
    assert (clue.state, clue.reason, clue.certain) == (state, reason, True)
    assert "SECRET" not in clue.why


def test_one_task_without_a_prompt_is_work() -> None:
    clue = parse(RECORDED.with_name("claude-session-print.json").read_bytes(), ProcessId(25786, 598869)).clue
    assert (clue.state, clue.since, clue.certain) == (AgentState.WORKING, 1795782835.3, False)
    assert parse(document(status=None, entrypoint="sdk-py"), CLAUDE).clue.state is None
    assert parse(document(entrypoint="sdk-cli"), CLAUDE).clue.state is AgentState.IDLE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "its session file is no JSON"),
        (RECORDED.read_bytes()[:200], "its session file is no JSON"),
        (b"[" * 60_000, "its session file is no JSON"),
        (b"\xff\xfe", "its session file is no JSON"),
        (b"[]", "its session file is malformed"),
        (document(pid=5166), "its session file is that of another process"),
        (document(procStart="73618"), "its session file is that of another process"),
        (document(procStart=73617.5), "its session file is that of another process"),
        (document(procStart=None), "its session file is that of another process"),
        (document(version="3.0.0"), "its session file is of a version that is not known"),
        (document(version="2.1.197 SECRET"), "its session file is of a version that is not known"),
        (document(version=None), "its session file is of a version that is not known"),
        (document(status="SECRET"), "its session file has no status that is known"),
        (document(status=None), "its session file has no status that is known"),
        (document(status=["idle"]), "its session file has no status that is known"),
    ],
)
def test_whatever_is_not_as_it_was_seen_says_nothing(content: bytes, why: str) -> None:
    clue = parse(content, CLAUDE).clue
    assert (clue.state, clue.why) == (None, why)


@pytest.mark.parametrize("at", [None, "1", True, -1, 0, 10**400, float("inf"), float("nan"), {}])
def test_a_time_that_is_none_leaves_the_state(at: object) -> None:
    clue = parse(document(statusUpdatedAt=at), CLAUDE).clue
    assert (clue.state, clue.since) == (AgentState.IDLE, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sessions"
    made.mkdir(mode=0o700)
    return made


def reader(folder: Path) -> ClaudeSessions:
    # No such process has an environment to read: our own names the folder.
    return ClaudeSessions(
        uid=os.getuid(),
        clock=SystemClock(),
        environ={"CLAUDE_CONFIG_DIR": str(folder.parent)},
        proc_root="/nowhere",
    )


def test_the_first_process_that_has_a_file_speaks(folder: Path) -> None:
    (folder / "5165.json").write_bytes(document())
    word = reader(folder).read([ProcessId(5160, 73000), CLAUDE])
    assert (word.clue.state, word.version) == (AgentState.IDLE, "2.1.197")
    assert reader(folder).read([]).clue.why == "it has no session file"
    assert reader(folder).read([ProcessId(5160, 73000)]).clue.why == "it has no session file"


def test_the_agents_own_environment_names_its_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "5165.json").write_bytes(document())
    proc = tmp_path / "proc" / "5165"
    proc.mkdir(parents=True)
    (proc / "environ").write_bytes(b"HOME=/nowhere\0CLAUDE_CONFIG_DIR=" + os.fsencode(folder.parent) + b"\0")
    sessions = ClaudeSessions(
        uid=os.getuid(), clock=SystemClock(), environ={}, proc_root=str(tmp_path / "proc")
    )
    assert sessions.read([CLAUDE]).clue.state is AgentState.IDLE
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    folder.rename(home / ".claude" / "sessions")
    (proc / "environ").write_bytes(b"HOME=" + os.fsencode(home) + b"\0")
    assert sessions.read([CLAUDE]).clue.why == "it has no session file", "an environment is read once"
    sessions.retain([])
    assert sessions.read([CLAUDE]).clue.state is AgentState.IDLE


def test_a_change_is_seen_at_the_next_look(folder: Path) -> None:
    file = folder / "5165.json"
    file.write_bytes(document())
    sessions = reader(folder)
    assert sessions.read([CLAUDE]).clue.state is AgentState.IDLE
    file.write_bytes(document(status="busy"))
    assert sessions.read([CLAUDE]).clue.state is AgentState.WORKING
    file.unlink()
    assert sessions.read([CLAUDE]).clue.state is None
    file.write_bytes(document(status="waiting"))
    assert sessions.read([CLAUDE]).clue.state is AgentState.WAITING


def test_a_change_within_one_tick_of_the_kernels_clock_is_not_lost(folder: Path) -> None:
    clock, file = ShiftedClock(), folder / "5165.json"
    file.write_bytes(document())
    sessions = ClaudeSessions(
        uid=os.getuid(), clock=clock, environ={"CLAUDE_CONFIG_DIR": str(folder.parent)}, proc_root="/nowhere"
    )
    before = file.stat()
    assert sessions.read([CLAUDE]).clue.state is AgentState.IDLE
    file.write_bytes(document(status="busy"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sessions.read([CLAUDE]).clue.state is AgentState.WORKING
    clock.advance(60.0)
    word = sessions.read([CLAUDE])
    assert sessions.read([CLAUDE]) is word, "a file that rests is not read again"


def _link(file: Path) -> None:
    target = file.with_name("elsewhere")
    file.rename(target)
    file.symlink_to(target)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _huge(file: Path) -> None:
    file.write_bytes(document(cwd="x" * LARGEST_BYTES))


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_link, "its session file is a link"),
        (_pipe, "its session file is no plain file"),
        (_folder, "its session file is no plain file"),
        (_huge, f"its session file is larger than {LARGEST_BYTES} bytes"),
        (lambda file: file.chmod(0o666), "its session file can be written by others"),
    ],
)
def test_a_file_of_anybody_says_nothing(folder: Path, spoil: Callable[[Path], None], why: str) -> None:
    file = folder / "5165.json"
    file.write_bytes(document())
    file.chmod(0o644)
    sessions = reader(folder)
    assert sessions.read([CLAUDE]).clue.state is AgentState.IDLE
    spoil(file)
    clue = sessions.read([CLAUDE]).clue
    assert (clue.state, clue.why) == (None, why)


def test_a_file_of_another_user_and_one_that_cannot_be_read(folder: Path) -> None:
    file = folder / "5165.json"
    file.write_bytes(document())
    stranger = ClaudeSessions(
        uid=os.getuid() + 1,
        clock=SystemClock(),
        environ={"CLAUDE_CONFIG_DIR": str(folder.parent)},
        proc_root="/nowhere",
    )
    assert stranger.read([CLAUDE]).clue.why == "its session file belongs to another user"
    if os.getuid() != 0:
        file.chmod(0)
        assert reader(folder).read([CLAUDE]).clue.why == "its session file cannot be read (Permission denied)"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_root_believes_the_file_of_the_user_that_the_agent_runs_as_and_of_nobody_else(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], user=NOBODY) as agent:
        try:
            process = ProcessId(agent.pid, 1)
            path = tmp_path / "sessions" / f"{agent.pid}.json"
            path.parent.mkdir()
            path.write_bytes(document(pid=agent.pid, procStart="1"))
            sessions = ClaudeSessions(
                uid=0, clock=SystemClock(), environ={"CLAUDE_CONFIG_DIR": str(tmp_path)}, proc_root="/proc"
            )
            sessions._paths[process] = str(path)  # The child's environment names its own folder.
            assert sessions.read([process]).clue.why == "its session file belongs to another user"
            os.chown(path, NOBODY, NOBODY)
            assert sessions.read([process]).clue.state is AgentState.IDLE
        finally:
            agent.kill()
