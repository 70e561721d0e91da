"""Conversations of pi (`sessions/--FOLDER--/TIME_ID.jsonl`): their place, and what their lines tell.

The forms are those of 0.73. A fork is a new file that begins with a copy of the entries, their times too.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tmux_exporter.facts.spending import Event, Line, Occasion, RequestSeen, Tokens, ToolResult, ToolSeen
from tmux_exporter.sources.spending.follow import LinesSource
from tmux_exporter.sources.spending.heads import changed_since
from tmux_exporter.sources.spending.located import Source
from tmux_exporter.sources.spending.values import key, model, number, parsed, part, time_of, tokens

_WORDS = (b'"usage"', b'"toolResult"', b'"role":"user"', b'"type":"compaction"')


def home(environ: Mapping[str, str]) -> str:
    """The folder of its configuration."""
    return environ.get("PI_CODING_AGENT_DIR") or os.path.join(environ.get("HOME", "/"), ".pi", "agent")


def place(base: str, folder: str) -> str:
    """Where the conversations of a folder are."""
    return os.path.join(base, "sessions", f"--{re.sub(r'[/:]', '-', folder.removeprefix('/'))}--")


def candidates(base: str, folder: str, since: float, uid: int) -> Mapping[str, tuple[Source, ...]]:
    """The conversations of a folder that were changed since then. Raises OSError."""
    return {
        path: (LinesSource(path=path, wanted=wanted, parse=parse, begins=time_of(head)),)
        for path, head in changed_since(place(base, folder), since, uid)
        if head.get("type") == "session" and head.get("cwd") == folder
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
    if record.get("type") == "compaction":
        yield Occasion.COMPACTION
    if record.get("type") != "message":
        return
    message = part(record, "message")
    match message.get("role"):
        case "user":
            yield Occasion.PROMPT
        case "toolResult":
            if call := key(message.get("toolCallId")):
                yield ToolSeen(key=call, result=ToolResult.ERROR if message.get("isError") else ToolResult.OK)
        case "assistant":
            if (request := _request(record, message)) is not None:
                yield request
            if message.get("stopReason") in ("stop", "length"):
                yield Occasion.TURN
        case _:
            pass


def _request(record: Mapping[str, Any], message: Mapping[str, Any]) -> RequestSeen | None:
    """None where its service told no usage: it was interrupted, or refused."""
    usage = part(message, "usage")
    spent = Tokens(
        input=tokens(usage, "input"),
        output=tokens(usage, "output"),
        cache_read=tokens(usage, "cacheRead"),
        cache_write_5m=tokens(usage, "cacheWrite"),
    )
    if spent == Tokens():
        return None
    if not (identity := key(record.get("id"))):
        raise ValueError("a request without an identity")
    return RequestSeen(
        # Its own identity is one within its file.
        key=f"{identity} {record.get('timestamp')}",
        model=model(message.get("model")),
        tokens=spent,
        context=spent.input + spent.cache_read + spent.cache_write_5m,
        dollars=number(part(usage, "cost"), "total") or 0.0,
    )
