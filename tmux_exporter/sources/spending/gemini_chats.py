"""Conversations of Gemini CLI (`tmp/PROJECT/chats/session-*.jsonl`): their place, and what their lines tell.

The forms are those of 0.61. A message is written again, with more, when its tokens and its tools are known;
what a whole history is replaced by (`$set`) repeats messages.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.facts.spending import Event, Line, Occasion, RequestSeen, Tokens, ToolResult, ToolSeen
from tmux_exporter.sources.common.untrusted_file import UntrustedFileError, read_guarded
from tmux_exporter.sources.spending.follow import LinesSource
from tmux_exporter.sources.spending.heads import changed_since, tail_of
from tmux_exporter.sources.spending.located import Source
from tmux_exporter.sources.spending.values import key, model, output_of, parsed, part, time_of, tokens

_WORDS = (b'"tokens"', b'"toolCalls"', b'"type":"user"')
_LARGEST_BYTES = 1024 * 1024
_TAIL_BYTES = 256 * 1024
_ENDED = {"success": ToolResult.OK, "error": ToolResult.ERROR, "cancelled": ToolResult.ERROR}


def home(environ: Mapping[str, str]) -> str:
    """The folder of its configuration."""
    return os.path.join(environ.get("GEMINI_CLI_HOME") or environ.get("HOME", "/"), ".gemini")


def place(base: str, folder: str) -> str:
    """Where the conversations of a folder are."""
    path = os.path.join(base, "projects.json")
    name: object = None
    try:
        document = strict_json.record(
            strict_json.parse(read_guarded(path, uid=os.getuid(), limit=_LARGEST_BYTES))
        )
        name = part(document, "projects").get(folder)
    except (OSError, UntrustedFileError, ValueError, TypeError):
        pass
    plain = isinstance(name, str) and name not in ("", ".", "..") and "/" not in name
    return os.path.join(base, "tmp", str(name) if plain else _hash(folder), "chats")


def _hash(folder: str) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()


def candidates(base: str, folder: str, since: float, uid: int) -> Mapping[str, tuple[Source, ...]]:
    """The conversations of a folder that were changed since then, with their subagents. Raises OSError.

    One that is gone on with may get a second file. Of one that began before, a summary may be written later:
    it counts from its first answer on.
    """
    chats, project = place(base, folder), _hash(folder)
    found: dict[str, tuple[Source, ...]] = {}
    for path, head in changed_since(chats, since, uid):
        if head.get("projectHash") == project and head.get("kind") in (None, "main"):
            began = time_of({"timestamp": head.get("startTime")})
            if began is not None and began < since and not _answers(path, since, uid):
                continue
            session = key(head.get("sessionId"))
            same = found.get(session) or tuple(_subagents(chats, head, since, uid))
            found[session] = (LinesSource(path=path, wanted=wanted, parse=parse), *same)
    return found


def _answers(path: str, since: float, uid: int) -> bool:
    """Whether the last lines of a file have an answer from since then."""
    for line in tail_of(path, uid=uid, most=_TAIL_BYTES).split(b"\n"):
        try:
            if b'"gemini"' in line and ((line_of := parse(line)) and line_of.at >= since):
                return True
        except ValueError:
            continue
    return False


def _subagents(chats: str, head: Mapping[str, Any], since: float, uid: int) -> Iterator[Source]:
    session = key(head.get("sessionId"))
    if session in ("", ".", "..") or "/" in session:
        return
    try:
        for path, _ in changed_since(os.path.join(chats, session), since, uid):
            yield LinesSource(path=path, wanted=wanted, parse=_parse_subagent)
    except OSError:
        return


def wanted(line: bytes) -> bool:
    """Whether a line may hold an event."""
    return any(word in line for word in _WORDS)


def parse(line: bytes) -> Line | None:
    """The events of a line; None where it has none. Raises ValueError for one that is malformed."""
    return _parsed(line, main=True)


def _parse_subagent(line: bytes) -> Line | None:
    return _parsed(line, main=False)


def _parsed(line: bytes, *, main: bool) -> Line | None:
    record = parsed(line)
    at = time_of(record)
    found = tuple(_events(record, main=main))
    return Line(at=at, events=found) if found and at is not None else None


def _events(record: Mapping[str, Any], *, main: bool) -> Iterator[Event]:
    kind = record.get("type")
    if kind == "user" and main and _is_prompt(record.get("content")):
        yield Occasion.PROMPT
    if kind != "gemini":
        return
    if isinstance(used := record.get("tokens"), dict):
        yield _request(record, used, main=main)
    calls = record.get("toolCalls")
    for each in calls if isinstance(calls, list) else ():
        if isinstance(each, dict) and (call := key(each.get("id"))) and each.get("status") in _ENDED:
            yield ToolSeen(key=call, result=_ENDED[each["status"]])


def _is_prompt(content: object) -> bool:
    """Whether somebody has asked for something: not the context of the program, nor a tool's answer."""
    first = content[0] if isinstance(content, list) and content else None
    text = first.get("text") if isinstance(first, dict) else None
    return isinstance(text, str) and not text.startswith("<session_context>")


def _request(record: Mapping[str, Any], used: Mapping[str, Any], *, main: bool) -> RequestSeen:
    if not (identity := key(record.get("id"))):
        raise ValueError("a request without an identity")
    prompt, cached, tool = tokens(used, "input"), tokens(used, "cached"), tokens(used, "tool")
    output, thoughts = tokens(used, "output"), tokens(used, "thoughts")
    return RequestSeen(
        key=identity,
        model=model(record.get("model")),
        tokens=Tokens(
            input=max(0, prompt - cached) + tool,
            output=output_of(prompt + tool, output, thoughts, tokens(used, "total")),
            cache_read=cached,
            reasoning=thoughts,
        ),
        context=prompt + tool if main else None,
    )
