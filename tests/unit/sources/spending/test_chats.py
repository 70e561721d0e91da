"""Lines of Gemini CLI and pi: what they tell, in recorded files and in forms that are rare."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.literals.spending import RECORDED, SECRET, STARTED, line, stamp
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.facts.spending import (
    Event,
    Line,
    Occasion,
    RequestSeen,
    Spent,
    Tokens,
    ToolResult,
    ToolSeen,
)
from tmux_exporter.sources.spending import gemini_chats, pi_sessions

Parse = Callable[[bytes], Line | None]
MODULES: dict[str, Any] = {"gemini": gemini_chats, "pi": pi_sessions}


def recorded(program: str, *, times: int = 1) -> Spent:
    module = MODULES[program]
    lines = (RECORDED / f"{program}-turns.jsonl").read_bytes().splitlines() * times
    account = Account(0)
    account.conversation().observe(
        found for each in lines if module.wanted(each) and (found := module.parse(each)) is not None
    )
    return account.spent()


def events(program: str, **record: object) -> tuple[Event, ...]:
    found = MODULES[program].parse(line(timestamp=stamp(1_796_120_601), **record))
    return found.events if found else ()


@pytest.mark.parametrize(
    ("program", "requests", "turns", "tools"),
    [("gemini", 4, 0, (1, 2)), ("pi", 2, 1, (1, 0))],
)
@pytest.mark.parametrize("times", [1, 2])
def test_the_recorded_turns(
    program: str, requests: int, turns: int, tools: tuple[int, int], times: int
) -> None:
    """Each answer of the server that was recorded had 5 tokens of input and 5 of output."""
    spent = recorded(program, times=times)
    assert spent.requests == requests
    assert [*spent.tokens.values()] == [Tokens(input=5 * requests, output=5 * requests)]
    assert (spent.tool_calls[ToolResult.OK], spent.tool_calls[ToolResult.ERROR]) == tools
    assert spent.turns == turns * times
    assert spent.last_prompt is not None and SECRET not in repr(spent)


def test_gemini_counts_what_was_cached_and_its_thoughts_once() -> None:
    used = {"input": 900, "output": 40, "cached": 700, "thoughts": 20, "tool": 5, "total": 965}
    found = events("gemini", id="a", type="gemini", model="g-1", tokens=used, content=SECRET)
    tokens = Tokens(input=205, output=60, cache_read=700, reasoning=20)
    assert found == (RequestSeen(key="a", model="g-1", tokens=tokens, context=905),)


@pytest.mark.parametrize(
    "content",
    [[{"text": "<session_context>\nx"}], [{"functionResponse": {"id": "x"}}], SECRET, [], None],
)
def test_what_gemini_writes_for_a_user_itself_is_no_prompt(content: object) -> None:
    assert events("gemini", id="a", type="user", content=content) == ()
    assert events("gemini", id="a", type="user", content=[{"text": SECRET}]) == (Occasion.PROMPT,)


def test_of_what_gemini_had_before_only_what_it_goes_on_with_is_a_conversation(tmp_path: Path) -> None:
    """A resumed one has a second file; of another one a summary is written."""
    chats = Path(gemini_chats.place(str(tmp_path), "/p"))
    chats.mkdir(parents=True)

    def write(name: str, session: str, began: float, answered: float | None = None) -> None:
        project = chats.parent.name
        head = {"sessionId": session, "projectHash": project, "startTime": stamp(began), "kind": "main"}
        used = {"input": 5, "output": 5, "total": 10}
        said = {"id": "a", "type": "gemini", "timestamp": stamp(answered or began), "tokens": used}
        lines = (head, said, {"$set": {"summary": SECRET}})
        (chats / name).write_text("".join(json.dumps(each, separators=(",", ":")) + "\n" for each in lines))

    def found() -> dict[str, list[str]]:
        made = gemini_chats.candidates(str(tmp_path), "/p", STARTED, os.getuid())
        return {session: sorted(Path(each.path).name for each in files) for session, files in made.items()}

    write("summed-up.jsonl", "one", STARTED - 60)
    write("resumed.jsonl", "two", STARTED - 50)
    write("again.jsonl", "two", STARTED + 1)
    assert found() == {"two": ["again.jsonl"]}
    write("resumed.jsonl", "two", STARTED - 50, answered=STARTED + 2)
    assert found() == {"two": ["again.jsonl", "resumed.jsonl"]}


def test_a_history_of_gemini_that_is_replaced_repeats_requests() -> None:
    message = {"id": "a", "type": "gemini", "tokens": {"input": 5}}
    assert gemini_chats.parse(json.dumps({"$set": {"messages": [message]}}).encode()) is None


def test_pi_names_money_and_its_tools() -> None:
    usage = {"input": 9, "output": 50, "cacheRead": 800, "cacheWrite": 40, "cost": {"total": 0.01}}
    message = {"role": "assistant", "model": "m", "usage": usage, "stopReason": "toolUse"}
    (found,) = events("pi", type="message", id="e1", message=message)
    assert isinstance(found, RequestSeen) and found.dollars == 0.01 and found.context == 849
    assert found.tokens == Tokens(input=9, output=50, cache_read=800, cache_write_5m=40)
    failed = {"role": "toolResult", "toolCallId": "c", "isError": True, "content": SECRET}
    assert events("pi", type="message", id="e2", message=failed) == (
        ToolSeen(key="c", result=ToolResult.ERROR),
    )
    assert events("pi", type="compaction", id="e3", summary=SECRET) == (Occasion.COMPACTION,)


@pytest.mark.parametrize(
    ("program", "record"),
    [
        ("gemini", {"type": "gemini", "tokens": {"input": 5}}),
        ("gemini", {"type": "gemini", "id": "a", "tokens": {"input": "5"}}),
        ("pi", {"type": "message", "message": {"role": "assistant", "usage": {"input": 5}}}),
        ("pi", {"type": "message", "id": "a", "message": {"role": "assistant", "usage": {"input": -5}}}),
    ],
)
def test_what_is_malformed(program: str, record: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        events(program, **record)


@pytest.mark.parametrize("program", MODULES)
def test_a_line_without_a_time_tells_nothing(program: str) -> None:
    assert MODULES[program].parse(b'{"type":"compaction"}') is None
    assert MODULES[program].parse(b'{"type":"user","content":[{"text":"x"}]}') is None
