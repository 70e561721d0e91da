"""Lines of Codex's rollouts: what they tell, in the form of 0.171 and in those before it."""

import json

import pytest

from tests.support.literals.spending import (
    RECORDED,
    SECRET,
    STARTED,
    THREAD,
    head,
    line,
    record,
    stamp,
    total,
)
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.facts.spending import (
    ContextSeen,
    Event,
    Occasion,
    QuotaSeen,
    RequestSeen,
    Tokens,
    ToolResult,
    ToolSeen,
    TotalSeen,
)
from tmux_exporter.sources.spending.codex_rollout import RolloutParser, Thread, parse_head, wanted

OWN = parse_head(head())


def events(*lines: bytes, thread: Thread = OWN) -> list[Event]:
    parser = RolloutParser(thread)
    parsed = [parser.parse(each) for each in lines if wanted(each)]
    return [event for each in parsed if each is not None for event in each.events]


def context(model: str) -> bytes:
    return line(timestamp=stamp(STARTED + 1), type="turn_context", payload={"model": model, "cwd": SECRET})


def message(**payload: object) -> bytes:
    return line(timestamp=stamp(STARTED + 1), type="event_msg", payload=payload)


def test_the_recorded_turns() -> None:
    lines = (RECORDED / "codex-turns.jsonl").read_bytes().splitlines()
    parser = RolloutParser(parse_head(lines[0]))
    account = Account(STARTED)
    account.conversation(begins=STARTED).observe(
        found for each in lines if wanted(each) and (found := parser.parse(each))
    )
    spent = account.spent()
    # As the log of the server that answered has it.
    assert spent.tokens == {"stub-1": Tokens(input=800, output=333, cache_read=1213, reasoning=120)}
    assert (spent.requests, spent.turns, spent.tool_calls) == (4, 4, {ToolResult.OK: 1, ToolResult.ERROR: 0})
    assert (spent.context_tokens, spent.context_window_tokens) == (590, 258_400)
    # Its last turn ended at the limit of its quota.
    assert spent.limited_since == pytest.approx(1_796_120_671.718)
    # It names no zone: that of this machine.
    assert spent.limit_reset is not None and 0 < spent.limit_reset - 1_796_120_671 < 90_000


def test_a_request_has_the_model_of_its_turn_and_what_was_cached_once() -> None:
    assert events(context("m-1"), record("r1", reasoning_output_tokens=30)) == [
        RequestSeen(key="r1", model="m-1", tokens=Tokens(input=200, output=80, cache_read=300, reasoning=30))
    ]


def test_totals_count_only_where_no_request_is_written_by_itself() -> None:
    first, _ = events(total(input_tokens=900, cached_input_tokens=700, output_tokens=80, last=980))
    assert first == TotalSeen(model="other", total=Tokens(input=200, output=80, cache_read=700))
    found = events(record("r1"), total(input_tokens=500, last=580))
    assert found[1:] == [ContextSeen(tokens=580, window=258_400)]


def test_the_quota_of_its_account() -> None:
    limits = {
        "primary": {"used_percent": 63.5, "window_minutes": 300, "resets_at": 1_796_074_871},
        "secondary": {"used_percent": 21, "window_minutes": 10_080, "resets_at": None},
        "credits": {"balance": SECRET},
    }
    assert events(message(type="token_count", info=None, rate_limits=limits))[1:] == [
        QuotaSeen(window="5h", used_ratio=0.635, reset=1_796_074_871.0),
        QuotaSeen(window="7d", used_ratio=0.21),
    ]
    limits["primary"] = {"used_percent": "much", "window_minutes": 300}
    with pytest.raises(ValueError, match="no number"):
        events(message(type="token_count", info=None, rate_limits=limits))


def test_a_record_of_another_conversation_is_a_copy() -> None:
    assert events(record("r1", thread="another")) == []


@pytest.mark.parametrize(
    ("item", "result"),
    [
        ({"type": "CommandExecution", "status": "completed", "exit_code": 0}, ToolResult.OK),
        ({"type": "CommandExecution", "status": "completed", "exit_code": 2}, ToolResult.ERROR),
        ({"type": "CommandExecution", "status": "declined"}, ToolResult.ERROR),
        ({"type": "McpToolCall", "status": "failed"}, ToolResult.ERROR),
        ({"type": "FileChange", "status": "completed"}, ToolResult.OK),
    ],
)
def test_the_end_of_a_tool(item: dict[str, object], result: ToolResult) -> None:
    found = events(message(type="item_completed", item={"id": "c1", "command": [SECRET], **item}))
    assert found == [ToolSeen(key="c1", result=result)]


def test_prompts_turns_and_compactions() -> None:
    assert events(
        message(type="task_started", model_context_window=1),
        message(type="task_complete", last_agent_message=SECRET),
        line(timestamp=stamp(STARTED), type="compacted", payload={"message": SECRET}),
        message(type="item_completed", item={"type": "UserMessage", "id": "i", "content": SECRET}),
    ) == [Occasion.PROMPT, Occasion.TURN, Occasion.COMPACTION]


def test_whose_conversation_it_is() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "P"}}}
    assert parse_head(head(source=spawned)) == Thread(
        id=THREAD, cwd="/home/ann/project", parent="P", copied=True, started=STARTED + 1
    )
    assert parse_head(head(forked_from_id="P")).copied
    assert not parse_head(head(forked_from_id="P", history_base={"thread_id": "P"})).copied
    assert not parse_head(head(forked_from_id="P", forked_from_ordinal_exclusive=87)).copied
    assert not OWN.copied and not OWN.parent


def test_a_subagent_whose_lines_have_ordinals_begins_empty() -> None:
    """Its first answer may come within the second in which early versions copied a history."""
    document = json.loads(head(source={"subagent": {"thread_spawn": {"parent_thread_id": "P"}}}))
    found = parse_head(json.dumps({**document, "ordinal": 0}).encode())
    assert found.parent == "P" and not found.copied


@pytest.mark.parametrize(
    "content", [b"", b"{", record("r1"), line(type="session_meta", payload={"id": 7}), b'{"payload": 1}']
)
def test_what_is_no_head(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_head(content)


def test_a_request_without_identity_is_malformed() -> None:
    with pytest.raises(ValueError, match="identity"):
        events(record(""))
