"""Read all processes of a Linux machine from /proc; the cost depends on how much has changed.

New processes are found among the pids that the kernel has assigned since the last reading (`new_pids`). Known
processes are read again if they have run (`process_cache`), if another process has changed them, or when
their turn comes. Unrelated processes of other users are read only in turn. Every minute, later every five,
and after a fork storm, the reader lists all pids. If the listing shows a process that was missed, or a
process changed under an unchanged CPU clock, every reading is a full one until a minute has passed without
either.
"""

import logging
import math
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice
from typing import Protocol

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.process import Changes, Namespaces, Process, ProcessTable, Unreadable
from tmux_exporter.sources.processes.kernel import Kernel
from tmux_exporter.sources.processes.new_pids import NO_PIDS, Cursor, NewPids
from tmux_exporter.sources.processes.process_cache import ProcessCache

_SPARE = 100


class Members(Protocol):
    """The living members."""

    def __len__(self) -> int:
        """How many there are."""

    def __contains__(self, member: object, /) -> bool:
        """Whether this one is among them."""


class RoundRobin:
    """Returns each member once within `seconds`, spread evenly over the calls."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # A plain dict keeps the order too, in a third of the memory of an OrderedDict.
        self._waiting: dict[int, None] = {}
        self._asked_at = -math.inf
        self._credit = 0.0

    def add(self, members: Iterable[int]) -> None:
        """Append these; a member that already waits keeps its place."""
        for member in members:
            self._waiting.setdefault(member, None)

    def due(self, now: float, present: Members) -> list[int]:
        """The members due at the monotonic time `now`. Drops those that are not `present`."""
        # Most short-lived members end long before their turn.
        if len(self._waiting) > 2 * len(present) + _SPARE:
            self._waiting = dict.fromkeys(each for each in self._waiting if each in present)
        passed = min(1.0, (now - self._asked_at) / self._seconds)
        self._asked_at = now
        self._credit += len(self._waiting) * passed
        # Tolerate the rounding error of a sum of fractions.
        number = min(int(self._credit + 1e-6), len(self._waiting))
        self._credit -= number
        first = list(islice(self._waiting, number))
        for member in first:
            del self._waiting[member]
        due = [member for member in first if member in present]
        self.add(due)
        return due


AUDIT_SECONDS = 60.0
"""Seconds between the first two full listings; also how long readings stay full after an error."""

LISTING_SECONDS = 300.0
"""The longest pause between full listings: it doubles while they find nothing that was missed."""

STAT_SECONDS = 300.0
"""Seconds within which each line of stat is read and each limit of open files asked for, but for other users,
whatever the clocks say: the kernel may reclaim memory, another process set the limit."""

LIMIT_SECONDS = 60.0
"""Seconds within which the limit of open files is asked for of processes that have many."""

REREAD_SECONDS = 3600.0
"""Seconds within which every process is read in full; of unrelated processes of other users those whose line
of stat has changed."""

FEW = 50
"""With more new pids than this plus half of all processes, a full listing is cheaper."""

_CHAIN = 8
"""How many times one reading follows changes that it found itself; the rest is left to the next reading."""

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
        self._uid = uid
        self._clock = clock
        self._ticks_per_second = ticks_per_second
        self._namespaces = namespaces
        self._cache = ProcessCache(kernel, uid)
        self._cursor = Cursor(kernel)
        self._previous_pids = NO_PIDS
        self._young: set[int] = set()
        self._stat_checks = RoundRobin(STAT_SECONDS)
        self._limit_checks = RoundRobin(LIMIT_SECONDS)
        self._rereads = RoundRobin(REREAD_SECONDS)
        self._handed_out: Mapping[int, Process] = {}
        self._audit_at = self._boot_at = -math.inf
        self._pause = AUDIT_SECONDS
        self._suspect_until = -math.inf

    def read(self) -> ProcessTable:
        """Take one reading, with the same result as `ProcReader.read`."""
        taken_at = self._clock.monotonic()
        contradictions = self._cache.contradictions
        try:
            with self._kernel.opened():
                boot_time, missed = self._update(taken_at)
        except (OSError, ValueError):
            # The pids assigned meanwhile are unknown.
            self._cursor.forget()
            return self._table(taken_at, math.nan)
        missed += self._cache.contradictions - contradictions
        if missed:
            if taken_at >= self._suspect_until:
                _log.warning("fast reading of processes failed its audit", extra=log_fields(missed=missed))
            self._suspect_until = self._audit_at = taken_at + AUDIT_SECONDS
            self._pause = AUDIT_SECONDS
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
            uid=self._uid,
            missed=missed,
        )

    def _update(self, now: float) -> tuple[float, int]:
        """Update the cache. Returns the boot time and the number of processes that had been missed."""
        cache = self._cache
        suspect = now < self._suspect_until
        audit = suspect or now >= self._audit_at
        refresh = audit or now >= self._boot_at
        given, boot_time = self._cursor.advance(now, refresh=refresh)
        self._boot_at = now + AUDIT_SECONDS if refresh else self._boot_at
        # A process may not have been visible yet when its pid was assigned.
        recent = NewPids((*self._previous_pids.ranges, *(given.ranges if given else ())))
        listing = None
        if given is None or audit or len(recent) > FEW + len(cache) // 2:
            listing = self._kernel.listing()
            self._audit_at = now + self._pause
            self._pause = self._pause if suspect else min(2 * self._pause, LISTING_SECONDS)
        outdated = self._outdated(now, given)
        for pid in set(cache.pids) if given is None or suspect else outdated:
            cache.read(pid)
        asked = chain(*recent.ranges) if listing is None else listing
        newcomers = [pid for pid in asked if pid not in cache and cache.read(pid)]
        self._stat_checks.add(newcomers)
        self._rereads.add(newcomers)
        self._young.update(newcomers)
        if listing is not None:
            self._audit(listing)
        missed = self._missed(newcomers, recent) if listing is not None and given is not None else 0
        for _ in range(_CHAIN):
            for pid in cache.affected():
                cache.read(pid)
        self._previous_pids = self._cursor.recent() if given is None else given
        return boot_time, missed

    def _audit(self, listing: Collection[int]) -> None:
        """Check the processes whose clocks are not read."""
        for pid in self._cache.other_users - set(listing):
            self._cache.read(pid)
        # A process younger than the last listing may still change its user: a login starts as root.
        self._cache.mark_other_users(self._young)
        self._young.clear()

    def _outdated(self, now: float, given: NewPids | None) -> set[int]:
        """The pids that must be read again."""
        cache = self._cache
        outdated = cache.outdated()
        if given is not None:
            # The pid may belong to another process now.
            outdated.update(given.of(cache.pids))
        rereads = self._rereads.due(now, cache)
        # Of strangers only what the line shows.
        outdated.update(
            pid for pid in rereads if pid not in cache.other_users or cache.changed_meanwhile(pid)
        )
        lines = self._stat_checks.due(now, cache)
        asked = (pid for pid in lines if pid not in outdated and pid not in cache.other_users)
        outdated.update(pid for pid in asked if cache.changed_meanwhile(pid) or cache.limit_changed(pid))
        self._limit_checks.add(cache.with_many_fds)
        limits = self._limit_checks.due(now, cache.with_many_fds)
        outdated.update(pid for pid in limits if cache.limit_changed(pid))
        return outdated

    def _missed(self, newcomers: list[int], recent: NewPids) -> int:
        """How many processes only the listing has found."""
        unexpected = [pid for pid in newcomers if pid not in recent]
        if not unexpected:
            return 0
        later = self._cursor.since()
        return sum(pid not in later for pid in unexpected)
