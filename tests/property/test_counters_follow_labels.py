"""Exported counters while sessions, windows, panes, agents and servers are renamed, moved, ended, made again.

The whole Sampler and the collectors run on a made-up machine; truth is what its processes used.
"""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.literals.renamed import INTERVAL, Series, Watched, World, counters
from tmux_exporter.analysis.label_expiry import KEPT_SECONDS
from tmux_exporter.metrics.catalogue import BY_NAME

DEEDS: tuple[Callable[[World, int, int], None], ...] = (
    World.rename, World.rename, World.move_pane, World.move_pane, World.new_session, World.new_pane,
    World.kill_session, World.kill_pane, World.restart_agent, World.restart_server,
)  # fmt: skip
_DEEDS = st.tuples(st.sampled_from(DEEDS), st.integers(0, 5), st.integers(0, 5))
_AMOUNTS = st.lists(st.integers(0, 2000), min_size=1, max_size=5)
_STEPS = st.lists(st.tuples(st.lists(_DEEDS, max_size=3), _AMOUNTS), min_size=2, max_size=12)


def most(series: Series, used: dict[str, Counter[tuple[str, ...]]], seconds: float) -> float:
    """What a counter may have grown by since the last sample."""
    name, labels = series
    _, kind, what = name.split("_", 2)
    if what == "cpu_seconds_total":
        return used[kind][labels] / 100 if kind in used else 0.0
    if what == "state_cpu_seconds_total":
        return used["agent"][labels[:3]] / 100
    return {"state_seconds_total": seconds, "restarts_total": 1.0}.get(what, 0.0)


def by_state(series: Series) -> bool:
    """Whether the series is one that appears with its state."""
    return BY_NAME[series[0]].sparse


@given(_STEPS)
@settings(deadline=None, max_examples=examples(60))
def test_no_counter_jumps_or_falls_and_what_was_used_counts_once(
    steps: list[tuple[list[tuple[Callable[[World, int, int], None], int, int]], list[int]]],
) -> None:
    watched = Watched()
    last = dict.fromkeys(counters(watched.sample()[0]), 0.0)
    shown: set[Series] = {*last}
    held: dict[Series, float] = {}
    whole: dict[str, Counter[tuple[str, ...]]] = {}
    for deeds, amounts in steps:
        for deed, first, second in deeds:
            deed(watched.world, first, second)
        watched.world.use(amounts)
        report, used = watched.sample()
        now = counters(report)
        at_most = {series: most(series, used, INTERVAL) for series in now}
        for series, value in now.items():
            before = last.get(series, 0.0)
            if by_state(series) and series not in last:
                assert value == 0.0, series
                held[series] = at_most[series]
            else:
                assert before <= value <= before + at_most[series] + held.pop(series, 0.0) + 1e-9, series
            last[series] = value
        agents = {(each.server, each.session, each.agent) for each in report.agents}
        gone = {each for each in shown - now.keys() if by_state(each) and each[1][:3] in agents}
        assert gone == set(), "a counter left while its agent was there"
        shown = {*now}
        for kind, by_label in used.items():
            whole.setdefault(kind, Counter()).update(by_label)
    for kind, by_label in whole.items():
        for labels, ticks in by_label.items():
            assert round(last[f"tmux_{kind}_cpu_seconds_total", labels] * 100) == ticks, (kind, labels)


def test_a_label_that_comes_back_late_starts_at_0_again() -> None:
    watched = Watched()
    watched.sample()
    name = ("tmux_session_cpu_seconds_total", ("default", "a"))

    def after(seconds: float) -> float | None:
        watched.world.use([300])
        return counters(watched.sample(seconds)[0]).get(name)

    found = [after(INTERVAL)]
    for away in (KEPT_SECONDS - 1, KEPT_SECONDS):
        watched.world.rename(0, 2)
        found += [after(INTERVAL), after(away)]
        watched.world.rename(0, 0)
        found.append(after(INTERVAL))
    assert found == [6.0, None, None, 12.0, None, None, 6.0]
