"""The transcripts of a process of Claude: by the session that it names itself, and by nothing else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.spending import SESSION
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Exactness, SpendingProblem
from tmux_exporter.sources.spending.claude_files import ClaudeFiles
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Located, Target

CLAUDE = ProcessId(4711, 123)
OTHER = "7965ed91-fe92-4b35-9734-38efb67bb139"


class Home:
    """A configuration folder of Claude, and who looks into it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.clock = ManualClock(time=2_000_000_000.0)
        (base / ".claude" / "sessions").mkdir(parents=True)
        self.projects = base / ".claude" / "projects"
        target = Target(process=CLAUDE, program="claude", programs=(CLAUDE,), started=1000.0, fresh=True)
        self.files = ClaudeFiles(
            target, uid=os.getuid(), clock=self.clock, own={"HOME": str(base)}, proc_root=str(base / "proc")
        )

    def says(self, session: str = SESSION, **changes: Any) -> None:
        path = self.base / ".claude" / "sessions" / f"{CLAUDE.pid}.json"
        document = {"pid": CLAUDE.pid, "procStart": str(CLAUDE.start_ticks), "sessionId": session, **changes}
        path.write_text(json.dumps(document))

    def transcript(self, session: str = SESSION, project: str = "-home-ann-project") -> Path:
        path = self.projects / project / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    def locate(self) -> Located | None:
        self.clock.advance(60)
        return self.files.locate((CLAUDE,))

    def paths(self) -> set[Path]:
        found = self.locate()
        assert found is not None and found.exactness is Exactness.EXACT
        return {Path(each.path) for each in found.sources}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_without_a_session_nothing_is_known(home: Home) -> None:
    home.transcript()
    assert home.locate() is None


def test_the_session_before_its_transcript_is_written(home: Home) -> None:
    home.says()
    assert home.paths() == set()
    path = home.transcript()
    home.transcript(OTHER)
    assert home.paths() == {path}


def test_the_transcripts_of_sessions_before_stay(home: Home) -> None:
    home.says()
    first = home.transcript()
    assert home.paths() == {first}
    home.says(OTHER)
    assert home.paths() == {first}
    assert home.paths() | {home.transcript(OTHER)} == home.paths()
    assert len(home.paths()) == 2


def test_subagents_at_work_and_none_of_before(home: Home) -> None:
    home.says()
    path = home.transcript()
    folder = path.with_suffix("") / "subagents"
    (folder / "workflows" / "run-1").mkdir(parents=True)
    wanted = {folder / "agent-1.jsonl", folder / "workflows" / "run-1" / "agent-2.jsonl"}
    old = folder / "agent-0.jsonl"
    for each in (*wanted, old, folder / "agent-1.meta.json"):
        each.touch()
    os.utime(old, (500, 500))
    assert home.paths() == {path, *wanted}


def test_a_session_in_two_projects_is_ambiguous(home: Home) -> None:
    home.says()
    home.transcript()
    home.transcript(project="-home-ann-other")
    with pytest.raises(NotFollowedError) as caught:
        home.locate()
    assert caught.value.problem is SpendingProblem.AMBIGUOUS


@pytest.mark.parametrize(
    "changes", [{"pid": 1}, {"procStart": "1"}, {"sessionId": "../../etc"}, {"sessionId": None}]
)
def test_a_session_file_that_is_not_its_own_names_nothing(home: Home, changes: dict[str, Any]) -> None:
    home.says(**changes)
    home.transcript()
    assert home.locate() is None


def test_half_a_session_file_changes_nothing(home: Home) -> None:
    home.says()
    path = home.transcript()
    assert home.paths() == {path}
    (home.base / ".claude" / "sessions" / f"{CLAUDE.pid}.json").write_text('{"pid":')
    assert home.paths() == {path}


def test_a_session_file_that_is_a_link_is_not_trusted(home: Home) -> None:
    (home.base / ".claude" / "sessions" / f"{CLAUDE.pid}.json").symlink_to("/etc/passwd")
    with pytest.raises(NotFollowedError, match="untrusted"):
        home.locate()
