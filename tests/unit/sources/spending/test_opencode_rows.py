"""Rows of OpenCode's database: each message once it is complete, copies and subagents as what they are."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.literals.spending import SECRET, STARTED
from tmux_exporter.facts.spending import (
    Event,
    Occasion,
    RequestSeen,
    SpendingProblem,
    Tokens,
    ToolResult,
    ToolSeen,
)
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Followed
from tmux_exporter.sources.spending.opencode_rows import candidates, home

FOLDER = "/home/ann/project"
USED = {"input": 9, "output": 50, "reasoning": 5, "cache": {"read": 800, "write": 40}}


class Store:
    """A database as the program makes it, open as the program has it."""

    def __init__(self, base: Path) -> None:
        self.path = str(base / "opencode.db")
        self.problems: list[SpendingProblem] = []
        self.database = sqlite3.connect(self.path, isolation_level=None)
        self.database.executescript(
            """PRAGMA journal_mode = WAL;
            CREATE TABLE session (id text PRIMARY KEY, parent_id text, directory text, title text,
              time_created integer, time_updated integer);
            CREATE TABLE message (id text PRIMARY KEY, session_id text, time_created integer, data text);
            CREATE TABLE part (id text PRIMARY KEY, message_id text, data text);"""
        )

    def session(self, name: str, *, parent: str | None = None, at: float = 1, folder: str = FOLDER) -> None:
        times = int((STARTED + at) * 1000), int((STARTED + at) * 1000)
        row = name, parent, folder, SECRET, *times
        self.database.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)", row)

    def message(
        self, name: str, *, of: str = "s", at: float = 2, role: str = "assistant", **more: object
    ) -> None:
        data = {"role": role, "modelID": "m", "tokens": USED, "path": {"cwd": SECRET}, **more}
        if role == "user":
            data = {"role": role, "summary": {"diffs": [SECRET]}}
        row = name, of, int((STARTED + at) * 1000), json.dumps(data)
        self.database.execute("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)", row)

    def follow(self, *, since: float = STARTED) -> dict[str, list[Followed]]:
        found = candidates(self.path, FOLDER, since, os.getuid())
        return {
            session: [each.open(uid=os.getuid(), since=since, note=self.problems.append) for each in sources]
            for session, sources in found.items()
        }


def events(followed: Followed) -> list[Event]:
    assert followed.look()
    found = [event for line in followed.read(1 << 20) if line is not None for event in line.events]
    assert not followed.look() and followed.caught_up
    return found


def request(key: str, *, dollars: float = 0.0, context: int | None = 849) -> RequestSeen:
    tokens = Tokens(input=9, output=55, cache_read=800, cache_write_5m=40, reasoning=5)
    return RequestSeen(key=key, model="m", tokens=tokens, context=context, dollars=dollars)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    with closing(made.database):
        made.session("s")
        yield made


def test_a_message_counts_once_it_is_complete(store: Store) -> None:
    store.message("u1", role="user")
    store.message("a1", at=3)
    (followed,) = store.follow()["s"]
    assert events(followed) == [Occasion.PROMPT]
    store.message("a1", at=3, time={"completed": 1}, cost=0.02, finish="tool-calls")
    call = {"type": "tool", "callID": "c", "state": {"status": "error", "error": SECRET}}
    store.database.execute("INSERT INTO part VALUES ('p', 'a1', ?)", (json.dumps(call),))
    assert events(followed) == [request("a1", dollars=0.02), ToolSeen(key="c", result=ToolResult.ERROR)]
    store.message("a2", at=4, time={"completed": 1}, finish="stop")
    assert events(followed) == [request("a2"), Occasion.TURN]


def test_subagents_fill_no_context_and_finish_no_turn(store: Store) -> None:
    store.session("child", parent="s")
    store.session("grandchild", parent="child")
    store.message("c1", of="grandchild", time={"completed": 1}, finish="stop")
    found = store.follow()["s"]
    assert [event for each in found for event in events(each)] == [request("c1", context=None)]


def test_a_summary_is_a_compaction(store: Store) -> None:
    store.message("a1", time={"completed": 1}, finish="stop", summary=True)
    assert events(store.follow()["s"][0]) == [Occasion.COMPACTION, request("a1")]


def test_what_was_copied_or_written_before_is_anothers(store: Store) -> None:
    store.session("fork", at=10)
    store.message("f1", of="fork", at=9, time={"completed": 1})
    store.message("f2", of="fork", at=11, time={"completed": 1})
    store.message("a1", at=9, time={"completed": 1})
    found = store.follow(since=STARTED + 10)
    assert [*found] == ["fork"] and events(found["fork"][0]) == [request("f2")]


def test_other_folders_and_what_was_interrupted(store: Store) -> None:
    store.session("other", folder=SECRET)
    store.message("a1", time={"completed": 1}, tokens={"input": 0, "output": 0})
    found = store.follow()
    assert [*found] == ["s"] and events(found["s"][0]) == []


def test_a_row_of_another_form_is_left_out(store: Store) -> None:
    store.message("a1", time={"completed": 1}, tokens={"input": "many"})
    store.database.execute("INSERT INTO message VALUES ('a2', 's', ?, '{')", (int((STARTED + 3) * 1000),))
    store.message("a3", at=4, time={"completed": 1})
    assert events(store.follow()["s"][0]) == [request("a3")]
    assert store.problems == [SpendingProblem.MALFORMED]


def test_many_rows_are_read_in_several_rounds(store: Store) -> None:
    for number in range(1000):
        store.message(f"a{number:04}", at=2 + number / 1000, time={"completed": 1})
    (followed,) = store.follow()["s"]
    rounds = [len(list(followed.read(1))) for _ in range(2)]
    assert rounds == [512, 488] and followed.caught_up


def test_what_is_no_database_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    with pytest.raises(FileNotFoundError):
        candidates(str(path), FOLDER, 0, os.getuid())
    path.write_bytes(b"SQLite? no" * 100)
    with pytest.raises(NotFollowedError) as error:
        candidates(str(path), FOLDER, 0, os.getuid())
    assert error.value.problem is SpendingProblem.UNREADABLE
    with pytest.raises(NotFollowedError) as error:
        candidates(str(path), FOLDER, 0, os.getuid() + 1)
    assert error.value.problem is SpendingProblem.UNTRUSTED


def test_where_it_is() -> None:
    assert home({"HOME": "/home/ann"}) == "/home/ann/.local/share/opencode/opencode.db"
    assert home({"HOME": "/home/ann", "XDG_DATA_HOME": "/d", "OPENCODE_DB": "/o.db"}) == "/o.db"
