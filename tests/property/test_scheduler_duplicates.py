"""Doubles among schedulers, found quickly, against their definition, looked up pair by pair."""

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.analysis.schedulers.find import SAME_TIME_SECONDS, PendingScheduler, find_duplicates
from tmux_exporter.facts.process import ProcessId


@st.composite
def _entries(draw: st.DrawFn) -> list[PendingScheduler]:
    entries = []
    for pid in draw(st.lists(st.integers(1, 999), unique=True, max_size=14)):
        since, wait = draw(st.integers(0, 300)), draw(st.sampled_from([10, 60, 120, 121]))
        entries.append(
            PendingScheduler(
                process=ProcessId(pid, since),
                since=since,
                keys=draw(st.sampled_from("ab")),
                wait=wait,
                due=float(since + wait),
            )
        )
    return entries


def _is_double(older: PendingScheduler, newer: PendingScheduler, within: float) -> bool:
    apart = abs(newer.due - older.due)
    alike = older.keys == newer.keys and older.age < newer.age
    return alike and (apart < SAME_TIME_SECONDS or (older.wait == newer.wait and apart < within))


@given(_entries(), st.sampled_from([0.0, 30.0, 100.0, 1000.0]))
def test_doubles_are_what_their_definition_says(entries: list[PendingScheduler], within: float) -> None:
    doubles = find_duplicates(entries, within)
    by_process = {entry.process: entry for entry in entries}
    for entry in entries:
        newer = [other.process for other in entries if _is_double(entry, other, within)]
        assert (entry.process in doubles) is bool(newer)
        assert entry.process not in doubles or doubles[entry.process] in newer
    assert doubles.keys() <= by_process.keys()
    for keys in {entry.keys for entry in entries}:
        newest = max((entry for entry in entries if entry.keys == keys), key=lambda entry: entry.age)
        assert newest.process not in doubles
