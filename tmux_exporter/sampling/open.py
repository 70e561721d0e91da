"""A sampler of this machine: every source opened for the user who runs us."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence

from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import runtime_path, state_path
from tmux_exporter.config import Config, ReadMode
from tmux_exporter.facts.report import Remembered, Report
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sampling.stages.agent_clues import open_watch
from tmux_exporter.sampling.stages.protocols import (
    CommandSource,
    LineageSource,
    OperationSource,
    ServerSource,
    Sources,
)
from tmux_exporter.sampling.stages.spending import SpendingOpener, SpendingWatch
from tmux_exporter.sampling.state_file import StateFile, boot_id, without_screens
from tmux_exporter.sources.host.host import HostReader
from tmux_exporter.sources.host.ledgers import LedgerReader
from tmux_exporter.sources.host.memory_limits import LimitReader
from tmux_exporter.sources.host.workspaces import WorkspaceReader
from tmux_exporter.sources.own.remediator_status import RemediatorFile
from tmux_exporter.sources.processes.held_files import HeldFileReader
from tmux_exporter.sources.processes.leak_details import LeakDetailReader
from tmux_exporter.sources.processes.open import open_processes
from tmux_exporter.sources.processes.smaps_rollup import RollupReader
from tmux_exporter.sources.tmux.source import TmuxSource


def open_sampler(
    config: Config,
    clock: Clock,
    environ: Mapping[str, str],
    *,
    operations: OperationCounters | None = None,
    reports: OperationSource | None = None,
    commands: CommandSource | None = None,
    lineage: LineageSource | None = None,
    tmux: ServerSource | None = None,
    keeps: bool = False,
    counting: bool = True,
    earlier: Sequence[Remembered] = (),
    trees: bool = False,
    screens: bool = True,
    spending: SpendingOpener | None = None,
) -> Sampler:
    """A sampler of this machine, for the user who runs us. Raises CannotSeeError where it shows nothing.

    `reports` feeds `operations`; without both it tells of operations only that none were reported to it.
    `tmux` is asked instead of what `open_tmux` opens. It knows the names that agents were given before, and
    `keeps` says that it writes down those that it gives. Without `counting` its counters stay 0, and a look
    costs less than half. `earlier` is what the exporter that runs knows by its earlier samples.
    With `trees` its reports hold the processes of each agent. Without `screens` no state comes
    from what an agent's screen shows, whatever the configuration says. `spending` opens what
    reads the files in which agents write what they spend, where the configuration allows it.
    """
    uid, root = os.getuid(), config.processes.root

    state = StateFile(state_path(environ), uid=uid, clock=clock, boot=boot_id(root))
    sources = Sources(
        processes=open_processes(root, uid=uid, clock=clock, fast=config.processes.reading is ReadMode.FAST),
        tmux=tmux or open_tmux(config, clock, environ),
        limits=LimitReader(clock=clock, proc_root=root),
        remediator=RemediatorFile(runtime_path(environ, uid), uid=uid, clock=clock),
        # Where programs, we and everybody write.
        host=HostReader(
            clock=clock,
            proc_root=root,
            places=(environ.get("HOME", ""), str(state_path(environ)), "/tmp"),  # noqa: S108
            uid=uid,
        ),
        leak_details=LeakDetailReader(clock=clock, proc_root=root),
        proportions=RollupReader(clock=clock, proc_root=root),
        held_files=HeldFileReader(proc_root=root),
        ledgers=LedgerReader(proc_root=root),
        reports=reports,
        commands=commands,
        lineage=lineage,
        open_spending=spending,
        workspaces=WorkspaceReader(clock=clock, home=environ.get("HOME", "")),
        watch=open_watch(uid=uid, clock=clock, environ=environ, proc_root=root, screens=screens),
    )
    memory = state.load()
    return Sampler(
        config,
        clock,
        sources,
        # Where tmux looks for a process that has no TMUX_TMPDIR.
        default_socket=f"/tmp/tmux-{uid}/default",  # noqa: S108
        operations=operations,
        memory=memory if screens else without_screens(memory),
        keep=state.keep if keeps else None,
        counting=counting,
        earlier=earlier,
        trees=trees,
    )


def spending_files(
    config: Config,
    clock: Clock,
    environ: Mapping[str, str],
    *,
    at_once: float | None = None,
    wanted: Callable[[], bool] | None = None,
) -> SpendingOpener:
    """Opens one watch over the files in which agents write what they spend, for all its samplers.

    They are read by a thread, or in each sample, which then waits for that up to `at_once` seconds. With
    `wanted` only usage limits are told, and nothing is read before it returns true.
    """
    opened: list[SpendingWatch] = []

    def open_watch() -> SpendingWatch | None:
        if not opened and (wanted is None or wanted()):
            # Most of it is for parsing: machines without such agents do not load it.
            from tmux_exporter.sampling.stages.spending_watch import FileWatch  # noqa: PLC0415

            made = FileWatch(
                uid=os.getuid(),
                clock=clock,
                environ=environ,
                proc_root=config.processes.root,
                at_once=at_once,
                only_limits=wanted is not None,
                prices=config.agents.prices,
            )
            opened.append(made)
        return opened[0] if opened else None

    return open_watch


def open_tmux(config: Config, clock: Clock, environ: Mapping[str, str]) -> TmuxSource:
    """The tmux servers of the user who runs us."""
    return TmuxSource(
        config.tmux,
        uid=os.getuid(),
        clock=clock,
        proc_root=config.processes.root,
        environ=environ,
        interval=config.sampling.interval,
    )


def require_tmux(report: Report, environ: Mapping[str, str]) -> None:
    """Refuse a machine that has neither a tmux program nor a tmux server: there is nothing to see, ever."""
    if not report.servers and shutil.which("tmux", path=environ.get("PATH")) is None:
        raise CannotSeeError("tmux is not installed; install it: sudo apt-get install tmux")
