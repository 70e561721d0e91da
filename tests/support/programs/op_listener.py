"""The exporter's side of reported operations alone, and programs that report theirs to it."""

import os
import sys
import textwrap
from pathlib import Path

from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.analysis.operations.reporters import GRACE
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.facts.report import OperationFigures, OperationsReport
from tmux_exporter.sources.events.operation_socket import MOST_PER_SECOND, OperationSocket
from tmux_exporter.wire.runtime_folder import NAME, OPERATIONS_SOCKETS


class OpListener:
    """Listens in a runtime folder below `base` from `start` to `stop`; may be started again, counts anew."""

    def __init__(self, base: Path, *, most_per_second: int = MOST_PER_SECOND) -> None:
        self.base = base
        self.most_per_second = most_per_second
        self.path = base / NAME / OPERATIONS_SOCKETS[0]
        self.start()

    def start(self) -> None:
        self.operations = OperationCounters()
        self.now = 0.0
        self.operations.configure((), 50, exemplars=False)
        self.socket = OperationSocket(
            self.base / NAME,
            self.operations,
            uid=os.getuid(),
            clock=SystemClock(),
            most_per_second=self.most_per_second,
        )
        self.socket.start()

    def stop(self) -> None:
        self.socket.stop()

    def report(self, running: set[int] | None = None) -> OperationsReport:
        """End a sample."""
        report = self.socket.read(lambda: self.operations.report(running, self.now))
        assert report is not None
        return report

    def figures(self, name: str) -> OperationFigures:
        """The figures of one operation, all 0 where nobody has reported it."""
        found = [each for each in self.report().operations if each.operation == name]
        return found[0] if found else OperationCounters().report(None, 0.0).operations[0]

    def lost(self) -> dict[OperationLoss, int]:
        """What was lost up to now, gaps that may still close left out."""
        return {reason: count for reason, count in self.report().lost.items() if count}

    def settled_loss(self) -> dict[OperationLoss, int]:
        """What was lost once no gap can close any more."""
        for _ in range(2):
            self.now += 2 * GRACE
            self.report()
        return self.lost()

    def wait_for_count(self, name: str, count: int) -> OperationFigures:
        """The figures once so many operations of that name have ended."""
        wait_for(lambda: self.figures(name).duration.count >= count, f"{count} of {name}", timeout=60)
        return self.figures(name)

    def environ(self) -> dict[str, str]:
        """Where a program has to look for this listener."""
        return {**os.environ, "XDG_RUNTIME_DIR": str(self.base)}

    def run(self, program: str, *arguments: str, timeout: float = 60) -> str:
        """Run a Python program that reports here; what it printed."""
        done = run_text(
            [sys.executable, "-c", textwrap.dedent(program), *arguments], env=self.environ(), timeout=timeout
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
