"""Parse lines of Codex's rollouts (`sessions/YYYY/MM/DD/rollout-*.jsonl`): usage, tools, turns, compactions.

The forms are those of 0.171, where each request has a `token_usage_record`, and of versions before it, which
only write what the whole conversation has used (`token_count`), also without a new request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tmux_exporter.facts.spending import (
    ContextSeen,
    Event,
    LimitSeen,
    Line,
    Occasion,
    QuotaSeen,
    RequestSeen,
    Tokens,
    ToolResult,
    ToolSeen,
    TotalSeen,
)
from tmux_exporter.sources.spending.values import (
    OTHER_MODEL,
    key,
    model,
    number,
    parsed,
    part,
    reset_of,
    time_of,
    tokens,
    window,
)

_WORDS = (
    *(b'"token_usage_record"', b'"token_count"', b'"turn_context"', b'"task_started"', b'"task_complete"'),
    *(b'"compacted"', b'"item_completed"'),
)
_TOOLS = frozenset({"CommandExecution", "FileChange", "McpToolCall", "DynamicToolCall"})


def wanted(line: bytes) -> bool:
    """Whether a line may hold an event: most of a rollout does not, and is never parsed."""
    return any(word in line for word in _WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What the first line of a rollout says: the identity of its conversation, its folder, and its origin.

    `parent` is the conversation that has started this one as a subagent; empty for one of a user.
    `copied`: it may begin with a copy of another conversation. `started` is wall time, None where not known.
    """

    id: str
    cwd: str
    parent: str
    copied: bool
    started: float | None


def parse_head(line: bytes) -> Thread:
    """The first line of a rollout. Raises ValueError where it is none."""
    record = parsed(line)
    payload = part(record, "payload")
    identity, cwd = key(payload.get("id")), payload.get("cwd")
    if record.get("type") != "session_meta" or not identity or not isinstance(cwd, str):
        raise ValueError("no head of a rollout")
    spawn = part(part(part(payload, "source"), "subagent"), "thread_spawn")
    parent = key(spawn.get("parent_thread_id")) or key(payload.get("parent_thread_id"))
    # One that names its base copies nothing; lines with ordinals are of versions whose subagents begin empty.
    based = "history_base" in payload or "forked_from_ordinal_exclusive" in payload
    old_subagent = bool(parent) and "ordinal" not in record
    copied = not based and (bool(payload.get("forked_from_id")) or old_subagent)
    return Thread(id=identity, cwd=cwd, parent=parent, copied=copied, started=time_of(record))


class RolloutParser:
    """Parses the lines of one rollout in order: the model of a request stands in a line before it."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._model = OTHER_MODEL
        self._has_records = False

    def parse(self, line: bytes) -> Line | None:
        """The events of a line; None where it has none. Raises ValueError for one that is malformed."""
        record = parsed(line)
        at, payload = time_of(record), part(record, "payload")
        if at is None:
            return None
        found = tuple(self._events(record.get("type"), payload, at))
        return Line(at=at, events=found) if found else None

    def _events(self, kind: object, payload: Mapping[str, Any], at: float) -> Iterator[Event]:
        match kind:
            case "turn_context":
                self._model = model(payload.get("model"))
            case "token_usage_record":
                # The records of a conversation that was copied are those of another thread.
                if payload.get("thread_id") == self._thread.id:
                    self._has_records = True
                    yield self._request(payload)
            case "compacted":
                yield Occasion.COMPACTION
            case "event_msg":
                yield from self._message(payload, at)
            case _:
                pass

    def _message(self, payload: Mapping[str, Any], at: float) -> Iterator[Event]:
        match payload.get("type"):
            case "task_started":
                yield Occasion.PROMPT
            case "task_complete":
                yield Occasion.TURN
                error = part(payload, "error")
                if error.get("codex_error_info") == "usage_limit_exceeded":
                    yield LimitSeen(reset=reset_of(error.get("message"), at))
            case "token_count":
                info = part(payload, "info")
                last = part(info, "last_token_usage")
                if not self._has_records and info:
                    yield TotalSeen(model=self._model, total=_tokens(part(info, "total_token_usage")))
                yield ContextSeen(
                    tokens=tokens(last, "total_tokens") if last else None,
                    window=tokens(info, "model_context_window") or None,
                )
                yield from _quotas(part(payload, "rate_limits"))
            case "item_completed":
                item = part(payload, "item")
                if item.get("type") in _TOOLS and (call := key(item.get("id"))):
                    yield ToolSeen(key=call, result=_result(item))
            case _:
                pass

    def _request(self, payload: Mapping[str, Any]) -> RequestSeen:
        if not (identity := key(payload.get("response_id"))):
            raise ValueError("a request without an identity")
        return RequestSeen(key=identity, model=self._model, tokens=_tokens(part(payload, "usage")))


def _quotas(limits: Mapping[str, Any]) -> Iterator[QuotaSeen]:
    for name in ("primary", "secondary"):
        limit = part(limits, name)
        used, minutes = number(limit, "used_percent"), tokens(limit, "window_minutes")
        if used is not None and minutes:
            yield QuotaSeen(window=window(minutes), used_ratio=used / 100, reset=number(limit, "resets_at"))


def _result(item: Mapping[str, Any]) -> ToolResult:
    done = item.get("status") == "completed" and item.get("exit_code") in (None, 0)
    return ToolResult.OK if done else ToolResult.ERROR


def _tokens(usage: Mapping[str, Any]) -> Tokens:
    """Disjoint kinds: its input has what a cache had or got, its output has the reasoning."""
    read, written = tokens(usage, "cached_input_tokens"), tokens(usage, "cache_write_input_tokens")
    return Tokens(
        input=max(0, tokens(usage, "input_tokens") - read - written),
        output=tokens(usage, "output_tokens"),
        cache_read=read,
        cache_write_5m=written,
        reasoning=tokens(usage, "reasoning_output_tokens"),
    )
