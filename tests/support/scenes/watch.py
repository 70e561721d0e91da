"""A sampler beside one real tmux server, whose samples are as far apart as the test wants."""

import os
from collections.abc import Callable

import libtmux

from tests.support.clock import ShiftedClock
from tests.support.literals.scripted import sampler_of
from tests.support.processes.started import server_pid
from tests.support.wait import wait_for
from tmux_exporter.analysis.ownership.lineage import Lineage
from tmux_exporter.config import Config, ProcessSettings
from tmux_exporter.facts.report import AgentReport, PaneReport, Report
from tmux_exporter.sources.events.fork_events import ForkWatch
from tmux_exporter.sources.host.ledgers import LedgerReader
from tmux_exporter.sources.host.memory_limits import LimitReader
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.held_files import HeldFileReader
from tmux_exporter.sources.processes.leak_details import LeakDetailReader
from tmux_exporter.sources.processes.smaps_rollup import RollupReader
from tmux_exporter.sources.tmux.source import TmuxSource


class Watch:
    """The sampler, and what it says of that server alone."""

    def __init__(
        self, server: libtmux.Server, *, ledgers: bool = False, forks: ForkWatch[Lineage] | None = None
    ) -> None:
        """With `ledgers` the kernel's accounts of cgroups are read too, with `forks` its fork events."""
        self.server = server
        self.pid = server_pid(server)
        self.clock = ShiftedClock()
        uid = os.getuid()
        self.sampler = sampler_of(
            ProcReader(uid=uid, clock=self.clock),
            TmuxSource(Config().tmux, uid=uid, clock=self.clock, environ=os.environ),
            clock=self.clock,
            config=Config(processes=ProcessSettings(lineage=forks is not None)),
            lineage=forks,
            leak_details=LeakDetailReader(clock=self.clock) if forks else None,
            limits=LimitReader(clock=self.clock),
            proportions=RollupReader(clock=self.clock),
            held_files=HeldFileReader(),
            ledgers=LedgerReader() if ledgers else None,
        )

    def sample(self) -> Report:
        # A rested server is asked anew.
        self.clock.advance(5.0)
        return self.sampler.sample()

    def settle(self) -> Report:
        """Samples until nothing is in doubt any more."""
        return [self.sample() for _ in range(3)][-1]

    def pane(self, report: Report, pane: str) -> PaneReport:
        (label,) = [each.server for each in report.servers if each.pid == self.pid]
        (found,) = [each for each in report.panes if (each.server, each.pane) == (label, pane)]
        return found

    def agents(self, report: Report, pane: str) -> list[AgentReport]:
        (label,) = [each.server for each in report.servers if each.pid == self.pid]
        return [each for each in report.agents if (each.server, each.pane) == (label, pane)]

    def written(self, report: Report, pane: str) -> int:
        written = self.pane(report, pane).usage.written_bytes_total
        assert written is not None
        return written

    def cpu(self, report: Report, pane: str) -> float:
        return self.pane(report, pane).usage.cpu_seconds_total

    def session_cpu(self, report: Report) -> float:
        (label,) = [each.server for each in report.servers if each.pid == self.pid]
        (used,) = [each.usage.cpu_seconds_total for each in report.sessions if each.server == label]
        return used

    def server_cpu(self, report: Report) -> float:
        (used,) = [each.cpu_seconds_total for each in report.servers if each.pid == self.pid]
        assert used is not None
        return used

    def sample_until(self, condition: Callable[[], bool], apart: float = 0.3) -> None:
        """Take samples until something has happened."""
        while not condition():
            self.sample()
            self._pause(condition, until=self.clock.monotonic() + apart)

    def _pause(self, condition: Callable[[], bool], *, until: float) -> None:
        wait_for(lambda: condition() or self.clock.monotonic() >= until, "it is time", timeout=60)
