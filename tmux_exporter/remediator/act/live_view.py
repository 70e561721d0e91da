"""Fresh reads of processes and tmux just before an act, without caches; and our own process."""

import os
import select
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tmux_exporter.base.clock import Clock
from tmux_exporter.config import Config, ReadMode
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.report import Remembered, Report
from tmux_exporter.remediator.act.confirm_listings import ConfirmingTmuxSource
from tmux_exporter.remediator.decide.last_checks import ProcessContext
from tmux_exporter.remediator.decide.vetoes import Moment
from tmux_exporter.remediator.policies.policy import PolicySet
from tmux_exporter.sampling.open import open_sampler, open_tmux, spending_files
from tmux_exporter.sampling.stages.spending import SpendingOpener
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.leak_details import LeakDetailReader
from tmux_exporter.sources.processes.parse import Stat, parse_stat

QUICK_SECONDS = 0.3
"""A faster sample needs no second tmux query."""

LOOK_TIMEOUT = 0.4
"""Query timeout of the last check: one hung tmux server must not make the other listings stale."""


LIMITS_SECONDS = 0.2
"""For so long a sample reads the files of agents for their usage limits."""


class LiveView:
    """Reads everything again at each call; `earlier` is what the samples of the loop have shown before."""

    def __init__(
        self, config: Config, clock: Clock, environ: Mapping[str, str], limits: SpendingOpener | None = None
    ) -> None:
        """`limits` opens what tells who stands at a usage limit."""
        self._limits = limits
        quick = replace(config.tmux, query_timeout=min(config.tmux.query_timeout, LOOK_TIMEOUT))
        full = replace(config.processes, reading=ReadMode.FULL)
        self._config = replace(config, tmux=quick, processes=full)
        self._root = config.processes.root
        self._clock = clock
        self._environ = environ
        self.earlier: tuple[Remembered, ...] = ()

    def moment(self) -> Moment:
        """Now."""
        return Moment(wall=self._clock.time(), monotonic=self._clock.monotonic())

    def processes(self) -> ProcessTable:
        """All processes, read without a cache."""
        return self._reader().read()

    def read_again(self, table: ProcessTable, processes: Iterable[ProcessId]) -> ProcessTable:
        """These processes and all below them, read without a cache; of the others `table` tells."""
        found = self._reader().read_again(table, [each.pid for each in processes])
        return self.processes() if found is None else found

    def around(
        self, targets: Iterable[ProcessId], beside: Iterable[ProcessId] = ()
    ) -> Mapping[ProcessId, ProcessContext]:
        """systemd unit of these processes, sockets and connections of the targets, read without a cache."""
        ends = tuple(targets)
        asked = {*ends, *beside}
        reader = LeakDetailReader(clock=self._clock, proc_root=self._root)
        units, reachable, connections = reader.units(asked), reader.reachable(ends), reader.connections(ends)
        return {
            each: ProcessContext(
                unit=units.get(each), reachable=reachable.get(each), connections=connections.get(each)
            )
            for each in asked
        }

    def look(self) -> tuple[Report, Moment]:
        """A full sample, and the moment after it."""
        report, _ = self.sample()
        return report, self.moment()

    def sample(self) -> tuple[Report, ConfirmingTmuxSource]:
        """A full sample without held listings or back-off, and what can confirm its listings.

        A leak needs two samples. The counters stay 0. If the sample took long, tmux is queried once more.
        """
        servers = ConfirmingTmuxSource(open_tmux(self._config, self._clock, self._environ))
        sampler = open_sampler(
            self._config,
            self._clock,
            self._environ,
            tmux=servers,
            counting=False,
            trees=True,
            screens=False,
            spending=self._limits,
            earlier=self.earlier,
        )
        started = self._clock.monotonic()
        report = sampler.sample()
        if sampler.unsettled:
            report = sampler.sample()
        if self._clock.monotonic() - started > QUICK_SECONDS:
            report = servers.confirmed(report)
        return report, servers

    def _reader(self) -> ProcReader:
        return ProcReader(self._root, uid=os.getuid(), clock=self._clock)

    def me(self) -> ProcessId:
        """This process."""
        return process_of(os.getpid())

    def own(self) -> frozenset[int]:
        """The pids of this process and its ancestors."""
        pids: set[int] = set()
        pid = os.getpid()
        while pid and pid not in pids:
            pids.add(pid)
            try:
                pid = _stat(pid).ppid
            except (OSError, ValueError):
                # It has just ended; its children were reparented.
                break
        return frozenset(pids)


def limit_files(
    config: Config, clock: Clock, environ: Mapping[str, str], policies: Callable[[], PolicySet]
) -> SpendingOpener:
    """What tells who stands at a usage limit; nothing is read before a policy asks for agents that rest."""

    def wanted() -> bool:
        return any(each.by_rest for each in policies().policies)

    return spending_files(config, clock, environ, at_once=LIMITS_SECONDS, wanted=wanted)


def process_of(pid: int) -> ProcessId:
    """The process that has this pid now. Raises OSError or ValueError where there is none."""
    return ProcessId(pid, _stat(pid).start_ticks)


def is_alive(process: ProcessId) -> bool:
    """Whether its pid is still its own and it runs: a zombie has ended. Raises as `process_of` does."""
    stat = _stat(process.pid)
    return stat.start_ticks == process.start_ticks and stat.state not in ("Z", "X")


def is_there(process: ProcessId) -> bool:
    """Whether it runs; what cannot be read does not."""
    try:
        return is_alive(process)
    except (OSError, ValueError):
        return False


def has_ended(descriptor: int, seconds: float = 0.0) -> bool:
    """Whether the process behind a pidfd ends within so many seconds; a zombie has ended."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(round(seconds * 1000)))


def _stat(pid: int) -> Stat:
    with open(f"/proc/{pid}/stat", "rb") as stream:
        return parse_stat(stream.read())
