"""The stub of the model APIs with figures of its own for each answer, and a log of every request.

A request is of the first kind whose mark stands in its instructions or its last two parts; without one, it is
an `answer` where it may call tools. The marks of each program, and which kinds it writes down, are in
tests/fixtures/agents/requests.toml.
"""

import itertools
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support.real_agents.stub import Body, Play, Stub, Tools

_TABLE = Path(__file__).parents[2] / "fixtures" / "agents" / "requests.toml"


class Kind(StrEnum):
    """What a request is for, or what became of it."""

    ANSWER = "answer"
    TITLE = "title"
    SUMMARY = "summary"
    RECAP = "recap"
    REFUSED = "refused"
    CUT = "cut"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One program of the table: the version it was seen at, the kinds that it writes down, and the others."""

    version: str
    counted: frozenset[Kind]
    unwritten: frozenset[Kind]
    marks: Mapping[Kind, tuple[str, ...]]


def written(program: str) -> Written:
    """What the table says of a program."""
    found = tomllib.loads(_TABLE.read_text())[program]
    return Written(
        version=found["version"],
        counted=frozenset(map(Kind, found["counted"])),
        unwritten=frozenset(map(Kind, found["unwritten"])),
        marks={Kind(kind): tuple(words) for kind, words in found.get("marks", {}).items()},
    )


@dataclass(slots=True, kw_only=True)
class Served:
    """One request of the log: what it was, and what its answer has used by kind of tokens."""

    kind: Kind
    used: dict[str, int] = field(default_factory=dict)


class MeteredStub(Stub):
    """A stub for one program of the table; the figures of its answers grow from `first`."""

    def __init__(self, program: str, resets_at: float | None = None, first: int = 1) -> None:
        self.written = written(program)
        self.log: list[Served] = []
        self._numbers = itertools.count(first)
        super().__init__(resets_at)

    def number(self, *kinds: Kind) -> int:
        """So many requests of these kinds have ended."""
        return sum(each.kind in kinds for each in list(self.log))

    @property
    def counted(self) -> list[Served]:
        """Those that the program writes down."""
        return [each for each in list(self.log) if each.kind in self.written.counted]

    @property
    def tokens(self) -> Counter[str]:
        """What those have used."""
        return sum((Counter(each.used) for each in self.counted), Counter())

    @property
    def by_kind(self) -> Counter[str]:
        """How many requests of each kind there were."""
        return Counter(each.kind.value for each in list(self.log))

    def calls(self, play: Play, tools: Tools, data: bytes) -> list[tuple[str, Body]]:
        found = super().calls(play, tools, data)
        if not found and "complete_task" in tools:
            # A subagent of Gemini is asked again until it calls this.
            return [("complete_task", {"result": "It is done.", "response": "It is done."})]
        return found

    def refused(self) -> None:
        self.log.append(Served(kind=Kind.REFUSED))

    def metered(self, events: Iterator[bytes], tools: Tools, body: Body) -> Iterator[bytes]:
        number = next(self._numbers)
        served = Served(kind=Kind.CUT)
        try:
            for event in events:
                head, mark, data = event.partition(b"data: ")
                told = json.loads(data) if data.startswith(b"{") else {}
                if _meter(told, number, served.used):
                    yield head + mark + json.dumps(told).encode() + b"\n\n"
                    continue
                yield event
            served.kind = self._kind(tools, body)
        finally:
            self.log.append(served)

    def whole(self, answer: Body, tools: Tools, body: Body) -> Body:
        served = Served(kind=self._kind(tools, body))
        _meter(answer, next(self._numbers), served.used)
        self.log.append(served)
        return answer

    def _kind(self, tools: Tools, body: Body) -> Kind:
        words = _last_words(body)
        for kind, marks in self.written.marks.items():
            if any(mark in words for mark in marks):
                return kind
        return Kind.ANSWER if tools else Kind.OTHER


def _last_words(body: Body) -> str:
    """The instructions of a request and the last two parts of its conversation."""
    items = body.get("messages") or body.get("contents") or body.get("input") or []
    told = [body.get(name) for name in ("system", "instructions", "systemInstruction")]
    if isinstance(items, list):
        told += [items[:1] if items and items[0].get("role") in ("system", "developer") else [], items[-2:]]
    return json.dumps(told, ensure_ascii=False)


def _meter(body: Body, number: int, used: dict[str, int]) -> bool:
    """Give an event its figures, and note them; whether it has any."""
    cached = {"input": 200 + number, "cache_read": 300 + number, "output": 80 + number}
    prompt = cached["input"] + cached["cache_read"]
    total = prompt + cached["output"]
    if str(body.get("object")).startswith("chat.completion") and "usage" in body:
        kinds = cached
        body["usage"] = {
            "prompt_tokens": prompt,
            "prompt_tokens_details": {"cached_tokens": kinds["cache_read"]},
            "completion_tokens": kinds["output"],
            "completion_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": total,
        }
        used.update(kinds)
        return True
    if "usageMetadata" in body:
        kinds = cached
        body["usageMetadata"] = {
            "promptTokenCount": prompt,
            "cachedContentTokenCount": kinds["cache_read"],
            # Its output has no reasoning.
            "candidatesTokenCount": kinds["output"] - 30,
            "thoughtsTokenCount": 30,
            "totalTokenCount": total,
        }
        used.update(kinds)
        return True
    match body.get("type"):
        case "message_start":
            kinds = {
                "input": 3 + number,
                "cache_read": 1000 + number,
                "cache_write_5m": 40,
                "cache_write_1h": 60 + number,
            }
            body["message"]["usage"] = {
                "input_tokens": kinds["input"],
                "cache_read_input_tokens": kinds["cache_read"],
                "cache_creation_input_tokens": kinds["cache_write_5m"] + kinds["cache_write_1h"],
                "cache_creation": {
                    "ephemeral_5m_input_tokens": kinds["cache_write_5m"],
                    "ephemeral_1h_input_tokens": kinds["cache_write_1h"],
                },
                "output_tokens": 1,
            }
        case "message_delta":
            kinds = {"output": 200 + number}
            body["usage"] = {"output_tokens": kinds["output"]}
        case "response.completed":
            kinds = cached
            body["response"]["usage"] = {
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": kinds["cache_read"]},
                "output_tokens": kinds["output"],
                "output_tokens_details": {"reasoning_tokens": 30},
                "total_tokens": total,
            }
        case _:
            return False
    used.update(kinds)
    return True
