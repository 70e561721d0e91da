"""The stub of the model APIs with figures of its own for each answer, and a log of what it served."""

import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from tests.support.real_agents.stub import Stub


class MeteredStub(Stub):
    """`served` is by kind of tokens what all answers to requests with tools have used.

    Programs ask without tools for titles of sessions, and write down nothing of that: these are `unwritten`.
    """

    def __init__(self, resets_at: float | None = None) -> None:
        self.served: Counter[str] = Counter()
        self.requests = 0
        self.unwritten = 0
        self._numbers = itertools.count(1)
        super().__init__(resets_at)

    def metered(self, events: Iterator[bytes], tools: Collection[str]) -> Iterator[bytes]:
        number = next(self._numbers)
        used: dict[str, int] = {}
        for event in events:
            head, mark, data = event.partition(b"data: ")
            body = json.loads(data) if data.startswith(b"{") else {}
            if _meter(body, number, used):
                yield head + mark + json.dumps(body).encode() + b"\n\n"
                continue
            yield event
        if tools:
            self.served.update(used)
            self.requests += 1
        else:
            self.unwritten += 1


def _meter(body: dict[str, Any], number: int, used: dict[str, int]) -> bool:
    """Give an event its figures, and note them; whether it has any."""
    cached = {"input": 200 + number, "cache_read": 300 + number, "output": 80 + number}
    prompt = cached["input"] + cached["cache_read"]
    total = prompt + cached["output"]
    if body.get("object") == "chat.completion.chunk" and "usage" in body:
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
