from tmux_exporter.analysis.report.query_stats import BOUNDS, QueryStats
from tmux_exporter.facts.tmux import Query, QueryFailure, ServerView


def view(label: str, *queries: Query) -> ServerView:
    return ServerView(
        label=label, socket=label, process=None, up=True, ended=False, listing=None, queries=queries
    )


def test_counts_are_cumulative_and_failures_are_by_reason() -> None:
    stats = QueryStats()
    stats.observe((view("a", Query(seconds=0.0025), Query(seconds=2.5, failure=QueryFailure.HUNG)),))
    durations = stats.of("a").durations()
    assert durations.counts == tuple(int(bound >= 0.0025) for bound in BOUNDS)
    assert (durations.count, durations.sum) == (2, 2.5025)
    assert stats.of("a").failures == {reason: int(reason is QueryFailure.HUNG) for reason in QueryFailure}


def test_counts_go_on_while_the_server_is_shown_and_end_with_it() -> None:
    stats = QueryStats()
    for _ in range(3):
        stats.observe((view("a", Query(seconds=0.1)), view("b")))
    assert stats.of("a").durations().count == 3
    assert stats.of("b").durations().count == 0
    stats.observe((view("b"),))
    stats.observe((view("a"), view("b")))
    assert stats.of("a").durations().count == 0
