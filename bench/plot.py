"""The CPU of each exporter by fleet as an SVG: bars on a logarithmic scale."""

import math
from collections.abc import Iterator
from html import escape

from bench.goals import PEERS, Result, mean

_COLORS = ("#1f6feb", "#388bfd", "#54a0ff", "#8b949e", "#57606a", "#bf8700")
_WIDTH, _BAR, _LEFT, _RIGHT = 880, 16, 250, 70


def svg(result: Result) -> str:
    """The whole picture; readable on a light and on a dark page."""
    rows = list(_rows(result))
    values = [value for _, bars in rows for _, value in bars]
    low = 10 ** math.floor(math.log10(min(values, default=1.0)))
    high = 10 ** math.ceil(math.log10(max(values, default=10.0)))
    span = math.log10(high / low) or 1.0

    def place(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log10(max(value, low) / low) / span

    parts: list[str] = []
    top = 40
    for title, bars in rows:
        parts.append(f'<text x="8" y="{top + 12}" class="title">{escape(title)}</text>')
        for number, value in bars:
            top += _BAR + 3
            color = _COLORS[number]
            parts.append(
                f'<text x="{_LEFT - 6}" y="{top + 12}" text-anchor="end">{escape(PEERS[number])}</text>'
                f'<rect x="{_LEFT}" y="{top}" width="{place(value) - _LEFT:.1f}" height="{_BAR}" '
                f'fill="{color}"/>'
                f'<text x="{place(value) + 5:.1f}" y="{top + 12}">{value:.3g}</text>'
            )
        top += _BAR + 16
    grid = [
        f'<line x1="{place(10.0**power):.1f}" y1="34" x2="{place(10.0**power):.1f}" y2="{top}" class="grid"/>'
        f'<text x="{place(10.0**power):.1f}" y="30" text-anchor="middle">{10.0**power:g}</text>'
        for power in range(round(math.log10(low)), round(math.log10(high)) + 1)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 8}" '
        'font-family="sans-serif" font-size="12">'
        "<style>text{fill:#57606a}.title{font-weight:bold}.grid{stroke:#8b949e55}"
        "@media(prefers-color-scheme:dark){text{fill:#adbac7}}</style>"
        f'<text x="8" y="16" class="title">CPU in {result["seconds"]:g} s, milliseconds</text>'
    )
    return "\n".join([head, *grid, *parts, "</svg>", ""])


def _rows(result: Result) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    for fleet in result["fleets"]:
        for phase, words in (("rest", "at rest"), ("active", "10 % at work")):
            found = [(number, mean(fleet, phase, name)) for number, name in enumerate(PEERS)]
            bars = [(number, value) for number, value in found if value]
            yield f"{fleet['panes']:,} panes, {fleet['others']:,} others, {words}", bars
