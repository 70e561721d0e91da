import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.clock import ShiftedClock
from tests.support.literals.report import example_report
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.runtime import ReleaseAfterBursts
from tmux_exporter.commands import publisher as publishing
from tmux_exporter.commands.publisher import PublishedSample, Publisher
from tmux_exporter.config import Config, MetricsSettings, SamplingSettings, TmuxSettings
from tmux_exporter.facts.detail import Detail, Wanted
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics import render
from tmux_exporter.metrics.render import Pages, Renderer

SLOW = Config(sampling=SamplingSettings(interval=3600.0))
QUICK = Config(sampling=SamplingSettings(interval=0.1, idle_interval=600.0), tmux=TmuxSettings(hold=1200.0))
"""Where nobody reads, no test sees the next sample."""


class Sampler:
    """Samples at once; `gate` holds the next sample up, `broken` makes it raise."""

    in_doubt = False
    asks_again = False

    def __init__(self) -> None:
        self.taken = 0
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.configured: list[Config] = []

    def sample(self) -> Report:
        self.gate.wait(60)
        self.taken += 1
        if self.broken:
            raise ValueError("planted")
        return replace(example_report(), timestamp=float(self.taken))

    def detail(self, wanted: Wanted) -> Detail | None:
        return Detail(processes=(), left_out=0) if wanted.server == "default" else None

    def failed(self) -> Report:
        return replace(example_report(), samples={"failed": 1}, complete=False)

    def configure(self, config: Config) -> None:
        self.configured.append(config)


@pytest.fixture
def sampler() -> Sampler:
    return Sampler()


@pytest.fixture
def publisher(sampler: Sampler) -> Iterator[Publisher]:
    publisher = Publisher(sampler, SLOW, SystemClock())
    yield publisher
    sampler.gate.set()
    publisher.stop()


def first(publisher: Publisher) -> PublishedSample:
    publisher.start()
    return wait_for(publisher.current, "the first sample")


def test_nothing_is_published_before_the_first_sample(publisher: Publisher) -> None:
    assert publisher.current() is None
    assert publisher.collect(["servers"]) == b""


def test_every_form_is_made_once_from_the_same_report(publisher: Publisher) -> None:
    published = first(publisher)
    assert published.sequence == 1
    assert b"tmux_up{" in published.text
    assert published.openmetrics.endswith(b"# EOF\n")
    assert publisher.current() is published


