"""What the web server needs of the sampler: rendered samples, and a notice of each new one."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tmux_exporter.facts.detail import Wanted
from tmux_exporter.facts.report import Report


class Published(Protocol):
    """One sample in every form in which it is served, each made once; `sequence` grows with every sample."""

    @property
    def sequence(self) -> int:
        """Number of this sample."""

    @property
    def report(self) -> Report:
        """What the bytes were made from."""

    @property
    def text(self) -> bytes:
        """The page in the text format 0.0.4."""

    @property
    def text_gzip(self) -> bytes:
        """`text`, compressed."""

    @property
    def openmetrics(self) -> bytes:
        """The page in the OpenMetrics format 1.0.0."""

    @property
    def openmetrics_gzip(self) -> bytes:
        """`openmetrics`, compressed."""

    @property
    def json(self) -> bytes:
        """`report_json.render(report)`."""


class Feed(Protocol):
    """The background sampler as the web sees it; every method may be called from any thread."""

    def current(self) -> Published | None:
        """The last sample, without waiting; None before the first."""

    def fresh(self) -> Published | None:
        """A sample taken now, at most one a second. Blocks while it is taken."""

    def recent(self) -> Published | None:
        """A sample that is as fresh as promised. Blocks while it is taken."""

    def scraped(self) -> bool:
        """Note a scrape of the last sample. False where that is older than promised."""

    def looked(self) -> bool:
        """Note that somebody reads the last report. False where that is older than promised."""

    @property
    def collectors(self) -> Sequence[str]:
        """The names that `collect` knows."""

    def collect(self, names: Sequence[str]) -> bytes | None:
        """The families of these collectors in the text format; None if one of the names is unknown."""

    def detail(self, wanted: Wanted) -> bytes | None:
        """One thing of the last sample as JSON; None if it is not there. Blocks while a sample is taken."""

    def history(self) -> bytes:
        """The last hour as JSON compressed with gzip; nothing is kept before the first call."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in the sampler's thread after each sample; the returned function ends that.

        While there is one, a sample is taken every `sampling.interval`.
        """
