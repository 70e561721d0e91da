"""The background sampler (D20): samples when somebody needs it, and hands out its last result.

Scrapes, the live page and the remediator never touch sampling: a hung tmux server, a hundred scrapers or a
slow client read the same bytes, which are made once, by the first who asks. All sampling happens in one
thread; every public method may be called from any.
"""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import line_counts, log_fields
from tmux_exporter.base.runtime import ReleaseAfterBursts
from tmux_exporter.commands.history import History
from tmux_exporter.commands.samples import Samples
from tmux_exporter.commands.tick import Tick, TickLimits
from tmux_exporter.config import Config
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.catalogue.family import Family
from tmux_exporter.metrics.collectors import COLLECTORS, EXPORTER, Collected, Memo, collect_all, collect_named
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.render import Pages, Renderer, compress, text
from tmux_exporter.metrics.report_json import render as render_json
from tmux_exporter.metrics.report_json import render_detail

_log = logging.getLogger(__name__)

FRESH_AGE = 1.0
"""A sample younger than this is fresh: `?fresh=1` is a remote trigger, so it has a bound."""


class Printer:
    """Renders pages, one at a time, and keeps what the next page can reuse. Thread-safe."""

    def __init__(self) -> None:
        self._renderer = Renderer()
        self.turn = threading.RLock()

    def once(self, made: dict[str, bytes], form: str, make: Callable[[], bytes]) -> bytes:
        """The bytes of a format. The first caller renders them; others wait."""
        with self.turn:
            if form not in made:
                made[form] = make()
            return made[form]

    def pages(self, families: Sequence[Family]) -> Pages:
        """The families in both formats."""
        return self._renderer.render(families)


class PublishedSample:
    """One sample in every served format; `sequence` counts samples from 1.

    It began at the monotonic time `taken_at` and took `took` seconds. A format is rendered on first use, or
    by `prepare`: most samples are never served in most formats. `asked` are the formats that were used.
    """

    def __init__(
        self,
        *,
        sequence: int,
        taken_at: float,
        took: float,
        report: Report,
        collect: Callable[[], Sequence[Family]],
        left_out: Callable[[], Mapping[str, int]],
        printer: Printer,
    ) -> None:
        self.sequence = sequence
        self.taken_at = taken_at
        self.took = took
        self.report = report
        self._collect = collect
        self._left_out = left_out
        self._printer = printer
        self._made: dict[str, bytes] = {}
        self._pages: Pages | None = None
        self.asked: set[str] = set()

    def prepare(self, forms: Iterable[str]) -> None:
        """Render these formats before somebody uses them."""
        for form in forms:
            self._rendered(form)

    @property
    def text(self) -> bytes:
        """The page in the text format; put together each time, as scrapers take the compressed one."""
        return self._collected().text

    @property
    def text_gzip(self) -> bytes:
        """The same, compressed."""
        return self._used("text_gzip")

    @property
    def openmetrics(self) -> bytes:
        """The page in OpenMetrics."""
        return self._collected().openmetrics

    @property
    def openmetrics_gzip(self) -> bytes:
        """The same, compressed."""
        return self._used("openmetrics_gzip")

    @property
    def json(self) -> bytes:
        """The report, with what the last page had to leave out."""
        return self._used("json")

    def _used(self, form: str) -> bytes:
        self.asked.add(form)
        return self._rendered(form)

    def _rendered(self, form: str) -> bytes:
        def make() -> bytes:
            if form == "json":
                return render_json(self.report, self._left_out())
            return compress(self._collected(), openmetrics=form.startswith("openmetrics"))

        return self._printer.once(self._made, form, make)

    def _collected(self) -> Pages:
        with self._printer.turn:
            if self._pages is None:
                self._pages = self._printer.pages(self._collect())
            return self._pages


