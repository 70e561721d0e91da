"""Reports for `top`: from the running exporter, else from own samples."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Thread

from tmux_exporter.base.clock import SystemClock
from tmux_exporter.commands.top.rows import Document
from tmux_exporter.config import Config
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.metrics.report_json import render, render_detail
from tmux_exporter.sampling.open import open_sampler, require_tmux
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sources.own.running_exporter import RunningExporter

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedReport:
    """A report and its source; counters of two sources are not comparable."""

    document: Document
    source: str


class ReportSource:
    """The newest report, from a running exporter or from own samples."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        address = config.web.local_address
        self._config = config
        self._environ = environ
        self._exporter = RunningExporter(
            address, uid=os.getuid(), clock=SystemClock(), proc_root=config.processes.root
        )
        self._from_exporter = f"exporter at {address}"
        self._own = f"own samples every {config.sampling.interval:g} s"
        self._sampler: Sampler | None = None

    def report(self, *, fresh: bool = False) -> SourcedReport:
        """The newest report; `fresh` asks the exporter for a new one, which it has once a second.

        Raises CannotSeeError where there is nothing to see it by.
        """
        document = self._exporter.ask(fresh=fresh).document
        if document is not None:
            self._sampler = None
            return SourcedReport(document=document, source=self._from_exporter)
        if self._sampler is None:
            self._sampler = open_sampler(self._config, SystemClock(), self._environ)
        report = self._sampler.sample()
        require_tmux(report, self._environ)
        return SourcedReport(document=json.loads(render(report)), source=self._own)

    def detail(self, wanted: Wanted) -> Document | None:
        """One thing of the last sample; None if it is not there."""
        if self._sampler is None:
            return self._exporter.detail(wanted)
        found = self._sampler.detail(wanted)
        return json.loads(render_detail(found, 0.0)) if found else None

    @property
    def patience(self) -> float:
        """Seconds until there may be a newer one."""
        return _POLL_SECONDS if self._sampler is None else self._config.sampling.interval


class Reports:
    """Takes reports in its own thread: a hung tmux server must not block the keyboard."""

    def __init__(self, source: ReportSource, wake: Callable[[], None]) -> None:
        self._source = source
        self._wake = wake
        self._stop = False
        self._turn = Event()
        self._wanted: Wanted | None = None
        self.detail: tuple[Wanted, Document | None] | None = None
        self.newest: SourcedReport | None = None
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin; `wake` is called after each new report and after a failure, which is the end."""
        Thread(target=self._run, name="top-reports", daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        self._stop = True
        self._turn.set()

    def want(self, wanted: Wanted | None) -> None:
        """Keep `detail` with the reports from now on: that of this thing."""
        if wanted != self._wanted:
            self._wanted, self.detail = wanted, None
            self._turn.set()

    def _run(self) -> None:
        try:
            while not self._stop:
                self.newest = self._source.report()
                self._wake()
                self._tell_more()
                if self._turn.wait(self._source.patience):
                    self._turn.clear()
                    self._tell_more()
        except BaseException as error:
            self.failure = error
            self._wake()

    def _tell_more(self) -> None:
        wanted = self._wanted
        if wanted is not None:
            self.detail = wanted, self._source.detail(wanted)
            self._wake()
