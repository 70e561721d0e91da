"""Figures in words: sizes, times, counts, and what is not known."""

import pytest

from tmux_exporter.commands.views.text_table import number, size, span


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 50, "3145728.0 GiB")],
)
def test_sizes_are_for_a_person(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m"), (86399, "23h 59m"),
        (86400, "1d 00h"), (9 * 86400 + 4.5 * 3600, "9d 04h"),
    ],
)  # fmt: skip
def test_a_time_is_told_by_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_what_is_not_known_is_a_question_mark() -> None:
    assert (size(None), number(None), number(0)) == ("?", "?", "0")