class Publisher:
    """Runs a sampler in a thread of its own, from `start` to `stop`."""

    def __init__(self, sampler: Samples, config: Config, clock: Clock) -> None:
        self._sampler = sampler
        self._config = config
        self._clock = clock
        self._printer = Printer()
        self._memo = Memo()
        self._turn = threading.Condition()
        self._published: PublishedSample | None = None
        self._asked: frozenset[str] = frozenset()
        self._asked_before: frozenset[str] = frozenset()
        self._tick = Tick()
        self._release = ReleaseAfterBursts()
        self._sampling = True
        self._subscribers: list[Callable[[], None]] = []
        self._history: History | None = None
        self._status = ExporterStatus(config_loaded_at=clock.time())
        self._wanted = False
        self._stopping = False
        self._beat: Callable[[], None] = lambda: None
        self._beat_seconds = math.inf
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def watch(self, beat: Callable[[], None], seconds: float) -> None:
        """Call `beat` in the sampler's thread after each sample, and at least every `seconds` while it waits.

        Silence means that a sample hangs. To be called before `start`.
        """
        self._beat, self._beat_seconds = beat, seconds

    def start(self) -> None:
        """Take the first sample at once, the next ones when they are due."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """End the thread; a sample that is under way is waited for at most `timeout` seconds."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def configure(self, config: Config) -> None:
        """Use another configuration from the next sample on, and take that sample now."""
        with self._turn:
            self._config = config
            self._status = replace(
                self._status, config_reload_successful=True, config_loaded_at=self._clock.time()
            )
            self._wanted = True
            self._turn.notify_all()

    def refuse(self) -> None:
        """Publish from the next sample on that the last configuration was not applied."""
        with self._turn:
            self._status = replace(self._status, config_reload_successful=False)

    def current(self) -> PublishedSample | None:
        """The last sample, without waiting; None before the first."""
        return self._published

    def fresh(self) -> PublishedSample | None:
        """A sample taken now; concurrent callers share it. Blocks until the sample or `stop`."""
        return self._next_unless(self._is_fresh)

    def recent(self) -> PublishedSample | None:
        """A sample that is as fresh as promised; concurrent callers share it. Blocks as `fresh` does."""
        return self._next_unless(self._is_recent)

    def scraped(self) -> bool:
        """Note a scrape. False where `recent` would take a sample first."""
        with self._turn:
            if self._published is not None:
                self._tick.scraped(self._clock.monotonic())
            return self._noted()

    def looked(self) -> bool:
        """Note that somebody reads the report and may read it again soon. False as for `scraped`."""
        with self._turn:
            self._tick.looked(self._clock.monotonic())
            return self._noted()

    def _noted(self) -> bool:
        """The sampler decides anew when the next sample is due; whether the last one is still good."""
        self._turn.notify_all()
        return self._published is None or self._is_recent(self._published)

    def _is_recent(self, sample: PublishedSample) -> bool:
        # With a sample at every interval, the last one is that old when the next is done.
        promised = self._config.sampling.interval + sample.took
        return self._clock.monotonic() - sample.taken_at <= promised

    def _is_fresh(self, sample: PublishedSample) -> bool:
        return self._clock.monotonic() - sample.taken_at < FRESH_AGE

    def _next_unless(self, is_good: Callable[[PublishedSample], bool]) -> PublishedSample | None:
        with self._turn:
            seen = self._published
            if seen and is_good(seen):
                return seen
            # One that is under way is new enough.
            self._wanted = self._wanted or not self._sampling
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._published is not seen or self._stopping)
            return self._published

    @property
    def collectors(self) -> Sequence[str]:
        """The names that `collect` knows."""
        return (*COLLECTORS, EXPORTER)

    def collect(self, names: Sequence[str]) -> bytes | None:
        """The families of these collectors from the last sample; None if one of the names is unknown."""
        published = self._published
        families = collect_named(published.report, self._config, names, self._status) if published else ()
        return None if families is None else text(families)

    def detail(self, wanted: Wanted) -> bytes | None:
        """One thing of the last sample as JSON; None if it is not there. Waits for a sample under way."""
        published = self._published
        found = self._sampler.detail(wanted) if published else None
        return render_detail(found, published.report.timestamp) if found and published else None

    def history(self) -> bytes:
        """The last hour as compressed JSON; it is kept from the first call on."""
        with self._turn:
            if self._history is None:
                self._history = History()
                if self._published:
                    self._history.take(self._published.report)
            return self._history.gzipped()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in the sampler's thread after each sample, one each `sampling.interval`.

        The returned function ends that.
        """
        with self._turn:
            self._subscribers.append(callback)
            self._turn.notify_all()

        def end() -> None:
            with self._turn:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return end

    def _run(self) -> None:
        while True:
            self._publish()
            self._beat()
            if not self._wait_until_due():
                return

    def _wait_until_due(self) -> bool:
        """True when it is time for a sample, False when it is time to end."""
        with self._turn:
            while not self._stopping and not self._wanted:
                left = self._decide(self._published) - self._clock.monotonic()
                if left <= 0:
                    break
                self._turn.wait(min(left, self._beat_seconds))
                self._beat()
            self._wanted = False
            self._sampling = not self._stopping
            return self._sampling

    def _decide(self, last: PublishedSample | None) -> float:
        """When the next sample is due. Decided anew after each sample and whenever somebody reads one."""
        if last is None:
            return self._clock.monotonic()
        due = self._tick.due(
            TickLimits.of(self._config),
            taken_at=last.taken_at,
            took=last.took,
            now=self._clock.monotonic(),
            soon=bool(self._subscribers) or self._sampler.in_doubt,
            again=self._sampler.asks_again,
        )
        self._status = replace(self._status, tick_seconds=due - last.taken_at)
        return due

    def _publish(self) -> None:
        config = self._config
        taken_at = self._clock.monotonic()
        self._sampler.configure(config)
        try:
            report = self._sampler.sample()
        except Exception:
            # One bad sample must not end the exporter: it is counted, logged, and the next one is taken.
            _log.exception("sample failed")
            report = self._sampler.failed()
        self._swap(self._render(report, config, taken_at))
        self._prepare()
        processes = sum(each.usage.processes for each in report.sessions)
        self._release.observe(processes + len(report.panes) + len(report.leaks), taken_at)

    def _render(self, report: Report, config: Config, taken_at: float) -> PublishedSample:
        return PublishedSample(
            sequence=self._published.sequence + 1 if self._published else 1,
            taken_at=taken_at,
            took=self._clock.monotonic() - taken_at,
            report=report,
            collect=lambda: self._families(report, config),
            left_out=lambda: self._status.left_out,
            printer=self._printer,
        )

    def _prepare(self) -> None:
        """Render what was used of both samples before: now its facts are at hand, and nobody waits yet."""
        before, self._asked_before = self._asked_before, self._asked
        forms = before & self._asked
        try:
            if forms and self._published:
                self._published.prepare(forms)
        except Exception:
            _log.exception("a page was not prepared")

    def _families(self, report: Report, config: Config) -> Sequence[Family]:
        """Called in the printer's turn, once for each page that is made."""
        counts = line_counts()
        collected = collect_all(report, config, replace(self._status, log_lines=counts), memo=self._memo)
        with self._turn:
            before = self._status.left_out
            self._status = replace(collected.after(self._status), log_lines=counts)
        if before.keys() != collected.left_out.keys():
            _say_left_out(collected, config.limits.series)
        return collected.families

    def _swap(self, published: PublishedSample) -> None:
        with self._turn:
            self._asked = frozenset(self._published.asked) if self._published else frozenset()
            self._published = published
            self._sampling = False
            self._decide(published)
            subscribers = tuple(self._subscribers)
            self._turn.notify_all()
            history = self._history
        if history is not None:
            history.take(published.report)
        for callback in subscribers:
            callback()


def _say_left_out(page: Collected, limit: int) -> None:
    if page.left_out:
        families = " ".join(sorted(page.left_out))
        _log.warning(
            "series are left out of the page",
            extra=log_fields(series=page.dropped, limit=limit, families=families),
        )
    else:
        _log.warning("no series are left out of the page any more")
