"""Figures in a few characters."""

from tmux_exporter.commands.views.text_table import UNKNOWN, span

_NEVER_SECONDS = 36_500 * 86_400


def due_words(due: float | None, now: float) -> str:
    """Until it is due; with a minus since then."""
    if due is None:
        return UNKNOWN
    left = due - now
    if left > _NEVER_SECONDS:
        return "never"
    return span(left) if left >= 0 else f"-{span(-left)}"


def cores(used: float | None) -> str:
    """As a share of one core: 1 is 100 %."""
    if used is None:
        return UNKNOWN
    return f"{used:.1%}" if used < 0.1 else f"{used:.0%}"


def short_bytes(count: int | None) -> str:
    """Four characters or so: `8.4M`, `226M`, `1.2G`."""
    if count is None:
        return UNKNOWN
    value = float(count)
    for unit in ("B", "K", "M", "G"):
        if value < 1000 or unit == "G":
            return f"{value:.1f}{unit}" if value < 10 and unit != "B" else f"{value:.0f}{unit}"
        value /= 1024
    raise AssertionError("the last unit returns")


def short_count(count: int) -> str:
    """Four characters or so: `950`, `12.3k`, `1.25M`."""
    return str(count) if count < 10_000 else f"{count / 1e3:.0f}k" if count < 1e6 else f"{count / 1e6:.1f}M"


def dollars(cost: float, *, whole: bool) -> str:
    """With a plus where it is at least that."""
    return f"${cost:.2f}" + ("" if whole else "+")
