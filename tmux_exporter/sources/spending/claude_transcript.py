"""Parse lines of Claude Code's transcripts (`projects/*/SESSION.jsonl`): usage, tools, turns, compactions.

The file is not documented. The forms are those of 2.1.197, and those that others report of earlier versions:
one line for each block of an answer, each with the usage of the whole request so far.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tmux_exporter.facts.spending import (
    Event,
    LimitSeen,
    Line,
    Occasion,
    RequestSeen,
    Tokens,
    ToolResult,
    ToolSeen,
)
from tmux_exporter.sources.spending.values import key, model, parsed, part, reset_of, time_of, tokens

_SYNTHETIC = "<synthetic>"
"""The model of an answer that the program itself has written."""

_USUAL: Mapping[str, tuple[str | None, ...]] = {
    "service_tier": (None, "standard"),
    "speed": (None, "standard"),
    "inference_geo": (None, "", "global", "not_available"),
}
"""What an answer at the usual price was served with."""

_WORDS = (b'"usage"', b'"tool_result"', b'"turn_duration"', b'"compact_boundary"', b'"promptSource"')
_BARE_PROMPT = b'"type":"user"'


def wanted(line: bytes) -> bool:
    """Whether a line may hold an event: most of a transcript does not, and is never parsed."""
    return any(word in line for word in _WORDS) or _BARE_PROMPT in line


def parse(line: bytes) -> Line | None:
    """The events of a line; None where it has none. Raises ValueError for one that is malformed.

    What was copied from another session is left out: it was counted there.
    """
    record = parsed(line)
    at = time_of(record)
    if at is None or "forkedFrom" in record:
        return None
    found = tuple(_events(record, at))
    return Line(at=at, events=found) if found else None


def _events(record: Mapping[str, Any], at: float) -> Iterator[Event]:
    kind, message = record.get("type"), part(record, "message")
    if kind == "assistant":
        usage = message.get("usage")
        if isinstance(usage, dict) and message.get("model") != _SYNTHETIC:
            yield _request(record, message, usage)
        elif record.get("error") == "rate_limit" and not record.get("isSidechain"):
            yield LimitSeen(reset=reset_of(message.get("content"), at))
    elif kind == "user":
        yield from _user(record, message.get("content"))
    elif kind == "system":
        match record.get("subtype"):
            case "turn_duration" if not record.get("isSidechain"):
                yield Occasion.TURN
            case "compact_boundary":
                yield Occasion.COMPACTION
            case _:
                pass


def _request(record: Mapping[str, Any], message: Mapping[str, Any], usage: Mapping[str, Any]) -> RequestSeen:
    # Without the identity of the answer nothing could tell a copy of it: its line stands for it.
    identity = key(message.get("id")) or key(record.get("uuid"))
    if not identity:
        raise ValueError("a request without an identity")
    written, split = tokens(usage, "cache_creation_input_tokens"), part(usage, "cache_creation")
    hour = tokens(split, "ephemeral_1h_input_tokens")
    spent = Tokens(
        input=tokens(usage, "input_tokens"),
        output=tokens(usage, "output_tokens"),
        cache_read=tokens(usage, "cache_read_input_tokens"),
        # What the split does not have was written before there were two kinds: for five minutes.
        cache_write_5m=max(written - hour, tokens(split, "ephemeral_5m_input_tokens")),
        cache_write_1h=hour,
    )
    context = spent.input + spent.cache_read + spent.cache_write_5m + spent.cache_write_1h
    return RequestSeen(
        key=identity,
        model=model(message.get("model")),
        tokens=spent,
        context=None if record.get("isSidechain") else context,
        usual=all(usage.get(name) in usual for name, usual in _USUAL.items()),
    )


def _user(record: Mapping[str, Any], content: object) -> Iterator[Event]:
    blocks = content if isinstance(content, list) else ()
    results = [each for each in blocks if isinstance(each, dict) and each.get("type") == "tool_result"]
    for each in results:
        if call := key(each.get("tool_use_id")):
            yield ToolSeen(key=call, result=ToolResult.ERROR if each.get("is_error") else ToolResult.OK)
    if not results and _is_prompt(record, content):
        yield Occasion.PROMPT


def _is_prompt(record: Mapping[str, Any], content: object) -> bool:
    """Whether somebody has asked for something: no command of the program, no note of its own."""
    if record.get("isMeta") or record.get("isSidechain") or record.get("isCompactSummary"):
        return False
    origin = record.get("origin")
    if isinstance(origin, dict):
        return origin.get("kind") == "human"
    if isinstance(content, str):
        return not content.startswith("<")
    return isinstance(content, list) and bool(content)
