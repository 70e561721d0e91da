"""When a usage limit ends, by words of a screen: "resets 9:41pm (UTC)", "try again at Dec 3rd, 9:42 PM"."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_AT = re.compile(
    r"\b(?:resets?|[Tt]ry again|[Rr]etry|[Aa]vailable again)\b[ :]*(?:at |on )?"
    r"(?:(?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?(?:, (?P<year>\d{4}))?,? (?:at )?)?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>[aApP])[mM]\b"
    r"(?: \(?(?P<zone>[A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)*)\b\)?)?"
)


def limit_end(rows: Sequence[str], now: float) -> float | None:
    """The wall time that the last such words name, read at the wall time `now`; None where none do.

    A time without a day is the next one. Without a zone it is the local time of this machine.
    """
    # A narrow pane breaks the words anywhere between two of them.
    text = " ".join(row.strip(" \t\N{NO-BREAK SPACE}│┃║|") for row in rows)
    found = [*_AT.finditer(text)]
    try:
        return _time(found[-1], now) if found else None
    except (ValueError, OverflowError, OSError):
        return None


def _time(found: re.Match[str], now: float) -> float:
    """Raises ValueError for a time that does not exist, and for a zone that this machine does not know."""
    if not 1 <= int(found["hour"]) <= 12:
        raise ValueError(found["hour"])
    here = datetime.fromtimestamp(now, _zone(found["zone"]))
    hour = int(found["hour"]) % 12 + (12 if found["half"] in "pP" else 0)
    end = here.replace(hour=hour, minute=int(found["minute"] or 0), second=0, microsecond=0)
    if found["month"] is None:
        # Its minute is not over until the next one begins.
        return (end if end.timestamp() + 60 > now else end + timedelta(days=1)).timestamp()
    month = _MONTHS.index(found["month"].lower()) + 1
    end = end.replace(year=int(found["year"] or here.year), month=month, day=int(found["day"]))
    if found["year"] is None and end < here - timedelta(days=180):
        end = end.replace(year=here.year + 1)
    return end.timestamp()


def _zone(name: str | None) -> tzinfo | None:
    """None is the zone of this machine."""
    if not name:
        return None
    # Few agents reach their limit: it is not loaded before.
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(name) from error
