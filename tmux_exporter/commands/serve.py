"""The exporter as a service: built from a configuration, run in the main thread until a signal ends it."""

import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType

from tmux_exporter.analysis.operations.operations import OperationCounters
from tmux_exporter.analysis.operations.tmux_commands import read_client
from tmux_exporter.analysis.ownership.lineage import Lineage
from tmux_exporter.base import log
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.base.log import log_fields
from tmux_exporter.base.paths import runtime_path
from tmux_exporter.base.runtime import has_terminal, tune_gc
from tmux_exporter.commands.publisher import Publisher
from tmux_exporter.config import Config
from tmux_exporter.sampling.open import open_sampler, require_tmux, spending_files
from tmux_exporter.sources.events.exec_events import CommandWatch
from tmux_exporter.sources.events.fork_events import ForkWatch
from tmux_exporter.sources.events.operation_socket import OperationSocket
from tmux_exporter.sources.host.port_owner import who_listens
from tmux_exporter.web.server import WebServer

_log = logging.getLogger(__name__)

_NEEDS_RESTART = (
    "web.listen_address",
    "web.also_listen",
    "web.systemd_socket",
    "web.config_file",
    "processes.root",
    "agents.prices",
)


class Service:
    """Sampler, publisher and web server of one process.

    Listens from the moment it is made: UsageError where the address is taken, CannotSeeError on a machine
    without tmux. Samples and answers from `run` to SIGINT or SIGTERM, or until the terminal that it was
    started in is gone (not after nohup). Any other SIGHUP calls `load` and applies what it returns; a
    ConfigError leaves everything as it is.
    """

    def __init__(self, config: Config, load: Callable[[], Config], environ: Mapping[str, str]) -> None:
        log.configure(config.log.level, config.log.format)
        clock = SystemClock()
        self._config = config
        self._load = load
        self._reloading = threading.Lock()
        self._ends_with_terminal = False
        operations, uid = OperationCounters(), os.getuid()
        self._reports = OperationSocket(runtime_path(environ, uid), operations, uid=uid, clock=clock)
        self._commands = CommandWatch(read_client, uid=uid, clock=clock)
        self._forks = ForkWatch(Lineage(), clock=clock)
        sampler = open_sampler(
            config,
            clock,
            environ,
            operations=operations,
            reports=self._reports,
            commands=self._commands,
            lineage=self._forks,
            keeps=True,
            spending=spending_files(config, clock, environ),
        )
        if shutil.which("tmux", path=environ.get("PATH")) is None:
            require_tmux(sampler.sample(), environ)
        self._publisher = Publisher(sampler, config, clock)
        self.web = WebServer(
            config.web,
            self._publisher,
            clock=clock,
            who_listens=who_listens,
            reload=self.reload,
            on_refused=self._publisher.refuse,
        )

    @property
    def publisher(self) -> Publisher:
        """Where the samples come from."""
        return self._publisher

    def run(
        self,
        on_started: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """Sample and serve until a signal; to be called from the main thread."""
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, self._end)
        before = signal.signal(signal.SIGHUP, self._hang_up)
        # nohup ignores SIGHUP for us: who uses it wants us to outlive the terminal.
        self._ends_with_terminal = before is not signal.SIG_IGN and has_terminal()
        tune_gc()
        # A scrape that meets a sample gets its turn ten times as soon.
        sys.setswitchinterval(0.0005)
        self._reports.start()
        self._publisher.start()
        try:
            self.web.run(lambda _: on_started())
        finally:
            on_stopping()
            self._publisher.stop()
            self._reports.stop()
            self._commands.stop()
            self._forks.stop()

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self.web.stop()

    def _hang_up(self, _signal: int, _frame: FrameType | None) -> None:
        if self._ends_with_terminal and not has_terminal():
            self.web.stop()
            return
        # Not in the handler itself: it may have interrupted a thread that holds the log's lock.
        threading.Thread(target=self.reload, name="reload", daemon=True).start()

    def reload(self) -> tuple[str, ...]:
        """Read the configuration again and apply it whole, or not at all: then the problems are returned.

        One reload at a time.
        """
        with self._reloading:
            return self._reload()

    def _reload(self) -> tuple[str, ...]:
        try:
            config = self._load()
            self.web.configure(config.web)
        except ConfigError as error:
            for problem in error.problems:
                _log.error(
                    "configuration refused, the one before stays in use", extra=log_fields(problem=problem)
                )
            self._publisher.refuse()
            return error.problems
        for name in _NEEDS_RESTART:
            section, key = name.split(".")
            before, now = (getattr(getattr(each, section), key) for each in (self._config, config))
            if before != now:
                _log.warning("this setting needs a restart", extra=log_fields(setting=name, value=str(now)))
        self._config = config
        log.configure(config.log.level, config.log.format)
        self._publisher.configure(config)
        _log.info("configuration applied")
        return ()
