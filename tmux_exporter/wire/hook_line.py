"""The line that `tmux-exporter hook` leaves in a file for the exporter. Imports nothing: it must start fast.

    1 waiting permission 1795777592024000000 5165:73617 5153:73020

Version, state, reason or `-`, since when in nanoseconds of the epoch or `-` for when the file was written,
then the hook's ancestors as pid:start ticks, the nearest first.
"""

from __future__ import annotations

FOLDER = "hooks"
"""In the runtime folder, one file for each process that called a hook."""

LARGEST_BYTES = 1024
MOST_ANCESTORS = 8

STATES = ("working", "idle", "waiting")
FORGET = "forget"
"""The word by which a hook removes its state: its agent ends."""

REASONS = ("permission", "trust", "question", "dialog", "usage_limit", "api_error", "auth", "other")


class HookLineError(ValueError):
    """A line that no hook of this version writes."""


def render(state: str, reason: str, since: int | None, ancestors: list[tuple[int, int]]) -> bytes:
    """The line; `since` in nanoseconds."""
    places = " ".join(f"{pid}:{start}" for pid, start in ancestors)
    return f"1 {state} {reason or '-'} {since or '-'} {places}\n".encode("ascii")


def parse(line: bytes) -> tuple[str, str, int | None, list[tuple[int, int]]]:
    """The state, the reason (empty without one), since when, and the ancestors. Raises HookLineError."""
    words = line.split(b" ")
    if len(words) < 5 or words[0] != b"1" or not line.endswith(b"\n") or line.count(b"\n") != 1:
        raise HookLineError("is no line of a hook")
    state = words[1].decode("ascii", "replace")
    reason = "" if words[2] == b"-" else words[2].decode("ascii", "replace")
    if state not in STATES or (reason and reason not in REASONS) or bool(reason) != (state == "waiting"):
        raise HookLineError("has a word that is not known")
    since = None if words[3] == b"-" else _number(words[3])
    ancestors = []
    for word in words[4:]:
        pid, colon, start = word.strip(b"\n").partition(b":")
        if not colon:
            raise HookLineError("is no line of a hook")
        ancestors.append((_number(pid), _number(start)))
    if len(ancestors) > MOST_ANCESTORS:
        raise HookLineError("is no line of a hook")
    return state, reason, since, ancestors


def _number(word: bytes) -> int:
    if not word.isdigit() or len(word) > 20:
        raise HookLineError("is no line of a hook")
    return int(word)
