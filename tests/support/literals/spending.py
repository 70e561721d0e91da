"""Lines of transcripts and rollouts in their measured shapes, recorded files, and what is told of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.spending import (
    AccountQuota,
    AgentSpending,
    Cost,
    CostSource,
    Exactness,
    SessionSpending,
    Spent,
    TokenKind,
    Tokens,
    ToolResult,
)

RECORDED = Path(__file__).parents[2] / "fixtures" / "agents" / "spending"
SECRET = "zz-secret-words-4711"
STARTED = 1_796_120_600.0
"""Before everything in the recorded files."""

THREAD = "01a23121-d006-7e62-8f5a-5ab2c1f3ab82"
SESSION = "e2c03fe3-12c6-4c4a-9662-a325f88ad5d5"


def stamp(at: float) -> str:
    """A wall time as programs write it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line(**record: Any) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def answer(
    identity: str = "msg_1", *, at: float = STARTED + 1, output: int = 20, model: str = "m-1", **more: Any
) -> bytes:
    """A line of Claude for one block of an answer."""
    usage = {
        "input_tokens": 7,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "output_tokens": output,
        "cache_creation": {"ephemeral_1h_input_tokens": 60, "ephemeral_5m_input_tokens": 40},
    }
    message = {"id": identity, "model": model, "usage": usage, "content": [{"type": "text", "text": SECRET}]}
    return line(
        type="assistant", timestamp=stamp(at), message=message, uuid=f"u-{identity}", cwd=SECRET, **more
    )


def head(
    *, thread: str = THREAD, cwd: str = "/home/ann/project", at: float = STARTED + 1, **more: Any
) -> bytes:
    """The first line of a rollout of Codex."""
    return line(
        timestamp=stamp(at), type="session_meta", payload={"id": thread, "cwd": cwd, "source": "cli", **more}
    )


def record(identity: str, *, at: float = STARTED + 1, thread: str = THREAD, **counts: int) -> bytes:
    """The line of one request of Codex."""
    usage = {"input_tokens": 500, "cached_input_tokens": 300, "output_tokens": 80, **counts}
    payload = {"thread_id": thread, "response_id": identity, "usage": usage}
    return line(timestamp=stamp(at), type="token_usage_record", payload=payload)


def total(*, at: float = STARTED + 1, last: int = 0, window: int | None = 258_400, **counts: int) -> bytes:
    """What a whole conversation of Codex has used."""
    info = {"total_token_usage": counts, "last_token_usage": {"total_tokens": last}}
    if window is not None:
        info["model_context_window"] = window  # type: ignore[assignment]
    return line(timestamp=stamp(at), type="event_msg", payload={"type": "token_count", "info": info})


_TOLD = 1_795_500_000.25

SPENDING = AgentSpending(
    exactness=Exactness.EXACT,
    tokens={
        ("input", "opus-1"): 18, ("output", "opus-1"): 609, ("cache_read", "opus-1"): 3009,
        ("cache_write_1h", "opus-1"): 189, ("input", "haiku-1"): 5, ("output", "haiku-1"): 0,
    },
    reasoning_tokens={"opus-1": 120},
    cost_dollars={CostSource.TABLE: 0.0185},
    unpriced_tokens=5,
    requests=4,
    turns=2,
    compactions=1,
    tool_calls={ToolResult.OK: 3, ToolResult.ERROR: 1},
    context_tokens=1115,
    context_window_tokens=None,
    last_prompt_timestamp_seconds=_TOLD - 90,
    since_start=Spent(tokens={"opus-1": Tokens(input=20, output=700)}, costs={"opus-1": Cost(0.02, 0)}),
    whole=True,
    account=1,
    state_cost_dollars={AgentState.WORKING: 0.018, AgentState.WAITING: 0.0005},
)  # fmt: skip

SESSION_SPENDING = SessionSpending(
    tokens=dict(zip(TokenKind, (30, 900, 3009, 0, 189), strict=True)),
    cost_dollars={CostSource.TABLE: 0.03},
    unpriced_tokens=5,
)
QUOTAS = (
    AccountQuota(
        program="codex", account=0, window="5h", used_ratio=0.635, reset=_TOLD + 3600, observed=_TOLD - 60
    ),
    AccountQuota(
        program="codex", account=0, window="7d", used_ratio=None, reset=_TOLD - 9, observed=_TOLD - 60
    ),
)
