"""The last report, and how many samples were complete, partial or failed since the start."""

from dataclasses import replace

from tmux_exporter.config import Config
from tmux_exporter.facts.report import Report

RESULTS = ("complete", "partial", "failed")


class LastReport:
    """Held after a sample that raised, for as long as a silent tmux server's listing is."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(RESULTS, 0)
        self._report: Report | None = None
        self._at = 0.0

    def count(self, *, complete: bool) -> dict[str, int]:
        """Count a sample; the counts with it."""
        self._counts["complete" if complete else "partial"] += 1
        return dict(self._counts)

    def keep(self, report: Report, at: float) -> Report:
        """Keep and return a report; its sample began at the monotonic time `at`."""
        self._report, self._at = report, at
        return report

    def failed(self, now: float, config: Config) -> Report:
        """Count a sample that raised; the last report while it may be held, else an empty one."""
        self._counts["failed"] += 1
        samples = dict(self._counts)
        if self._report and now - self._at <= config.tmux.hold:
            return replace(self._report, samples=samples, complete=False)
        return Report(
            timestamp=self._report.timestamp if self._report else 0.0,
            duration_seconds=0.0,
            interval_seconds=config.sampling.interval,
            complete=False,
            samples=samples,
        )
