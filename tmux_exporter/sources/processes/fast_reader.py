"""All processes of a Linux machine from /proc, at a cost that follows what changed.

New processes are found by the pids that the kernel has given away since the last reading (`procfs_cursor`);
of the known ones those are looked at again that have run (`procfs_book`), those whom others have changed, and
the rest in turn. Strangers, processes of other users that have to do with none of ours, are looked at in turn
only. Every minute, and after a fork storm, the full listing is taken instead. Where it shows somebody who was
missed, or a look shows what an unchanged clock denied, everything is listed and looked at each time, as the
plain reader does, until a minute has passed without either.
"""

import logging
import math
from collections.abc import Collection, Mapping, Set
from itertools import chain

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.process import Changes, Namespaces, Process, ProcessTable, Unreadable
from tmux_exporter.sources.processes.kernel import Kernel
from tmux_exporter.sources.processes.new_pids import NO_PIDS, Cursor, NewPids
from tmux_exporter.sources.processes.process_cache import ProcessCache
from tmux_exporter.sources.processes.round_robin import RoundRobin

AUDIT_SECONDS = 60.0
"""A full listing at least this often, and so long each time once something was wrong."""

STAT_SECONDS = 300.0
"""The line of stat of all but strangers is read at least this often, whatever the clocks say: it shows, among
others, how much memory the kernel has taken back."""

REREAD_SECONDS = 3600.0
"""Everybody, strangers included, is looked at in full at least this often: limits set from outside do not
show in the line."""

FEW = 50
"""Of more new pids than this and half of all processes, the full listing is cheaper."""

_CHAIN = 8
"""How often one reading follows what its own looks reveal; what is left is for the next one."""

_log = logging.getLogger(__name__)


class FastReader:
    """Reads all processes of `kernel`."""

    def __init__(
        self,
        kernel: Kernel,
        *,
        uid: int,
        clock: Clock,
        ticks_per_second: int,
        namespaces: Namespaces | None = None,
    ) -> None:
        self._kernel = kernel
        self._clock = clock
        self._ticks_per_second = ticks_per_second
        self._namespaces = namespaces
        self._cache = ProcessCache(kernel, uid)
        self._cursor = Cursor(kernel)
        self._previous_pids = NO_PIDS
        self._known: Set[int] = frozenset()
        self._stat_checks = RoundRobin(STAT_SECONDS)
        self._rereads = RoundRobin(REREAD_SECONDS)
        self._handed_out: Mapping[int, Process] = {}
        self._audit_at = -math.inf
        self._suspect_until = -math.inf

    def read(self) -> ProcessTable:
        """Take one reading; what it gives and what it leaves out is as in `procfs.ProcReader.read`."""
        taken_at = self._clock.monotonic()
        contradictions = self._cache.contradictions
        try:
            with self._kernel.opened():
                boot_time, missed = self._update(taken_at)
        except (OSError, ValueError):
            # What was given away meanwhile is not known any more.
            self._cursor.forget()
            return self._table(taken_at, math.nan)
        missed += self._cache.contradictions - contradictions
        if missed:
            if taken_at >= self._suspect_until:
                _log.warning("fast reading of processes failed its audit", extra=log_fields(missed=missed))
            self._suspect_until = taken_at + AUDIT_SECONDS
        return self._table(taken_at, boot_time, missed)

    def _table(self, taken_at: float, boot_time: float, missed: int = 0) -> ProcessTable:
        cache = self._cache
        failed = math.isnan(boot_time)
        changes = None
        if not failed:
            changes = Changes(since=self._handed_out, pids=frozenset(cache.changed))
            cache.changed.clear()
            self._handed_out = dict(cache.processes)
        return ProcessTable(
            processes={} if failed else self._handed_out,
            changes=changes,
            boot_time=boot_time,
            clock_ticks_per_second=self._ticks_per_second,
            taken_at=taken_at,
            complete=not failed and cache.complete,
            unreadable=dict.fromkeys(Unreadable, 0) if failed else cache.unreadable(),
            namespaces=self._namespaces,
            missed=missed,
        )

    def _update(self, now: float) -> tuple[float, int]:
        """Bring the cache up to date; gives the time of the boot, and how many had been missed."""
        cache = self._cache
        suspect = now < self._suspect_until
        audit = suspect or now >= self._audit_at
        given, boot_time = self._cursor.advance(now, refresh=audit)
        # Who was given a pid a moment ago may not have been there to be seen.
        recent = NewPids((*self._previous_pids.ranges, *(given.ranges if given else ())))
        listing = None
        if given is None or audit or len(recent) > FEW + len(cache) // 2:
            listing = self._kernel.listing()
            self._audit_at = now + AUDIT_SECONDS
        outdated = self._outdated(now, given)
        for pid in set(cache.pids) if given is None or suspect else outdated:
            cache.read(pid)
        asked = chain(*recent.ranges) if listing is None else listing
        newcomers = [pid for pid in asked if pid not in cache and cache.read(pid)]
        self._stat_checks.add(newcomers)
        self._rereads.add(newcomers)
        if listing is not None:
            self._audit(listing)
        missed = self._missed(newcomers, recent) if listing is not None and given is not None else 0
        for _ in range(_CHAIN):
            for pid in cache.affected():
                cache.read(pid)
        self._previous_pids = self._cursor.recent() if given is None else given
        return boot_time, missed

    def _audit(self, listing: Collection[int]) -> None:
        """See to those whose clocks are not asked."""
        for pid in self._cache.other_users - set(listing):
            self._cache.read(pid)
        # Who is younger than the last listing may be about to become another user's: logins begin as root's.
        self._cache.mark_other_users(self._known)
        self._known = frozenset(self._cache.pids)

    def _outdated(self, now: float, given: NewPids | None) -> set[int]:
        """Whose last look does not hold any more."""
        cache = self._cache
        outdated = cache.outdated()
        if given is not None:
            # Another process may have the pid by now.
            outdated.update(given.of(cache.pids))
        outdated.update(self._rereads.due(now, cache))
        lines = self._stat_checks.due(now, cache)
        asked = (pid for pid in lines if pid not in outdated and pid not in cache.other_users)
        outdated.update(pid for pid in asked if cache.changed_meanwhile(pid))
        return outdated

    def _missed(self, newcomers: list[int], recent: NewPids) -> int:
        """How many of those whom the listing showed would not have been found without it."""
        unexpected = [pid for pid in newcomers if pid not in recent]
        if not unexpected:
            return 0
        later = self._cursor.since()
        return sum(pid not in later for pid in unexpected)
