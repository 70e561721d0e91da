"""Conversations of Qwen Code (`projects/FOLDER/chats/ID.jsonl`): their place, and what their lines tell.

The forms are those of 0.15. Each answer of a service has a line of its own (`ui_telemetry`), those of
subagents too.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tmux_exporter.facts.spending import (
    ContextSeen,
    Event,
    Line,
    Occasion,
    RequestSeen,
    Tokens,
    ToolResult,
    ToolSeen,
)
from tmux_exporter.sources.spending.follow import LinesSource
from tmux_exporter.sources.spending.heads import changed_since
from tmux_exporter.sources.spending.located import Source
from tmux_exporter.sources.spending.values import key, model, output_of, parsed, part, time_of, tokens

_WORDS = (b'"ui_telemetry"', b'"chat_compression"', b'"type":"user"', b'"type":"assistant"')


def home(environ: Mapping[str, str]) -> str:
    """The folder of its conversations."""
    moved = environ.get("QWEN_RUNTIME_DIR") or environ.get("QWEN_HOME")
    return moved or os.path.join(environ.get("HOME", "/"), ".qwen")


def place(base: str, folder: str) -> str:
    """Where the conversations of a folder are."""
    return os.path.join(base, "projects", re.sub("[^a-zA-Z0-9]", "-", folder), "chats")


def candidates(base: str, folder: str, since: float, uid: int) -> Mapping[str, tuple[Source, ...]]:
    """The conversations of a folder that were changed since then. Raises OSError."""
    return {
        path: (LinesSource(path=path, wanted=wanted, parse=parse),)
        for path, head in changed_since(place(base, folder), since, uid)
        if head.get("cwd") == folder
    }


def wanted(line: bytes) -> bool:
    """Whether a line may hold an event."""
    return any(word in line for word in _WORDS)


def parse(line: bytes) -> Line | None:
    """The events of a line; None where it has none. Raises ValueError for one that is malformed."""
    record = parsed(line)
    at = time_of(record)
    found = tuple(_events(record))
    return Line(at=at, events=found) if found and at is not None else None


def _events(record: Mapping[str, Any]) -> Iterator[Event]:
    match record.get("type"), record.get("subtype"):
        case "user", None:
            yield Occasion.PROMPT
        case "assistant", _:
            yield from _answer(record)
        case "system", "chat_compression":
            yield Occasion.COMPACTION
        case "system", "ui_telemetry":
            yield from _told(record, part(part(record, "systemPayload"), "uiEvent"))
        case _:
            pass


def _answer(record: Mapping[str, Any]) -> Iterator[Event]:
    if window := tokens(record, "contextWindowSize"):
        yield ContextSeen(window=window)
    parts = part(record, "message").get("parts")
    if not isinstance(record.get("usageMetadata"), dict) or not isinstance(parts, list):
        return
    if not any(isinstance(each, dict) and "functionCall" in each for each in parts):
        yield Occasion.TURN


def _told(record: Mapping[str, Any], event: Mapping[str, Any]) -> Iterator[Event]:
    identity = key(record.get("uuid"))
    if not identity:
        raise ValueError("an event without an identity")
    match event.get("event.name"):
        case "qwen-code.tool_call":
            yield ToolSeen(key=identity, result=ToolResult.OK if event.get("success") else ToolResult.ERROR)
        case "qwen-code.api_response":
            prompt, cached = tokens(event, "input_token_count"), tokens(event, "cached_content_token_count")
            thoughts, output = tokens(event, "thoughts_token_count"), tokens(event, "output_token_count")
            spent = Tokens(
                input=max(0, prompt - cached),
                output=output_of(prompt, output, thoughts, tokens(event, "total_token_count")),
                cache_read=cached,
                reasoning=thoughts,
            )
            # One that was interrupted has told no usage.
            if spent != Tokens():
                yield RequestSeen(
                    key=identity,
                    model=model(event.get("model")),
                    tokens=spent,
                    context=None if event.get("subagent_name") else prompt,
                )
        case _:
            pass
