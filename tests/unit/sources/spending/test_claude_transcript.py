"""Lines of Claude's transcripts: what they tell, and that nothing else of them is kept."""

import json
from typing import Any

import pytest

from tests.support.literals.spending import RECORDED, SECRET, STARTED, answer, line, stamp
from tmux_exporter.facts.spending import Event, LimitSeen, Occasion, RequestSeen, Tokens, ToolResult, ToolSeen
from tmux_exporter.sources.spending.claude_transcript import parse, wanted

TOKENS = Tokens(input=7, output=20, cache_read=1000, cache_write_5m=40, cache_write_1h=60)


def events(content: bytes) -> tuple[Event, ...]:
    assert wanted(content)
    found = parse(content)
    return found.events if found else ()


def user(content: object, **more: Any) -> bytes:
    message = {"role": "user", "content": content}
    return line(type="user", timestamp=stamp(STARTED + 1), message=message, **more)


def test_the_recorded_turns() -> None:
    lines = (RECORDED / "claude-turns.jsonl").read_bytes().splitlines()
    found = [parse(each) for each in lines if wanted(each)]
    assert [type(event).__name__ for each in found if each for event in each.events] == [
        *("RequestSeen", "Occasion", "Occasion", "Occasion"),
        *("RequestSeen", "RequestSeen", "ToolSeen", "RequestSeen", "Occasion"),
    ]
    assert SECRET not in str(found) and "zzsay" not in str(found)


def test_the_limit_of_its_quota_is_reached() -> None:
    lines = (RECORDED / "claude-cleared.jsonl").read_bytes().splitlines()
    # It says when it ends in the zone of the agent: 12:23pm (UTC).
    assert events(lines[-2]) == (LimitSeen(reset=1_796_127_780.0),)


def test_the_usage_of_an_answer() -> None:
    assert events(answer()) == (RequestSeen(key="msg_1", model="m-1", tokens=TOKENS, context=1107),)


def test_a_subagent_does_not_fill_the_context_of_its_agent() -> None:
    (found,) = events(answer(isSidechain=True))
    assert isinstance(found, RequestSeen) and found.context is None


def test_writes_to_the_cache_before_there_were_two_kinds() -> None:
    record = json.loads(answer())
    del record["message"]["usage"]["cache_creation"]
    (found,) = events(json.dumps(record).encode())
    assert isinstance(found, RequestSeen)
    assert (found.tokens.cache_write_5m, found.tokens.cache_write_1h) == (100, 0)


@pytest.mark.parametrize(
    "content",
    [
        answer(forkedFrom={"sessionId": "S"}),
        answer(model="<synthetic>"),
        line(type="progress", timestamp=stamp(STARTED), data={"message": json.loads(answer())}),
        line(type="assistant", message={"usage": {}}),
        user([{"type": "text", "text": "x"}], isMeta=True),
        user("<command-name>/clear</command-name>"),
        user("a summary", isCompactSummary=True),
        user("x", isSidechain=True),
        user("x", origin={"kind": "task-notification"}),
    ],
)
def test_what_is_counted_elsewhere_or_is_nobodys(content: bytes) -> None:
    assert parse(content) is None


@pytest.mark.parametrize(
    ("content", "event"),
    [
        (user(SECRET), Occasion.PROMPT),
        (user([{"type": "text", "text": SECRET}]), Occasion.PROMPT),
        (user("<x", origin={"kind": "human"}), Occasion.PROMPT),
        (
            user([{"type": "tool_result", "tool_use_id": "t1", "content": SECRET}]),
            ToolSeen(key="t1", result=ToolResult.OK),
        ),
        (
            user([{"type": "tool_result", "tool_use_id": "t1", "is_error": True}]),
            ToolSeen(key="t1", result=ToolResult.ERROR),
        ),
        (line(type="system", subtype="turn_duration", timestamp=stamp(STARTED)), Occasion.TURN),
        (line(type="system", subtype="compact_boundary", timestamp=stamp(STARTED)), Occasion.COMPACTION),
    ],
)
def test_prompts_tools_turns_and_compactions(content: bytes, event: Event) -> None:
    assert events(content) == (event,)


@pytest.mark.parametrize(
    "name",
    ["", SECRET * 9, "arn:aws:bedrock:eu:123456789012:x", "ann@example.org", "two words", None, 7, "é"],
)
def test_a_model_of_another_form_has_no_name(name: Any) -> None:
    (found,) = events(answer(model=name))
    assert isinstance(found, RequestSeen) and found.model == "other"


@pytest.mark.parametrize(
    "name", ["claude-opus-4-8", "openai/gpt-5.5", "claude-sonnet-4@20250514", "opus-4-8[1m]"]
)
def test_a_model_of_a_usual_form_has_its_name(name: str) -> None:
    (found,) = events(answer(model=name))
    assert isinstance(found, RequestSeen) and found.model == name


@pytest.mark.parametrize("count", [-1, "7", 1.5, True, 1 << 50])
def test_a_count_that_is_none_is_malformed(count: Any) -> None:
    record = json.loads(answer())
    record["message"]["usage"]["input_tokens"] = count
    with pytest.raises(ValueError, match="no count"):
        parse(json.dumps(record).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"type":"assistant"} x']
)
def test_what_is_no_object_is_malformed(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse(content)


def test_most_lines_are_never_parsed() -> None:
    assert not wanted(line(type="attachment", attachment={"content": SECRET}))
    assert not wanted(line(type="file-history-snapshot", snapshot={}))


@pytest.mark.parametrize(
    ("changes", "usual"),
    [
        ({}, True),
        ({"service_tier": "standard", "speed": "standard", "inference_geo": ""}, True),
        ({"service_tier": "priority"}, False),
        ({"service_tier": "batch"}, False),
        ({"speed": "fast"}, False),
        ({"inference_geo": "us"}, False),
    ],
)
def test_whether_it_was_served_at_the_usual_price(changes: dict[str, str], usual: bool) -> None:
    record = json.loads(answer())
    record["message"]["usage"].update(changes)
    (found,) = events(json.dumps(record).encode())
    assert isinstance(found, RequestSeen) and found.usual is usual