def test_a_form_is_made_once_and_on_request(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def count(where: object, name: str) -> None:
        real = getattr(where, name)

        def counted(*given: object, **how: object) -> object:
            made.append(name)
            return real(*given, **how)

        monkeypatch.setattr(where, name, counted)

    count(publishing, "compress")
    count(publishing, "render_json")
    count(Renderer, "render")
    published = first(publisher)
    assert made == []
    with ThreadPoolExecutor(8) as pool:
        forms = list(pool.map(lambda _: published.openmetrics_gzip, range(8)))
    assert made == ["render", "compress"]
    assert {gzip.decompress(each) for each in forms} == {published.openmetrics}
    assert (published.text[:6], made) == (b"# HELP", ["render", "compress"])
    assert published.json is published.json
    assert made == ["render", "compress", "render_json"]


def test_what_was_used_of_two_samples_is_ready_with_the_third(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    by: list[str] = []
    compress = render.compress

    def noted(pages: Pages, *, openmetrics: bool) -> bytes:
        by.append(threading.current_thread().name)
        return compress(pages, openmetrics=openmetrics)

    monkeypatch.setattr(publishing, "compress", noted)
    monkeypatch.setattr(publishing, "FRESH_AGE", 0.0)
    sample = first(publisher)
    for _ in range(2):
        assert sample.text_gzip
        sample = publisher.fresh() or sample
    wait_for(lambda: len(by) == 3, "the third one is prepared")
    assert sample.text_gzip
    mine = threading.current_thread().name
    assert by == [mine, mine, "sampler"]
    # Nobody uses the next one, so the one after it is not prepared.
    for _ in range(2):
        publisher.fresh()
    assert len(by) == 4


def test_samples_are_taken_at_the_interval_while_somebody_follows_them(sampler: Sampler) -> None:
    publisher = Publisher(sampler, QUICK, SystemClock())
    leave = publisher.subscribe(lambda: None)
    publisher.start()
    wait_for(lambda: sampler.taken >= 3, "three samples", 20)
    leave()
    taken = sampler.taken
    assert not threading.Event().wait(0.25)
    assert sampler.taken <= taken + 1, "nobody reads"
    publisher.subscribe(lambda: None)
    wait_for(lambda: sampler.taken >= taken + 3, "who comes gets samples again")
    publisher.stop()
    taken = sampler.taken
    assert not threading.Event().wait(0.25)
    assert sampler.taken == taken


def test_a_sample_that_leaves_a_question_open_is_followed_by_another(sampler: Sampler) -> None:
    sampler.in_doubt = True
    publisher = Publisher(sampler, QUICK, SystemClock())
    publisher.start()
    wait_for(lambda: sampler.taken >= 3, "three samples", 20)
    publisher.stop()


def test_a_reader_gets_no_sample_that_is_older_than_promised(sampler: Sampler) -> None:
    clock = ShiftedClock()
    publisher = Publisher(sampler, Config(), clock)
    published: PublishedSample | None = first(publisher)
    for read in (publisher.scraped, publisher.looked):
        clock.advance(4.9)
        assert read()
        assert publisher.recent() is publisher.current()
        clock.advance(0.2 + publisher.current().took)  # type: ignore[union-attr]
        assert not read()
        newer = publisher.recent()
        assert newer is publisher.current()
        assert newer is not published
        assert read()
        published = newer
    publisher.stop()


def test_the_page_tells_the_tick_in_force(publisher: Publisher) -> None:
    publisher.configure(Config())
    line = b"\ntmux_exporter_sample_tick_seconds %.1f\n"
    assert line % 15 in first(publisher).text
    assert line % 15 in (publisher.collect(["exporter"]) or b"")
    publisher.subscribe(lambda: None)
    wait_for(lambda: line % 5 in (publisher.collect(["exporter"]) or b""), "somebody follows the samples")


def test_a_slow_sample_does_not_hold_up_readers(publisher: Publisher, sampler: Sampler) -> None:
    published = first(publisher)
    sampler.gate.clear()
    publisher.configure(SLOW)
    wait_for(lambda: len(sampler.configured) == 2, "the next sample is under way")
    assert publisher.current() is published
    assert publisher.collect(["servers"])


def test_fresh_shares_one_sample_and_is_bounded(publisher: Publisher, sampler: Sampler) -> None:
    published = first(publisher)
    assert publisher.fresh() is published, "a sample of less than a second is fresh"
    assert sampler.taken == 1


def test_whoever_waits_for_a_fresh_sample_is_let_go_by_stop(publisher: Publisher, sampler: Sampler) -> None:
    sampler.gate.clear()
    publisher.start()
    got: list[PublishedSample | None] = []
    waiting = threading.Thread(target=lambda: got.append(publisher.fresh()))
    waiting.start()
    publisher.stop(timeout=0)
    waiting.join(5)
    assert got == [None]


def test_a_sample_that_raises_is_told_and_the_next_one_is_taken(
    publisher: Publisher, sampler: Sampler, caplog: pytest.LogCaptureFixture
) -> None:
    sampler.broken = True
    assert b'tmux_exporter_samples_total{result="failed"} 1.0' in first(publisher).text
    assert "planted" in caplog.text
    sampler.broken = False
    publisher.configure(SLOW)
    wait_for(lambda: sampler.taken == 2, "the next sample")


def test_subscribers_hear_of_each_sample_until_they_leave(publisher: Publisher, sampler: Sampler) -> None:
    heard: list[int] = []
    end = publisher.subscribe(lambda: heard.append(sampler.taken))
    first(publisher)
    wait_for(lambda: heard == [1], "word of the first sample")
    end()
    end()
    publisher.configure(SLOW)
    wait_for(lambda: sampler.taken == 2, "the second sample")
    assert heard == [1]


def test_a_refused_configuration_is_told_and_an_applied_one_takes_it_back(publisher: Publisher) -> None:
    first(publisher)
    publisher.refuse()
    page = publisher.collect(["exporter"]) or b""
    assert b"tmux_exporter_config_last_reload_successful 0.0" in page
    publisher.configure(replace(SLOW, metrics=MetricsSettings(pane_detail=True)))
    wait_for(lambda: publisher.current() and b"tmux_pane_threads" in publisher.current().text, "new settings")  # type: ignore[union-attr]
    page = publisher.collect(["exporter"]) or b""
    assert b"tmux_exporter_config_last_reload_successful 1.0" in page


def test_an_unknown_collector_is_said(publisher: Publisher) -> None:
    first(publisher)
    assert publisher.collect(["nonsense"]) is None


def test_each_sample_says_how_much_there_is_to_hold(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(ReleaseAfterBursts, "observe", lambda _, size, __: sizes.append(size))
    report = first(publisher).report
    processes = sum(each.usage.processes for each in report.sessions)
    assert wait_for(lambda: sizes, "the sample is counted") == [
        processes + len(report.panes) + len(report.leaks)
    ]


def test_the_hour_is_kept_from_the_first_question_on(sampler: Sampler, publisher: Publisher) -> None:
    publisher.start()
    wait_for(publisher.current, "a sample")
    assert publisher._history is None
    first = json.loads(gzip.decompress(publisher.history()))
    assert len(first["timestamps"]) == 1
    sampler.taken = 100
    publisher.fresh()
    publisher.configure(SLOW)
    wait_for(lambda: len(json.loads(gzip.decompress(publisher.history()))["timestamps"]) == 2, "a point")


def test_a_detail_is_of_the_last_sample(publisher: Publisher) -> None:
    assert publisher.detail(Wanted(server="default")) is None
    publisher.start()
    wait_for(publisher.current, "a sample")
    told = publisher.detail(Wanted(server="default"))
    assert told is not None
    assert json.loads(told)["processes"] == []
    assert publisher.detail(Wanted(server="other")) is None


def test_the_watchdog_is_fed_while_nobody_reads_and_starves_with_a_sample_that_hangs(
    sampler: Sampler, publisher: Publisher
) -> None:
    beats: list[float] = []
    publisher.watch(lambda: beats.append(0.0), 0.01)
    first(publisher)
    assert sampler.taken == 1
    wait_for(lambda: len(beats) > 5, "it beats though no sample is due")
    assert sampler.taken == 1
    sampler.gate.clear()
    publisher.configure(SLOW)
    wait_for(lambda: len(sampler.configured) == 2, "a sample hangs")
    told = len(beats)
    assert not threading.Event().wait(0.1)
    assert len(beats) == told
