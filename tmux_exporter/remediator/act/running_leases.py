"""The leases in force: follow them, end what has to end, keep them on disk for the next remediator."""

from contextlib import suppress
from pathlib import Path

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.cgroups import CgroupBounds
from tmux_exporter.facts.process import Cgroup, ProcessId
from tmux_exporter.facts.remediation import LeaseMeans
from tmux_exporter.remediator.act.pause import Pause, let_go
from tmux_exporter.remediator.record.leases import Lease, LeaseFile
from tmux_exporter.sources.host.cgroups import events_at, members_at, place_at


class RunningLeases:
    """Leases by what holds them: a pause, or None for the bounds of a cgroup; `state` is a private folder."""

    def __init__(self, state: Path, clock: Clock, *, uid: int, boot: str) -> None:
        self._clock = clock
        self._file = LeaseFile(state, uid=uid, boot=boot)
        self._pauses: dict[Lease, Pause | None] = {}
        self._events: dict[Lease, int] = {}
        self._bounds: dict[Lease, CgroupBounds] = {}
        self._recover()

    @property
    def running(self) -> tuple[Lease, ...]:
        """Those in force, also one whose end has passed without effect."""
        return tuple(self._pauses)

    def add(self, lease: Lease, pause: Pause | None, events: int) -> None:
        """Follow a lease from now on; `events` is the count of memory.high events before it."""
        self._pauses[lease] = pause
        self._bounds[lease] = place_at(lease.path).bounds
        self._events[lease] = events

    def keep(self, *more: Lease) -> None:
        """Write all of them down, and those that are about to begin."""
        self._file.write((*self._pauses, *more))

    def holds(self, process: ProcessId) -> bool:
        """Whether a lease of this target holds."""
        return any(process == each.target for each in self._pauses)

    def holds_in(self, path: Cgroup) -> bool:
        """Whether a lease holds in this cgroup: the bounds that it has are those of that one."""
        return any(each.path == path for each in self._pauses)

    def follow(self) -> dict[str, int]:
        """End what has to end, and keep the record; new memory.high events by policy."""
        now = self._clock.monotonic()
        grown: dict[str, int] = {}
        for lease, pause in tuple(self._pauses.items()):
            count = events_at(lease.path).get("high", 0) if lease.path else 0
            grown[lease.policy] = grown.get(lease.policy, 0) + max(0, count - self._events.get(lease, 0))
            self._events[lease] = max(count, self._events.get(lease, 0))
            if self._is_over(lease, now) or (pause is not None and not pause.lives):
                if pause is not None:
                    pause.end()
                self._pauses.pop(lease)
                self._events.pop(lease, None)
                self._bounds.pop(lease, None)
                self.keep()
        return grown

    def release(self, process: ProcessId) -> None:
        """End a pause of this process: what is stopped gets no signal but KILL."""
        for lease, pause in tuple(self._pauses.items()):
            if pause is not None and process in lease.processes:
                pause.end()
                self._pauses.pop(lease)

    def close(self) -> None:
        """End every pause: it would end with this program anyway."""
        for lease, pause in tuple(self._pauses.items()):
            if pause is not None:
                pause.end()
                self._pauses.pop(lease)
        with suppress(OSError):
            # The next remediator finds nothing stopped either way.
            self.keep()

    def _is_over(self, lease: Lease, now: float) -> bool:
        """Whether its time is over and its bounds are lifted, or nothing is left in its scope."""
        if lease.path and not members_at(lease.path):
            return True
        return now >= lease.until and not self._is_bound(lease)

    def _is_bound(self, lease: Lease) -> bool:
        """Whether processes are in the scope of a lease, and its bounds as they were set."""
        bounds = self._bounds.get(lease, CgroupBounds())
        if not lease.path or bounds == CgroupBounds():
            return False
        return place_at(lease.path).bounds == bounds

    def _recover(self) -> None:
        """Continue what an earlier remediator had paused, should its keeper have been killed too."""
        for lease in self._file.read():
            if lease.means is LeaseMeans.PAUSE:
                let_go(lease.processes)
            elif lease.until > self._clock.monotonic():
                self.add(lease, None, events_at(lease.path).get("high", 0))
