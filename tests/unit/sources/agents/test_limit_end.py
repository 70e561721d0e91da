"""When a usage limit ends: real words of agents, read at a known time, and words that only look like them."""

from datetime import UTC, datetime

import pytest

from tmux_exporter.sources.agents.limit_end import limit_end

NOW = datetime(2026, 12, 1, 19, 10, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("rows", "end"),
    [
        (("⎿  You've hit your session limit · resets 9:41pm (UTC)",), (1, 21, 41)),
        (("⎿  You've hit your weekly limit · resets Dec 3, 9pm (Europe/Berlin)",), (3, 20, 0)),
        (("⎿  You've hit your limit · resets 6pm (UTC)",), (2, 18, 0)),
        (("resets 7:10pm (UTC)",), (1, 19, 10)),
        (("or try", "again at 9:22 PM (UTC)."), (1, 21, 22)),
        (("│ or try again │", "│ at Dec 3rd, 2026 9:42 PM UTC. │"), (3, 21, 42)),
        (("resets 8pm (UTC)", "resets 9pm (UTC)"), (1, 21, 0)),
    ],
)
def test_words_of_agents(rows: tuple[str, ...], end: tuple[int, int, int]) -> None:
    day, hour, minute = end
    assert limit_end(rows, NOW) == datetime(2026, 12, day, hour, minute, tzinfo=UTC).timestamp()


def test_a_day_of_january_in_december_is_next_year() -> None:
    found = limit_end(("resets Jan 2, 3am (UTC)",), NOW)
    assert found == datetime(2027, 1, 2, 3, 0, tzinfo=UTC).timestamp()


def test_without_a_zone_it_is_local_time() -> None:
    found = limit_end(("try again at 9:22 PM.",), NOW)
    assert found is not None
    # Read again at any time before it ends, it stays the same.
    assert limit_end(("try again at 9:22 PM.",), found - 3600) == found
    local = datetime.fromtimestamp(found)
    assert (local.hour, local.minute) == (21, 22)


@pytest.mark.parametrize(
    "words",
    ["", "resets 25pm (UTC)", "resets Feb 31, 3pm (UTC)", "resets 3pm (Not/AZone)", "resets 3pm PST",
     "Please try again in a few minutes", "try again at 1234567 AM", "resets soon, at 9pm they said"],
)  # fmt: skip
def test_what_is_no_known_time_has_none(words: str) -> None:
    assert limit_end((words,), NOW) is None
