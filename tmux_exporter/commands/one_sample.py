"""Commands that take one sample: `once`, `doctor`, `explain`, `schedulers`, `leaks`, `usage`.

The last three also use what a running exporter remembers."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any, TypeVar

from tmux_exporter.analysis.agents.look_alikes import LEAST_SECONDS, look_alikes
from tmux_exporter.analysis.doctor.findings import Finding, check_up
from tmux_exporter.analysis.doctor.recommended_settings import OPTIONS, SYSCTLS
from tmux_exporter.analysis.report.explain import explain
from tmux_exporter.analysis.report.explained import Explanation
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base import log
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.commands.views.explain import bounds_words
from tmux_exporter.config import Config, LogLevel, ReadMode
from tmux_exporter.facts.doctor import LookAlike
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import INCOMPLETE_RATIO, Remembered, Report
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.render import openmetrics, text
from tmux_exporter.metrics.report_json import render as render_json
from tmux_exporter.sampling.open import open_sampler, require_tmux, spending_files
from tmux_exporter.sampling.sampler import Sampler
from tmux_exporter.sources.host.cgroups import read_place
from tmux_exporter.sources.host.doctor import read_machine, reads_single_keys
from tmux_exporter.sources.own.running_exporter import ExporterAnswer, RunningExporter
from tmux_exporter.sources.processes.leak_details import LeakDetailReader

_Taken = TypeVar("_Taken", Report, Snapshot)

_READ_SECONDS = 5.0
"""The longest time for what agents have written; a file that takes longer is told as unknown."""

_SETTLE_SECONDS = 1.0
"""Between two samples, where one alone leaves a leak in doubt."""

_MOST_MORE = 3


def render_once(config: Config, environ: Mapping[str, str], form: str) -> bytes:
    """One sample as `text`, `openmetrics` or `json`. Raises CannotSeeError on a machine without tmux."""
    log.configure(config.log.level, config.log.format)
    report = settled_report(config, environ)
    require_tmux(report, environ)
    if form == "json":
        return render_json(report) + b"\n"
    families = collect_all(report, config).families
    return openmetrics(families) if form == "openmetrics" else text(families)


def explain_once(
    config: Config, environ: Mapping[str, str], target: str, say: Callable[[str], None]
) -> Explanation:
    """Explain one pane, process, agent, session or server. Raises CannotSeeError if none has that name."""
    log.configure(config.log.level, config.log.format)
    answer = _ask_exporter(config)
    found = explain(target, settled_snapshot(config, environ, _remembered(config, answer, say)))
    if found.session and (missing := answer.cpu_incomplete_ratio(*found.session)) > INCOMPLETE_RATIO:
        told = f"about {missing:.0%} of its CPU time went to orphans that nobody could watch"
        found = replace(found, facts=(*found.facts, ("incomplete", told)))
    bounds = [
        ("bounds", words) for each in found.holders if (words := _bounds_of(each, config.processes.root))
    ]
    return replace(found, facts=(*found.facts, *bounds))


def _bounds_of(process: ProcessId, proc_root: str) -> str:
    """The bounds of the cgroup of a process in words; empty where it has none, or they cannot be read."""
    try:
        place = read_place(process, proc_root=proc_root)
    except (OSError, ValueError):
        return ""
    return "" if place is None else bounds_words(process, place)


def schedulers_once(config: Config, environ: Mapping[str, str], say: Callable[[str], None]) -> Report:
    """One sample for its schedulers. Raises CannotSeeError where there is nothing to see them by."""
    log.configure(config.log.level, config.log.format)
    report = _open(config, environ, remembered_by_exporter(config, say)).sample()
    _require_view(report, environ)
    return report


def leaks_once(
    config: Config, environ: Mapping[str, str], say: Callable[[str], None]
) -> tuple[Report, Mapping[ProcessId, frozenset[int]]]:
    """What is leaked, and the ports on which it listens. Raises CannotSeeError where nothing shows it."""
    log.configure(config.log.level, config.log.format)
    report = settled_report(config, environ, remembered_by_exporter(config, say))
    _require_view(report, environ)
    reader = LeakDetailReader(clock=SystemClock(), proc_root=config.processes.root)
    return report, reader.ports(leak.process for leak in report.leaks)


def usage_once(config: Config, environ: Mapping[str, str], say: Callable[[str], None]) -> Mapping[str, Any]:
    """What agents spend, as the JSON of a report: the running exporter's, else that of an own sample.

    Raises CannotSeeError on a machine without tmux.
    """
    log.configure(config.log.level, config.log.format)
    address, root = config.web.local_address, config.processes.root
    answer = RunningExporter(address, uid=os.getuid(), clock=SystemClock(), proc_root=root).ask(fresh=True)
    if answer.document is not None:
        return answer.document
    if answer.failure:
        say(f"what listens on {address} {answer.failure}: this rests on one sample of its own")
    full = replace(config.processes, reading=ReadMode.FULL)
    files = spending_files(config, SystemClock(), environ, at_once=_READ_SECONDS)
    sampler = open_sampler(replace(config, processes=full), SystemClock(), environ, spending=files)
    report = sampler.sample()
    require_tmux(report, environ)
    found: Mapping[str, Any] = json.loads(render_json(report))
    return found


def remembered_by_exporter(config: Config, say: Callable[[str], None]) -> tuple[Remembered, ...]:
    """What a running exporter knows from earlier samples; `say` gets the reason if it cannot answer.

    It saw processes in panes that are gone now; a single sample cannot prove their owner.
    """
    return _remembered(config, _ask_exporter(config), say)


def _ask_exporter(config: Config) -> ExporterAnswer:
    address, root = config.web.local_address, config.processes.root
    return RunningExporter(address, uid=os.getuid(), clock=SystemClock(), proc_root=root).ask()


def _remembered(config: Config, answer: ExporterAnswer, say: Callable[[str], None]) -> tuple[Remembered, ...]:
    known = answer.remembered()
    failure = answer.failure or ("is of another version" if answer.document and known is None else "")
    if failure:
        who = f"what listens on {config.web.local_address}"
        say(f"{who} {failure}: this rests on one sample of its own, without earlier ones")
    return known or ()


def _require_view(report: Report, environ: Mapping[str, str]) -> None:
    require_tmux(report, environ)
    if not report.collector_success.get("processes", False):
        raise CannotSeeError("not all processes of this machine can be listed; is /proc mounted?")


def _open(config: Config, environ: Mapping[str, str], known: Sequence[Remembered] = ()) -> Sampler:
    # The fast reader saves work only from the second sample on.
    full = replace(config.processes, reading=ReadMode.FULL)
    return open_sampler(replace(config, processes=full), SystemClock(), environ, earlier=known)


def settled_report(config: Config, environ: Mapping[str, str], known: Sequence[Remembered] = ()) -> Report:
    """One sample; more of them while a leak is in doubt."""
    sampler = _open(config, environ, known)
    return _settled(sampler, sampler.sample)


def settled_snapshot(
    config: Config, environ: Mapping[str, str], known: Sequence[Remembered] = ()
) -> Snapshot:
    """The facts of one sample; of more of them while a leak is in doubt."""
    sampler = _open(config, environ, known)
    return _settled(sampler, sampler.look)


def _settled(sampler: Sampler, take: Callable[[], _Taken]) -> _Taken:
    taken = take()
    for _ in range(_MOST_MORE):
        if not sampler.unsettled:
            break
        Event().wait(_SETTLE_SECONDS)
        taken = take()
    return taken


def doctor_once(config: Config, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Check this machine, its tmux servers and agents. Changes nothing."""
    # The findings contain what would be logged.
    log.configure(LogLevel.ERROR, config.log.format)
    # The doctor checks host memory and CPU even where `metrics.host` is off.
    config = replace(config, metrics=replace(config.metrics, host=True))
    sampler = _open(config, environ)
    report = _settled(sampler, sampler.sample)
    options, sysctls = ([each.name for each in table] for table in (OPTIONS, SYSCTLS))
    machine = read_machine(report, environ, os.getuid(), options, sysctls)
    return check_up(report, replace(machine, look_alikes=_look_alikes(sampler.look())))


def _look_alikes(snapshot: Snapshot) -> tuple[LookAlike, ...]:
    table = snapshot.table
    found = look_alikes(snapshot.members(), (each.pane for each in snapshot.agents))
    earliest = SystemClock().time() - LEAST_SECONDS
    old = (each for each in found if table.start_time(each.process) <= earliest)
    return tuple(each for each in old if reads_single_keys(each.tty))
