"""Outcomes of schedulers: counters per session that start at 0 and never fall.

No event says how a scheduler ended. The outcome is inferred from the samples:

    cancelled   the remediator reports that it ended it, or its shell ended before its sleep could be over
    fired       it was due, its shell is gone, and its target existed in the last sample
    missed      the same, but its target was gone, its keys led elsewhere, or only a failure would have made
                it send
    unknown     everything else: its server did not answer in the last sample, its script is opaque, it was
                overdue, or it was first seen when it was about to fire

No sample shows two cases: a `;` scheduler whose sleep alone was ended sends its keys at once and still counts
as cancelled; one that was ended between the last sample and its due time counts as fired or missed.
"""

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace

from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.schedulers import Scheduler, SchedulerOutcome, SchedulerRemark, SchedulerState

KEPT_SECONDS = 15 * 60.0
"""A gone session is shown for this long after its last outcome, so that a scrape sees the counter rise."""

_OUTCOMES = {
    SchedulerState.ARMED: SchedulerOutcome.FIRED,
    SchedulerState.ARMED_ORIGIN_GONE: SchedulerOutcome.FIRED,
    SchedulerState.DUPLICATE: SchedulerOutcome.FIRED,
    SchedulerState.DANGLING: SchedulerOutcome.MISSED,
    SchedulerState.SERVERLESS: SchedulerOutcome.MISSED,
    SchedulerState.STALE_GENERATION: SchedulerOutcome.MISSED,
    SchedulerState.MISDIRECTED: SchedulerOutcome.MISSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A pending scheduler when it was last seen; `state` is the last one before FIRING.

    `sends` is False where it sends keys only if a command of its script fails.
    """

    session: SessionKey
    state: SchedulerState
    due: float | None
    sends: bool


class SchedulerOutcomes:
    """The counters; call `observe` once per sample, in order."""

    def __init__(self) -> None:
        self._pending: dict[ProcessId, _Seen] = {}
        self._counts: dict[SessionKey, dict[SchedulerOutcome, int]] = {}
        self._counted_at: dict[SessionKey, float] = {}
        # The last totals, until another session is shown or another scheduler counts.
        self._shown: tuple[Set[SessionKey], dict[tuple[str, str, SchedulerOutcome], int]] | None = None

    def observe(
        self,
        table: ProcessTable,
        schedulers: Mapping[SessionKey, Iterable[Scheduler]],
        now: float,
        ended: Collection[ProcessId] = (),
    ) -> None:
        """Count each scheduler that has gone since the last sample, in the session where it was last seen.

        `now` is wall time, read after `table`; `ended` are the shells that the remediator reports as ended.
        """
        if table.complete:
            for process in [each for each in self._pending if not _is_alive(each, table)]:
                self._count(self._pending.pop(process), now, table.taken_at, by_us=process in ended)
        for session, members in schedulers.items():
            for each in members:
                before = self._pending.get(each.process)
                if before is not None and each.state is SchedulerState.FIRING:
                    # A later sleep of the script may run now; keep the state of the first one.
                    self._pending[each.process] = replace(before, session=session)
                else:
                    self._pending[each.process] = _Seen(
                        session=session,
                        state=each.state,
                        due=each.due,
                        sends=SchedulerRemark.NEVER_SENDS not in each.remarks,
                    )

    def totals(
        self, sessions: Iterable[SessionKey], monotonic: float
    ) -> dict[tuple[str, str, SchedulerOutcome], int]:
        """The counters of these sessions and of those with a recent outcome; all others are dropped."""
        recent = [session for session, at in self._counted_at.items() if monotonic - at < KEPT_SECONDS]
        kept = dict.fromkeys((*sessions, *recent))
        if self._shown is not None and kept.keys() == self._shown[0]:
            return self._shown[1]
        self._counts = {session: counts for session, counts in self._counts.items() if session in kept}
        self._counted_at = {session: at for session, at in self._counted_at.items() if session in kept}
        shown = {
            (*session, outcome): self._counts.get(session, {}).get(outcome, 0)
            for session in kept
            for outcome in SchedulerOutcome
        }
        self._shown = kept.keys(), shown
        return shown

    def _count(self, seen: _Seen, now: float, at: float, *, by_us: bool) -> None:
        counts = self._counts.setdefault(seen.session, {})
        outcome = SchedulerOutcome.CANCELLED if by_us else _outcome(seen, now)
        counts[outcome] = counts.get(outcome, 0) + 1
        self._counted_at[seen.session] = at
        self._shown = None


def _is_alive(process: ProcessId, table: ProcessTable) -> bool:
    # A shell that has exec'd its last command is no longer a scheduler, but not gone yet.
    seen = table.find(process)
    return seen is not None and seen.alive


def _outcome(seen: _Seen, now: float) -> SchedulerOutcome:
    if seen.state in (SchedulerState.OPAQUE, SchedulerState.FIRING):
        return SchedulerOutcome.UNKNOWN
    # `due` is up to a second early: the kernel reports its boot time in whole seconds.
    if seen.due is None:
        forever = seen.state is SchedulerState.IMMORTAL
        return SchedulerOutcome.CANCELLED if forever else SchedulerOutcome.UNKNOWN
    if now < seen.due:
        return SchedulerOutcome.CANCELLED
    outcome = _OUTCOMES.get(seen.state, SchedulerOutcome.UNKNOWN)
    return SchedulerOutcome.MISSED if outcome is SchedulerOutcome.FIRED and not seen.sends else outcome
