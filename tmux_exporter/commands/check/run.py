"""`check`: take reports of a running exporter, or of one look of its own, and judge them."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from tmux_exporter.alerting.base import thresholds
from tmux_exporter.base import log, strict_json
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import private_folder, state_path
from tmux_exporter.commands.check.figures import (
    Document,
    Seen,
    Subject,
    Wanted,
    findings,
    operation_counts,
)
from tmux_exporter.commands.check.verdict import Status, Verdict, judge, title
from tmux_exporter.commands.one_sample import settled_report
from tmux_exporter.commands.top.rows import Rates
from tmux_exporter.config import Config, LogLevel
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.report_json import render
from tmux_exporter.sampling.open import open_sampler, require_tmux
from tmux_exporter.sources.own.running_exporter import RunningExporter

_BETWEEN_SECONDS = 2.0
"""Between the two reports that CPU is told from."""

_VERSION = 1


def check(
    subject: Subject, config: Config, environ: Mapping[str, str], wanted: Wanted, exporter: str | None
) -> Verdict:
    """Check a subject. With `exporter` (host:port) only that one is asked, whoever runs it.

    Raises CannotSeeError where there is nothing to see it by.
    """
    log.configure(LogLevel.ERROR, config.log.format)
    clock = SystemClock()
    address = config.web.local_address if exporter is None else exporter
    running = RunningExporter(
        address,
        uid=os.getuid() if exporter is None else None,
        clock=clock,
        proc_root=config.processes.root,
    )
    answer = running.ask(fresh=True)
    document, rates = answer.document, Rates()
    if document is None and (exporter is not None or subject in (Subject.EXPORTER, Subject.OPERATIONS)):
        words = (
            f"what listens on {address} {answer.failure}"
            if answer.failure
            else f"nothing listens on {address}"
        )
        if subject is Subject.EXPORTER:
            return Verdict(status=Status.CRITICAL, text=f"{title(subject, Status.CRITICAL)} - {words}")
        raise CannotSeeError(words)
    if subject is Subject.CPU:
        document = _second(running, document, rates) if document else _own_rates(config, environ, rates)
    elif document is None:
        document = _document(settled_report(config, environ), environ)
    before: Mapping[str, Any] = {}
    numbers = thresholds.load()
    if subject is Subject.OPERATIONS and document.get("operations") is not None:
        place = hashlib.sha256(repr((address, wanted)).encode("utf-8", "surrogateescape")).hexdigest()
        path = state_path(environ) / f"check-{place[:16]}.json"
        before = _before(path, document, numbers.seconds("operations", "over"))
    seen = Seen(document=document, now=clock.time(), thresholds=numbers, rates=rates, before=before)
    found = findings(subject, seen, wanted)
    return judge(subject, found.figures, calm=found.calm, unseen=found.unseen)


def _second(running: RunningExporter, first: Document, rates: Rates) -> Document:
    """The report of a moment later, by which `rates` are known."""
    rates.take(first)
    Event().wait(_BETWEEN_SECONDS)
    answer = running.ask(fresh=True)
    if answer.document is None:
        raise CannotSeeError(f"the exporter {answer.failure or 'has gone'}")
    rates.take(answer.document)
    return answer.document


def _own_rates(config: Config, environ: Mapping[str, str], rates: Rates) -> Document:
    sampler = open_sampler(config, SystemClock(), environ)
    rates.take(_document(sampler.sample(), environ))
    Event().wait(_BETWEEN_SECONDS)
    document = _document(sampler.sample(), environ)
    rates.take(document)
    return document


def _document(report: Report, environ: Mapping[str, str]) -> Document:
    require_tmux(report, environ)
    document: Document = json.loads(render(report))
    return document


def _before(path: Path, document: Document, over: float) -> Mapping[str, Any]:
    """The counts of an earlier check, the newest that is `over` seconds old; keeps those of this one too.

    Empty without one: then all since the start of the exporter counts. Raises CannotSeeError, OSError.
    """
    try:
        kept = strict_json.document(path.read_bytes(), _VERSION)["checks"]
        earlier = [(strict_json.number(time), strict_json.record(counts)) for time, counts in kept]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        earlier = []
    now = document["timestamp"]
    # Of a clock that was set back nothing earlier can be used.
    earlier = [each for each in earlier if each[0] <= now]
    old = [each for each in earlier if now - each[0] >= over]
    kept = [*old[-1:], *(each for each in earlier if now - each[0] < over), (now, operation_counts(document))]
    private_folder(path.parent, os.getuid())
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps({"version": _VERSION, "checks": kept}), encoding="utf-8")
        fresh.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
    return (old or earlier or [(now, {})])[-1 if old else 0][1]
