"""One look without a running exporter: `once`, `explain`, `schedulers`, `leaks` and `doctor`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from threading import Event

from tmux_exporter import log
from tmux_exporter.analysis.checkup import Finding, check_up
from tmux_exporter.analysis.explain import Explanation, explain
from tmux_exporter.analysis.snapshot import Snapshot
from tmux_exporter.analysis.tuning import OPTIONS, SYSCTLS
from tmux_exporter.clock import SystemClock
from tmux_exporter.config import Config, LogLevel, Reading
from tmux_exporter.errors import CannotSeeError
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import openmetrics, text
from tmux_exporter.model import LeakKind, ProcessId
from tmux_exporter.opening import open_sampler, require_tmux
from tmux_exporter.report import LeakReport, Report
from tmux_exporter.sampler import SETTLE_SECONDS, Sampler
from tmux_exporter.sources.circumstances import CircumstanceReader
from tmux_exporter.sources.machine import look
from tmux_exporter.sources.running_exporter import RunningExporter
from tmux_exporter.web.report_json import render as render_json


def render_once(config: Config, environ: Mapping[str, str], form: str) -> bytes:
    """One sample as `text`, `openmetrics` or `json`. Raises CannotSeeError on a machine without tmux."""
    log.configure(config.log.level, config.log.format)
    report = settled_report(config, environ)
    require_tmux(report, environ)
    if form == "json":
        return render_json(report) + b"\n"
    families = collect_all(report, config).families
    return openmetrics(families) if form == "openmetrics" else text(families)


def explain_once(config: Config, environ: Mapping[str, str], target: str) -> Explanation:
    """Explain a pid, a pane or an agent from one look. Raises CannotSeeError where there is none."""
    log.configure(config.log.level, config.log.format)
    return explain(target, settled_look(config, environ))


def schedulers_once(config: Config, environ: Mapping[str, str]) -> Report:
    """One sample for its schedulers. Raises CannotSeeError where there is nothing to see them by."""
    log.configure(config.log.level, config.log.format)
    report = _open(config, environ).sample()
    _require_view(report, environ)
    return report


def leaks_once(
    config: Config, environ: Mapping[str, str]
) -> tuple[Report, Mapping[ProcessId, frozenset[int]]]:
    """What is leaked, and the ports on which it listens. Raises CannotSeeError where nothing shows it.

    An exporter that runs knows also those that had lost every tie to their pane before this look, and the
    sessions of others.
    """
    log.configure(config.log.level, config.log.format)
    report = settled_report(config, environ)
    _require_view(report, environ)
    reader = CircumstanceReader(clock=SystemClock(), proc_root=config.processes.root)
    told = {each.process: each for each in told_leaks(config)}
    seen = tuple(named(leak, told.pop(leak.process, None)) for leak in report.leaks)
    ports = reader.ports(leak.process for leak in (*seen, *told.values()))
    # What has ended since it was told has no ports to look at.
    still = tuple(each for process, each in told.items() if process in ports)
    return replace(report, leaks=(*seen, *still)), ports


def named(leak: LeakReport, told: LeakReport | None) -> LeakReport:
    """A leak of this look, with the session that an exporter knows where the look shows none."""
    if told is None or leak.session or not told.session:
        return leak
    reason = f"{leak.reason}; the exporter that runs knows its session by earlier samples"
    return replace(leak, server=told.server, session=told.session, reason=reason)


def told_leaks(config: Config) -> list[LeakReport]:
    """What the exporter that runs calls leaked; nothing where none of this user does."""
    exporter = RunningExporter(config.web.listen_address, uid=os.getuid(), proc_root=config.processes.root)
    document = exporter.report()
    return [
        LeakReport(
            server=each["server"],
            session=each["session"],
            pane=each["pane"],
            kind=LeakKind(each["kind"]),
            reason="the exporter that runs saw it in its pane, in earlier samples",
            name="?",
            process=ProcessId(each["pid"], each["start_ticks"]),
            start_time_seconds=each["start_time_seconds"],
            memory_bytes=each["memory_bytes"],
            cpu_seconds_total=each["cpu_seconds_total"],
            open_fds=each["open_fds"],
        )
        for each in (document["leaks"] if document else ())
    ]


def _require_view(report: Report, environ: Mapping[str, str]) -> None:
    require_tmux(report, environ)
    if not report.collector_success.get("processes", False):
        raise CannotSeeError("not all processes of this machine can be listed; is /proc mounted?")


def _open(config: Config, environ: Mapping[str, str]) -> Sampler:
    # Who looks once has no earlier reading to save anything by.
    full = replace(config.processes, reading=Reading.FULL)
    return open_sampler(replace(config, processes=full), SystemClock(), environ)


def settled_report(config: Config, environ: Mapping[str, str]) -> Report:
    """One sample, or a second one where that is needed to tell what is leaked."""
    sampler = _open(config, environ)
    report = sampler.sample()
    if sampler.unsettled:
        Event().wait(SETTLE_SECONDS)
        report = sampler.sample()
    return report


def settled_look(config: Config, environ: Mapping[str, str]) -> Snapshot:
    """One look, or a second one where that is needed to tell what is leaked."""
    sampler = _open(config, environ)
    snapshot = sampler.look()
    if sampler.unsettled:
        Event().wait(SETTLE_SECONDS)
        snapshot = sampler.look()
    return snapshot


def doctor_once(config: Config, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Look at this machine, its tmux servers and agents, and say what is amiss. Changes nothing."""
    # What would be logged is among the findings.
    log.configure(LogLevel.ERROR, config.log.format)
    # What the machine has left is the doctor's business, also beside a node_exporter.
    config = replace(config, metrics=replace(config.metrics, host=True))
    report = settled_report(config, environ)
    options, sysctls = ([each.name for each in table] for table in (OPTIONS, SYSCTLS))
    return check_up(report, look(report, environ, os.getuid(), options, sysctls))
