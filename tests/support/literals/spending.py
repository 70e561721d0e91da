"""Lines of transcripts and rollouts in their measured shapes, and the recorded files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
