"""Counters of states and kinds over random histories: none begins above 0 or leaves while its labels stay."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tmux_exporter.analysis.report.appeared import Appeared

Key = tuple[str, str]
SESSIONS, STATES = ("a", "b"), ("armed", "overdue", "dangling")
KEYS = [(session, state) for session in SESSIONS for state in STATES]
_STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(SESSIONS)),
        st.dictionaries(st.sampled_from(KEYS), st.integers(0, 5)),
        st.booleans(),
    ),
    min_size=1,
    max_size=15,
)  # fmt: skip


@given(_STEPS)
@settings(deadline=None, max_examples=examples(100))
def test_none_begins_above_0_or_leaves_too_early(steps: list[tuple[set[str], dict[Key, int], bool]]) -> None:
    appeared: Appeared[Key] = Appeared()
    counted = dict.fromkeys(KEYS, 0)
    sessions: set[str] = set()
    active: frozenset[Key] = frozenset()
    shown: set[Key] = set()
    last: dict[Key, float] = {}
    for at, (living, used, at_rest) in enumerate(steps):
        if not at_rest:
            sessions = living
            active = frozenset(key for key in used if key[0] in sessions)
            shown = {key for key in KEYS if key[0] in sessions}
        for key in active:
            counted[key] += used.get(key, 1)
        appeared.observe(active, shown, float(at))
        now = {key: appeared.value(key, counted[key]) for key in shown if key in appeared}
        assert active <= now.keys()
        for key, value in now.items():
            # After its first sample nothing that was counted is missing.
            assert value == (counted[key] if key in last else 0.0)
        assert {key for key in last if key in shown} <= now.keys()
        last = {**last, **now}


def test_the_version_changes_only_with_the_keys() -> None:
    appeared: Appeared[str] = Appeared()
    versions = []
    for active in ({"a"}, {"a"}, {"b"}, set(), {"a"}):
        appeared.observe(active, {"a", "b"}, 0.0)
        versions.append(appeared.version)
    assert versions == [1, 1, 2, 2, 2]


def test_keys_are_forgotten_when_their_counters_are() -> None:
    appeared: Appeared[str] = Appeared()
    for active, shown, at in (({"a"}, {"a"}, 0.0), (set(), set(), 5.0), (set(), set(), 904.0)):
        appeared.observe(active, shown, at)
    assert "a" in appeared
    appeared.observe(set(), set(), 905.0)
    assert "a" not in appeared
