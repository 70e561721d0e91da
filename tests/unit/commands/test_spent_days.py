"""What all files of the user's programs say by day: each request once, on its day, of ended agents too."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.spending import RECORDED, STARTED, answer, stamp
from tmux_exporter.commands.spent_days import spent_by_day
from tmux_exporter.commands.views.spending import as_text

DAY = 86_400.0
NOW = STARTED + 9 * 3600
"""In the evening of a day in UTC."""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def written(home: Path, place: str, *lines: bytes, at: float = NOW) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(lines) + b"\n")
    os.utime(path, (at, at))
    return path


def told(home: Path, days: int = 7) -> dict[str, Any]:
    return spent_by_day(ManualClock(time=NOW), {"HOME": str(home)}, "", days)


def rows(found: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    return {(row["day"], row["program"]): (row["requests"], row["output"]) for row in found["rows"]}


def test_each_request_counts_once_on_its_day(tmp_path: Path) -> None:
    before, now = [answer(name, at=STARTED - DAY, output=5) for name in "ab"], answer("c", output=7)
    written(tmp_path, ".claude/projects/-p/one.jsonl", *before, now, answer("c", output=9))
    # A fork copies what was before; a subagent has a file of its own; an old file is not read.
    written(tmp_path, ".claude/projects/-p/fork.jsonl", *before, now, answer("d", output=1))
    written(tmp_path, ".claude/projects/-p/one/subagents/agent-x.jsonl", answer("e", output=2))
    written(tmp_path, ".claude/projects/-p/old.jsonl", answer("f", at=STARTED - 30 * DAY), at=NOW - 30 * DAY)
    assert rows(told(tmp_path)) == {("2026-12-01", "claude"): (3, 12), ("2026-11-30", "claude"): (2, 10)}
    assert rows(told(tmp_path, days=1)) == {("2026-12-01", "claude"): (3, 12)}


def test_a_day_begins_at_midnight_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    midnight = time.mktime((2026, 12, 1, 0, 0, 0, 0, 0, -1))
    lines = [answer(stamp(at), at=at) for at in (midnight - 1, midnight, midnight + 1)]
    written(tmp_path, ".claude/projects/-p/one.jsonl", *lines)
    assert {day: each[0] for (day, _), each in rows(told(tmp_path)).items()} == {
        "2026-12-01": 2,
        "2026-11-30": 1,
    }


def test_files_of_every_program_are_found(tmp_path: Path) -> None:
    for place, name in (
        (".claude/projects/-p/s.jsonl", "claude-cleared"),
        (".codex/sessions/2026/12/01/rollout-x.jsonl", "codex-turns"),
        (".gemini/tmp/x/chats/session-x.jsonl", "gemini-turns"),
        (".pi/agent/sessions/--p--/x.jsonl", "pi-turns"),
    ):
        (tmp_path / place).parent.mkdir(parents=True)
        shutil.copy(RECORDED / f"{name}.jsonl", tmp_path / place)
    data = tmp_path / ".local/share/opencode"
    data.mkdir(parents=True)
    with sqlite3.connect(data / "opencode.db") as database:
        database.execute("CREATE TABLE session (id, parent_id, directory, time_created, time_updated)")
        database.execute("CREATE TABLE message (id, session_id, time_created, data)")
        database.execute("CREATE TABLE part (message_id, data)")
        made = int(STARTED * 1000)
        database.execute("INSERT INTO session VALUES ('s', NULL, '/p', ?, ?)", (made, made + 5))
        message = (
            '{"role": "assistant", "modelID": "m", "cost": 0.5, "time": {"completed": 1},'
            ' "tokens": {"input": 3, "output": 4, "reasoning": 0, "cache": {"read": 0, "write": 0}}}'
        )
        database.execute("INSERT INTO message VALUES ('m', 's', ?, ?)", (made + 1, message))
    database.close()
    found = told(tmp_path)
    assert {row["program"]: row["requests"] > 0 for row in found["rows"]} == dict.fromkeys(
        ("claude", "codex", "gemini", "opencode", "pi"), True
    )
    assert next(row["cost_dollars"] for row in found["rows"] if row["program"] == "opencode") == 0.5
    assert found["unread"] == {}


def test_what_cannot_be_read_is_counted_and_never_waited_for(tmp_path: Path) -> None:
    written(tmp_path, ".claude/projects/-p/one.jsonl", answer("a"))
    os.mkfifo(tmp_path / ".claude/projects/-p/pipe.jsonl")
    (tmp_path / ".claude/projects/-p/link.jsonl").symlink_to(tmp_path / ".claude/projects/-p/one.jsonl")
    data = tmp_path / ".local/share/opencode"
    data.mkdir(parents=True)
    (data / "opencode.db").write_text("not a database")
    found = told(tmp_path)
    assert rows(found) == {("2026-12-01", "claude"): (1, 20)}
    assert found["unread"] == {"claude": 2, "opencode": 1}
    assert "3 files or databases could not be read" in as_text(found)


def test_a_database_that_cannot_be_read_hides_no_other_program(tmp_path: Path) -> None:
    for place in (".local/share/opencode", ".pi/agent/sessions/--p--"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / ".local/share/opencode/opencode.db").write_text("not a database")
    shutil.copy(RECORDED / "pi-turns.jsonl", tmp_path / ".pi/agent/sessions/--p--/x.jsonl")
    found = told(tmp_path)
    assert {row["program"] for row in found["rows"]} == {"pi"}
    assert found["unread"] == {"opencode": 1}


def test_the_table_says_where_its_figures_are_from(tmp_path: Path) -> None:
    assert as_text(told(tmp_path)) == "none of your agents' files has a request of these days"
    written(tmp_path, ".claude/projects/-p/one.jsonl", answer("a", model="claude-sonnet-4-6"))
    text = as_text(told(tmp_path))
    assert text.splitlines()[1].split() == ["2026-12-01", "claude", "1", "7", "1000", "100", "20", "$0.00"]
    assert "by the times in your agents' files, those that ended too" in text
