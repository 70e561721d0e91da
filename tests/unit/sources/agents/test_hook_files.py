"""The line of a hook, the files that hold them, and what they are worth."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clock import ShiftedClock
from tmux_exporter.analysis.agents.hook_state import (
    LatestHook,
    WindowActivity,
    agents_of_callers,
    hook_clue,
    reporting_agent,
)
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.agents import Agent, AgentState, StateSource, WaitingReason
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sources.agents.hook_files import HookFiles
from tmux_exporter.wire.hook_line import LARGEST_BYTES, REASONS, STATES, HookLineError, parse, render

CALLERS = [(12, 340), (11, 330)]


@pytest.mark.parametrize("state", STATES)
def test_a_line_is_read_back(state: str) -> None:
    for reason in REASONS if state == "waiting" else ("",):
        for since in (None, 1795777592024000000):
            assert parse(render(state, reason, since, CALLERS)) == (state, reason, since, CALLERS)


def test_the_words_are_those_of_the_metrics() -> None:
    assert set(STATES) == {"working", "idle", "waiting"} <= set(AgentState)
    assert tuple(WaitingReason) == REASONS


@pytest.mark.parametrize(
    "line",
    [
        b"", b"1 idle - -", b"1 idle - - 12:340", b"1 idle - - 12:340\n\n", b"2 idle - - 12:340\n",
        b"1 SECRET - - 12:340\n", b"1 exited - - 12:340\n", b"1 idle permission - 12:340\n",
        b"1 waiting - - 12:340\n", b"1 waiting SECRET - 12:340\n", b"1 idle - x 12:340\n",
        b"1 idle - -1 12:340\n", b"1 idle - - 12\n", b"1 idle - - 12:x\n", b"1 idle - - :\n",
        b"1 idle - - 12:" + b"9" * 21 + b"\n", b"1 idle - - " + b" ".join([b"12:340"] * 9) + b"\n",
        "1 idle - - ١٢:340\n".encode(), b"1 \xff - - 12:340\n",
    ],
)  # fmt: skip
def test_any_other_line_is_refused(line: bytes) -> None:
    with pytest.raises(HookLineError) as refused:
        parse(line)
    assert "SECRET" not in str(refused.value)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "hooks").mkdir(mode=0o700)
    tmp_path.chmod(0o700)
    return tmp_path


def reader(base: Path, uid: int | None = None) -> HookFiles:
    return HookFiles(str(base), uid=os.getuid() if uid is None else uid, clock=SystemClock())


def leave(base: Path, state: str = "working", reason: str = "", since: int | None = None) -> Path:
    file = base / "hooks" / "12-340"
    file.write_bytes(render(state, reason, since, CALLERS))
    file.chmod(0o600)
    return file


def test_every_file_is_a_word(base: Path) -> None:
    assert reader(base).read().reports == ()
    file = leave(base, "waiting", "permission", 1_700_000_000_500_000_000)
    (base / "hooks" / ".77").write_bytes(b"a draft")
    (word,) = reader(base).read().reports
    assert (word.state, word.reason, word.since) == (
        AgentState.WAITING,
        WaitingReason.PERMISSION,
        1_700_000_000.5,
    )
    assert word.callers == (ProcessId(12, 340), ProcessId(11, 330))
    assert word.at == file.stat().st_mtime
    leave(base)
    (word,) = reader(base).read().reports
    assert word.since == word.at
    leave(base, since=(int(word.at) + 3600) * 10**9)
    (word,) = reader(base).read().reports
    assert word.since == word.at, "nothing holds since later than it was said"


def test_a_change_is_seen_also_within_one_tick_of_the_kernels_clock(base: Path) -> None:
    clock = ShiftedClock()
    files = HookFiles(str(base), uid=os.getuid(), clock=clock)
    file = leave(base, "working")
    before = file.stat()
    assert [word.state for word in files.read().reports] == [AgentState.WORKING]
    file.write_bytes(render("waiting", "other", None, CALLERS)[: before.st_size])
    file.write_bytes(render("idle", "", None, [*CALLERS[:1], (11, 333_330)]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [word.state for word in files.read().reports] == [AgentState.IDLE]
    clock.advance(60.0)
    (word,) = files.read().reports
    assert files.read().reports == (word,)
    assert files.read().reports[0] is word, "a file that rests is not read again"
    file.unlink()
    assert files.read().reports == ()


def _link(file: Path) -> None:
    target = file.with_name("x-y")
    file.rename(target)
    file.symlink_to(target)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_link, "the file of its hooks is a link"),
        (_pipe, "the file of its hooks is no plain file"),
        (
            lambda file: file.write_bytes(b"1" * 2000),
            f"the file of its hooks is larger than {LARGEST_BYTES} bytes",
        ),
        (lambda file: file.write_bytes(b"SECRET\n"), "the file of its hooks is no line of a hook"),
        (lambda file: file.chmod(0o622), "the file of its hooks can be written by others"),
    ],
)
def test_a_file_not_believed_says_why(base: Path, spoil: Callable[[Path], None], why: str) -> None:
    file = leave(base)
    spoil(file)
    found = {word.problem for word in reader(base).read().reports if word.callers == (ProcessId(12, 340),)}
    assert found == {why}


def test_a_folder_that_is_not_ours_alone_says_nothing(base: Path) -> None:
    leave(base)
    (base / "hooks").chmod(0o770)
    assert reader(base).read().problem == "the folder of its hooks is not ours alone"
    (base / "hooks").chmod(0o700)
    assert reader(base, uid=os.getuid() + 1).read().problem == "the folder of its hooks is not ours alone"
    (base / "hooks").rename(base / "elsewhere")
    (base / "hooks").symlink_to(base / "elsewhere")
    assert reader(base).read().problem == "the folder of its hooks is not ours alone"
    assert reader(base / "none").read().reports == ()


SAID = LatestHook(at=1000.0, since=990.0, state=AgentState.WORKING, reason=None, problem="")
WAITS = replace(SAID, state=AgentState.WAITING, reason=WaitingReason.PERMISSION)
ALONE = WindowActivity(moved=1000.0, alone=True)


def test_a_word_is_a_clue_with_its_time() -> None:
    clue = hook_clue(WAITS, "", ALONE, 1001.0)
    assert (clue.source, clue.state, clue.reason, clue.since, clue.certain) == (
        StateSource.HOOK,
        AgentState.WAITING,
        WaitingReason.PERMISSION,
        990.0,
        True,
    )
    assert hook_clue(None, "", ALONE, 1001.0).why == "no hook has called"
    assert hook_clue(None, "the folder is bad", ALONE, 1001.0).why == "the folder is bad"
    bad = replace(SAID, state=None, problem="is a link")
    assert (hook_clue(bad, "", ALONE, 1001.0).state, hook_clue(bad, "", ALONE, 1.0).why) == (
        None,
        "is a link",
    )


@pytest.mark.parametrize(
    ("now", "moved", "believed"),
    [
        (1059.0, 1000.0, True),
        (1061.0, 1000.0, False),
        (1061.0, 1055.0, True),
        (9000.0, 8999.0, True),
        (9000.0, None, True),
    ],
)
def test_work_counts_while_its_window_moves(now: float, moved: float | None, believed: bool) -> None:
    for alone in (True, False):
        clue = hook_clue(SAID, "", WindowActivity(moved=moved, alone=alone), now)
        assert (clue.state is AgentState.WORKING) is believed


@pytest.mark.parametrize(
    ("moved", "alone", "believed"),
    [
        (1004.0, True, True),
        (1005.0, True, False),
        (1005.0, False, True),
        (None, True, True),
        (9.0, True, True),
    ],
)
def test_a_question_counts_until_the_window_moves(moved: float | None, alone: bool, believed: bool) -> None:
    clue = hook_clue(WAITS, "", WindowActivity(moved=moved, alone=alone), 9000.0)
    assert (clue.state is AgentState.WAITING) is believed


def test_idle_is_believed_as_it_is() -> None:
    idle = replace(SAID, state=AgentState.IDLE)
    assert hook_clue(idle, "", WindowActivity(moved=8999.0, alone=True), 9000.0).state is AgentState.IDLE


def agent(root: int, *tools: int, programs: tuple[int, ...] = ()) -> Agent:
    own = (root, *programs)
    return Agent(
        name="a", pane=PaneKey(ProcessId(1, 1), "%0"), process=ProcessId(root, 1), program="claude",
        version="", role="", reason="", members=frozenset(ProcessId(each, 1) for each in (*own, *tools)),
        programs=tuple(ProcessId(each, 1) for each in own),
    )  # fmt: skip


def test_a_hook_speaks_for_the_nearest_agent_above_it_and_a_tool_for_none() -> None:
    spoken = agents_of_callers([agent(10, 15, programs=(11,)), agent(20, 25)])

    def of(*ancestors: int) -> ProcessId | None:
        return reporting_agent([ProcessId(each, 1) for each in ancestors], spoken)

    assert of(10, 5) == of(11, 10, 5) == of(99, 98, 11, 10) == ProcessId(10, 1)
    assert of(20, 15, 10) == ProcessId(20, 1), "an agent below an agent speaks for itself"
    assert of(15, 10, 5) is None, "a subagent is a tool of its agent"
    assert of(98, 99) is None
    assert reporting_agent([ProcessId(10, 2)], spoken) is None, "another process of that pid"
