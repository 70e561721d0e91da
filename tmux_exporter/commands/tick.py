"""Decides when the next background sample is due, by who reads: scrapes, viewers, or nobody (D20); pure.

    an agent missed, or another state on its screen, for the first time        after AGAIN_SECONDS, once
    a viewer, a report read in the last LOOK_SECONDS, a question left open     every `interval`
    scrapes at equal intervals                             before the next one, at most every `interval`
    other scrapes in the last RAISED_SECONDS                                   every `interval`
    nobody                                                                     every `idle_interval`

Never later than `idle_interval` after the last sample. Scrapers with a common multiple of their intervals are
foreseen together.
"""

import math
from collections import deque
from dataclasses import dataclass

from tmux_exporter.config import Config

LOOK_SECONDS = 15.0
"""How long a single read of the report raises the tick: pages and `top` ask more often than this."""

AGAIN_SECONDS = 1.0
"""Until the second look at an agent: one that a loop starts again is back by then, and its screen drawn."""

RAISED_SECONDS = 120.0
"""How long a scrape raises the tick as long as the next one cannot be foreseen."""

_KEPT_SCRAPES = 12
_KEPT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickLimits:
    """Seconds between two samples: `interval` while somebody reads them, `idle` at most."""

    interval: float
    idle: float

    @classmethod
    def of(cls, config: Config) -> "TickLimits":
        """The limits by the settings.

        A listing that is held must outlast a missed answer, so the longest is at most half of `tmux.hold`.
        """
        interval = config.sampling.interval
        longest = min(config.sampling.idle_interval, config.tmux.hold / 2)
        return cls(interval=interval, idle=max(interval, longest))


class Tick:
    """The times of the last scrapes and looks; times are monotonic. Not thread-safe."""

    def __init__(self) -> None:
        self._scrapes: deque[float] = deque(maxlen=_KEPT_SCRAPES)
        self._looked = -math.inf

    def scraped(self, now: float) -> None:
        """Somebody has scraped the page."""
        self._scrapes.append(now)

    def looked(self, now: float) -> None:
        """Somebody has read the report, and may read it again soon."""
        self._looked = now

    def due(
        self, limits: TickLimits, *, taken_at: float, took: float, now: float, soon: bool, again: bool = False
    ) -> float:
        """When the next sample is due; the last began at `taken_at` and took `took` seconds.

        `soon`: somebody follows the samples, or the last one left open what one more tells; `again`: it is
        the first that missed an agent or saw another screen of it. A sample that takes longer than the
        interval skips ticks: a burst of samples would only make it later.
        """
        soonest = taken_at + limits.interval * max(1, math.ceil(took / limits.interval))
        latest = max(soonest, taken_at + limits.idle)
        if again:
            return min(soonest, taken_at + max(took, AGAIN_SECONDS))
        if soon or now - self._looked < LOOK_SECONDS:
            return soonest
        while self._scrapes and now - self._scrapes[0] > _KEPT_SECONDS:
            self._scrapes.popleft()
        if not self._scrapes:
            return latest
        silent = now - self._scrapes[-1]
        period = self._period(limits.interval)
        if period is None:
            return soonest if silent < RAISED_SECONDS else latest
        if silent > max(RAISED_SECONDS, 3 * period):
            return latest
        # The next scrape for which the last sample would be near the end of its interval gets one from the
        # middle of it: so it may come early or late by half an interval.
        expected = self._next_scrape(period, after=taken_at + 0.75 * limits.interval)
        best = expected - limits.interval / 2 - took
        # Several samples may lie before it: this one leaves an interval for each that follows.
        away = best - taken_at
        steps = max(1, math.ceil(away / limits.idle))
        early, late = away - (steps - 1) * limits.idle, steps * limits.interval - away
        if steps > 1 and early < max(late, limits.interval / 4):
            steps -= 1
        return min(latest, max(soonest, best - (steps - 1) * limits.interval))

    def _period(self, interval: float) -> float | None:
        """The shortest time after which the scrapes came again, twice at least; None if there is none.

        One of many may have come by itself, as that of a person does among those of a Prometheus.
        """
        # Half of what a scrape may be early or late, as it differs from both the one before and the next.
        times, tolerance = tuple(self._scrapes), interval / 4
        if times[-1] - times[0] <= (len(times) - 1) * interval:
            # A sample at every interval serves these anyway.
            return None
        best: tuple[float, float] | None = None
        for earlier in reversed(times[:-1]):
            period = times[-1] - earlier
            if period <= interval:
                continue
            if times[-1] - 2 * period < times[0] - tolerance or (best and period > best[1] + 2 * tolerance):
                # What came again once may be chance; a multiple of the period is none.
                break
            off = [
                min(abs(time - period - other) for other in times)
                for time in times[1:]
                if time - period >= times[0] - tolerance
            ]
            if sum(each > tolerance for each in off) <= len(off) // 8:
                # Where two scrapers come close together, the time from one to the other is nearly the period.
                best = min(best or (math.inf, period), (sum(off), period))
        return best and best[1]

    def _next_scrape(self, period: float, *, after: float) -> float:
        last = self._scrapes[-1]
        return min(
            time + period * max(1, math.floor((after - time) / period) + 1)
            for time in self._scrapes
            if time > last - period
        )
