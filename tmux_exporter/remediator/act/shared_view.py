"""One sample for many acts: it serves all of a few seconds, and each act reads again only what it ends.

On a busy machine a sample costs more than an act. So the acts of one cycle share it: all processes are read
again every two seconds, tmux is queried again every half second, and an unchanged listing is as recent as the
query. Each act reads its own target, and all below it, again while it holds the pidfds.
"""

from collections.abc import Iterable

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.act.confirm_listings import ConfirmingTmuxSource
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.decide.vetoes import ENDABLE, Moment

SHARED_SECONDS = 5.0
"""The oldest sample that an act may rest on."""

LISTED_SECONDS = 2.0
"""The oldest reading of all processes that an act may share."""

CONFIRMED_SECONDS = 0.5
"""The oldest query of tmux that an act may share."""


class SharedView:
    """What acts read; `renew` makes the next one read everything itself."""

    def __init__(self, live: LiveView, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._table: ProcessTable | None = None
        self._sample: tuple[Report, ConfirmingTmuxSource] | None = None
        self._sampled_at = self._confirmed_at = float("-inf")

    def renew(self) -> None:
        """Share nothing that was read before."""
        self._table = self._sample = None

    def processes(self, targets: Iterable[ProcessId]) -> ProcessTable:
        """All processes, the targets and all below them as they are now."""
        table = self._table
        if table is not None and self._clock.monotonic() - table.taken_at <= LISTED_SECONDS:
            return self._live.read_again(table, targets)
        self._table = self._live.processes()
        return self._table

    def look(self) -> tuple[Report, Moment]:
        """A sample whose listings are recent, and this moment."""
        now = self._clock.monotonic()
        if self._sample is None or now - self._sampled_at > SHARED_SECONDS:
            self._sampled_at = now
            self._sample = self._live.sample()
            self._confirmed_at = self._clock.monotonic()
        elif now - self._confirmed_at > CONFIRMED_SECONDS:
            report, servers = self._sample
            confirmed = servers.confirmed(report, self._table)
            if not _is_confirmed(confirmed, now):
                # tmux shows something else by now.
                self._sample = None
                return self.look()
            self._sample = confirmed, servers
            self._confirmed_at = self._clock.monotonic()
        return self._sample[0], self._live.moment()


def _is_confirmed(report: Report, since: float) -> bool:
    """Whether all that an act may rest on was shown by tmux since then."""
    shown = [each.listing_taken_at for each in report.servers if each.up]
    judged = [each.judged_at for each in report.schedulers if each.state in ENDABLE]
    return all(at is not None and at >= since for at in (*shown, *judged))
