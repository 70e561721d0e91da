"""Pages made with what was kept are those that are made anew."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from tests.support.literals.report import example_report
from tmux_exporter.config import Config, LimitSettings, MetricsSettings, defaults
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue.family import Family
from tmux_exporter.metrics.collectors import Collected, Memo, collect_all
from tmux_exporter.metrics.exporter import collect_process
from tmux_exporter.metrics.render import Renderer, openmetrics, text

CHANGES: dict[str, Callable[[Report], Report]] = {
    "nothing": lambda report: report,
    "an equal one": replace,
    "time": lambda report: replace(report, timestamp=report.timestamp + 5),
    "a pane": lambda report: replace(
        report, panes=(replace(report.panes[0], history_bytes=12345), *report.panes[1:])
    ),
    "no panes": lambda report: replace(report, panes=()),
    "a session": lambda report: replace(report, sessions=report.sessions[1:]),
    "agents": lambda report: replace(report, agents=report.agents[::-1]),
    "a double": lambda report: replace(report, panes=(*report.panes, *report.panes)),
    "servers": lambda report: replace(report, servers=()),
}
SETTINGS = (
    defaults(),
    Config(metrics=MetricsSettings(pane_detail=True)),
    Config(limits=LimitSettings(series=40)),
)


def shown(families: tuple[Family, ...]) -> list[Family]:
    """Without this very process, whose figures are of the moment."""
    return [each for each in families if not each.spec.name.startswith("process_")]


@cache
def made_anew(settings: Config, change: str) -> Collected:
    """The page of the example so changed, with nothing kept."""
    return collect_all(CHANGES[change](example_report()), settings)


@pytest.mark.parametrize("between", CHANGES)
@pytest.mark.parametrize("after", CHANGES)
def test_a_page_is_the_same_whatever_was_on_the_one_before(between: str, after: str) -> None:
    memo, renderer = Memo(), Renderer()
    for settings in SETTINGS:
        for change in ("nothing", between, "nothing", after):
            report = CHANGES[change](example_report())
            kept = collect_all(report, settings, memo=memo)
            anew = made_anew(settings, change)
            assert shown(kept.families) == shown(anew.families)
            assert (kept.dropped, kept.success) == (anew.dropped, anew.success)
            pages = renderer.render(shown(kept.families))
            assert (pages.text, pages.openmetrics) == (
                text(shown(anew.families)),
                openmetrics(shown(anew.families)),
            )


def test_what_tells_the_same_is_the_same_object() -> None:
    memo = Memo()
    first = collect_all(example_report(), defaults(), memo=memo)
    second = collect_all(example_report(), defaults(), memo=memo)
    for name in ("panes", "sessions", "agents"):
        assert all(old is new for old, new in zip(first.groups[name], second.groups[name], strict=True))


def test_who_reads_nothing_of_the_report_is_asked_each_time() -> None:
    memo = Memo()
    made = [memo.collect("process", collect_process, example_report(), MetricsSettings()) for _ in range(2)]
    assert made[0] is not made[1]


def test_a_memo_that_looks_at_less_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmux_exporter.metrics.collectors._Kept.holds", lambda *_: True)
    with pytest.raises(AssertionError):
        test_a_page_is_the_same_whatever_was_on_the_one_before("a pane", "no panes")
