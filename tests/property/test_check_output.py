"""What `check` prints is performance data as monitoring plugins define it, whatever a name holds.

The parser here is written from the guidelines (section 2.6), not from our printer.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.commands.check.ranges import parse_range
from tmux_exporter.commands.check.verdict import Figure, Status, judge

RANGE = r"@?(?:(?:~|-?[0-9.]+)?:)?(?:-?[0-9.]+)?"
VALUE = r"-?[0-9]+(?:\.[0-9]+)?"
ITEM = re.compile(
    rf"(?:'((?:[^'=]|'')+)'|([^\s'=]+))=({VALUE})(us|ms|s|%|B|KB|MB|GB|TB|c)?"
    rf"(?:;({RANGE}))?(?:;({RANGE}))?(?:;({VALUE})?)?(?:;({VALUE})?)?(?: +|$)"
)


@dataclass(frozen=True)
class Item:
    label: str
    value: float
    unit: str
    warning: str
    critical: str


def parsed(text: str) -> list[Item]:
    """Every item; whatever is left over is an error."""
    items, place = [], 0
    while place < len(text):
        found = ITEM.match(text, place)
        assert found, text[place:]
        quoted, bare, value, unit, warning, critical, *_ = found.groups()
        label = (quoted or bare).replace("''", "'")
        items.append(Item(label, float(value), unit or "", warning or "", critical or ""))
        place = found.end()
    return items


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
ranges = st.none() | st.sampled_from(["10", "10:", "~:10", "1.5:20", "@10:20", "0"]).map(parse_range)
made = st.builds(
    Figure,
    label=names,
    value=st.none() | st.floats(-1e15, 1e15),
    unit=st.sampled_from(["", "s", "%", "B", "c"]),
    words=names,
    warning=ranges,
    critical=ranges,
)


@given(st.lists(made, max_size=20), st.lists(names, max_size=3))
def test_performance_data_parses_into_what_it_was_made_from(figures: list[Figure], unseen: list[str]) -> None:
    verdict = judge("memory", figures, calm="fine", unseen=unseen)
    first, *_ = verdict.text.split("\n")
    words, _, data = first.partition("|")
    assert words.startswith(f"TMUX MEMORY {verdict.status.name} - ")
    items = parsed(data.strip())
    known = [each for each in figures if each.value is not None]
    assert [unquote(each.label) for each in items] == [each.label for each in known]
    for item, figure in zip(items, known, strict=True):
        assert figure.value is not None
        assert abs(item.value - figure.value) <= max(0.0005, abs(figure.value) * 1e-12)
        assert item.unit == figure.unit
        assert item.warning == (figure.warning.text if figure.warning else "")
        assert item.critical == (figure.critical.text if figure.critical else "")
    expected = {each.status for each in figures} | ({Status.UNKNOWN} if unseen else set())
    order = [Status.CRITICAL, Status.WARNING, Status.UNKNOWN, Status.OK]
    assert verdict.status is next((each for each in order if each in expected), Status.OK)
