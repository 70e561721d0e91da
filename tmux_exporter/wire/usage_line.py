"""The line that `tmux-exporter statusline` leaves for the exporter. Imports nothing: it starts fast.

    1 e2c03fe3-12c6-4c4a-9662 claude-x-1 1.25 0.75 41907 200000 5h:42:1796074896 7d:17:-

Version, session, model, dollars of the session, dollars since the process was first seen, tokens in the
context window and its size, then of each window of the quota its name, the used percentage and its reset
(seconds of the epoch). `-` stands for what is not known.
"""

from __future__ import annotations

FOLDER = "usage"
"""In the runtime folder, one file for each process of an agent, named PID-START."""

LARGEST_BYTES = 1024
WINDOWS = ("5h", "7d")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/[]@-")
_LARGEST = 1e15


class UsageLineError(ValueError):
    """A line that no statusline of this version writes."""


class UsageLine:
    """What one line says; None stands for what is not known."""

    __slots__ = ("context", "model", "quotas", "session", "session_dollars", "spent_dollars", "window")

    def __init__(
        self,
        *,
        session: str,
        model: str,
        session_dollars: float,
        spent_dollars: float = 0.0,
        context: int | None = None,
        window: int | None = None,
        quotas: dict[str, tuple[float, float | None]] | None = None,
    ) -> None:
        """`quotas` are by window: the used percentage, and when it is reset (wall time)."""
        self.session, self.model = session, model
        self.session_dollars, self.spent_dollars = session_dollars, spent_dollars
        self.context, self.window = context, window
        self.quotas = quotas or {}


def plain(text: object) -> str:
    """A name of usual characters; empty where it is none."""
    return text if isinstance(text, str) and 0 < len(text) <= 64 and _PLAIN.issuperset(text) else ""


def number(value: object) -> float | None:
    """A number that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LARGEST:
        return None
    return float(value)


def render(line: UsageLine) -> bytes:
    """The line of a file."""
    words = [
        *("1", line.session or "-", line.model or "-", repr(line.session_dollars), repr(line.spent_dollars)),
        *("-" if each is None else str(each) for each in (line.context, line.window)),
        *(f"{name}:{used!r}:{'-' if at is None else repr(at)}" for name, (used, at) in line.quotas.items()),
    ]
    return (" ".join(words) + "\n").encode("ascii")


def parse(content: bytes) -> UsageLine:
    """What a file says. Raises UsageLineError."""
    words = content.decode("ascii", "replace").removesuffix("\n").split(" ")
    if len(words) < 7 or words[0] != "1" or not content.endswith(b"\n"):
        raise UsageLineError("is no line of a statusline")
    quotas: dict[str, tuple[float, float | None]] = {}
    for word in words[7:]:
        name, _, rest = word.partition(":")
        used, _, at = rest.partition(":")
        if name not in WINDOWS:
            raise UsageLineError("has a window that is not known")
        quotas[name] = _known(used), _optional(at)
    context, window = _optional(words[5]), _optional(words[6])
    return UsageLine(
        session=plain(words[1]),
        model=plain(words[2]),
        session_dollars=_known(words[3]),
        spent_dollars=_known(words[4]),
        context=None if context is None else int(context),
        window=None if window is None else int(window),
        quotas=quotas,
    )


def _optional(word: str) -> float | None:
    return None if word == "-" else _known(word)


def _known(word: str) -> float:
    try:
        found = number(float(word))
    except ValueError:
        found = None
    if found is None:
        raise UsageLineError("has a word that is no number")
    return found
