"""What was read is kept for a minute, and no longer than somebody asks for it."""

from tmux_exporter.sources.common.ttl_cache import TTL_SECONDS, TtlCache


def test_it_is_read_again_after_a_minute_and_once_where_it_fails() -> None:
    read: list[int] = []

    def look(key: int) -> int:
        read.append(key)
        if key == 2:
            raise OSError
        return key * 10

    kept: TtlCache[int, int] = TtlCache(look)
    for now in (0.0, TTL_SECONDS - 1, TTL_SECONDS):
        assert kept.known([1, 2, 3], now) == {1: 10, 3: 30}
    assert read == [1, 2, 3, 1, 2, 3]


def test_a_storm_of_keys_that_nobody_asks_for_again_leaves_little_behind() -> None:
    kept: TtlCache[int, int] = TtlCache(lambda key: key)
    for first in range(0, 100_000, 100):
        assert len(kept.known(range(first, first + 100), 0.0)) == 100
    assert len(kept._values) <= 300


def test_what_stays_the_same_is_kept_twice_as_long_each_time_up_to_a_limit() -> None:
    read: list[int] = []
    kept: TtlCache[int, str] = TtlCache(lambda _: "old" if read[-1] < 8 else "new", 4 * TTL_SECONDS)
    for minute in range(17):
        read.append(minute)
        before = kept._values.get(0)
        kept.get(0, minute * TTL_SECONDS)
        if kept._values[0] is before:
            del read[-1]
    # After 1, 2, 4 and 4 minutes; what was another one then is read again after one.
    assert read == [0, 1, 3, 7, 11, 12, 14]
