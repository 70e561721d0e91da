"""Families of the work in the panes: agents, schedulers, leaks, operations."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from tmux_exporter.config import MetricsSettings
from tmux_exporter.facts.label import SessionKey
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.operations import CommandLoss, OperationLoss
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import AgentReport, LeakReport, OperationFigures, Report, SchedulerReport
from tmux_exporter.facts.schedulers import SchedulerOutcome, SchedulerState
from tmux_exporter.metrics.catalogue import by_label, families, family
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample
from tmux_exporter.metrics.catalogue.usage import info_values
from tmux_exporter.metrics.catalogue.work import (
    AGENTS,
    COMMANDS,
    MEMORY_CHANGES,
    OPERATIONS,
    PORTS_OPTION,
    WORKSPACES_OPTION,
)


def collect_agents(report: Report, settings: MetricsSettings) -> tuple[Family, ...]:
    """One sample per agent and family; what churns (version, window name) is only in `tmux_agent_info`."""
    agents = report.agents
    wanted = {WORKSPACES_OPTION: settings.workspaces, PORTS_OPTION: settings.ports}
    return families(
        [spec for spec in AGENTS if not spec.option or wanted[spec.option]],
        [(_agent_key(each), each) for each in agents],
        family("tmux_agent_info", (_info(each) for each in agents)),
        family(
            "tmux_agent_waiting_since_timestamp_seconds",
            (
                Sample((*_agent_key(each), each.waiting_reason), each.state_since_timestamp_seconds)
                for each in agents
                if each.waiting_reason is not None
            ),
        ),
        family("tmux_agent_declared", (Sample(_agent_key(each), 1) for each in agents if each.declared)),
        family("tmux_agent_crashed", (Sample(_agent_key(each), 1) for each in agents if each.crashed)),
        family(
            "tmux_agent_recovery_seconds",
            histograms=(Distribution((server,), each) for server, each in report.agent_recovery.items()),
        ),
        family(
            "tmux_agent_outage_seconds",
            histograms=(Distribution((server,), each) for server, each in report.agent_outages.items()),
        ),
    )


def _agent_key(agent: AgentReport) -> tuple[str, ...]:
    return agent.server, agent.session, agent.agent


def _info(agent: AgentReport) -> Sample:
    known = agent.pane, agent.program, agent.version, agent.role, agent.window_name
    return Sample((*_agent_key(agent), *known, *info_values(agent.usage)), 1)


def collect_schedulers(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and state, wherever a scheduler is or can be."""
    # The session of a scheduler can be unknown.
    found = _by_kind(
        report.schedulers, lambda each: each.state, SchedulerState, (*report.session_keys, ("", ""))
    )
    outcomes = report.scheduler_outcomes_total
    # From 0 wherever a scheduler can be, and where one was until lately.
    session_keys = dict.fromkeys(
        (server, session) for keys in (found, outcomes) for server, session, _ in keys
    )
    return (
        *_totals(
            *("tmux_schedulers", "tmux_scheduler", found, report.scheduler_cpu_seconds_total),
            files=lambda each: each.process,
        ),
        family("tmux_scheduler_next_due_timestamp_seconds", _next_due(report.schedulers)),
        family(
            "tmux_scheduler_outcomes_total",
            (
                Sample((*session_key, outcome), outcomes.get((*session_key, outcome), 0))
                for session_key in session_keys
                for outcome in SchedulerOutcome
            ),
        ),
    )


def _next_due(schedulers: Iterable[SchedulerReport]) -> Iterable[Sample]:
    earliest: dict[SessionKey, float] = {}
    for each in schedulers:
        if each.due_timestamp_seconds is not None:
            session_key = each.server, each.session
            earliest[session_key] = min(
                each.due_timestamp_seconds, earliest.get(session_key, each.due_timestamp_seconds)
            )
    return (Sample(session_key, due) for session_key, due in earliest.items())


def collect_leaks(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server, session and kind, wherever a leak is, was or can be."""
    cpu = report.leaked_cpu_seconds_total
    seen = ((each.server, each.session) for each in report.leaks)
    counted = ((server, session) for server, session, _ in cpu)
    found = _by_kind(report.leaks, lambda each: each.kind, LeakKind, (*report.session_keys, *seen, *counted))
    oldest = (
        Sample(key, min(each.start_time_seconds for each in leaks)) for key, leaks in found.items() if leaks
    )
    return (
        *_totals(
            *("tmux_leaked_processes", "tmux_leaked", found, cpu),
            files=lambda each: each.files or each.process,
        ),
        family("tmux_leaked_oldest_start_time_seconds", oldest),
        family("tmux_leaked_listening_processes", _ports(found)),
    )


_MOST_PORTS = 20


def _ports(found: Mapping[tuple[str, str, LeakKind], Sequence[LeakReport]]) -> Iterable[Sample]:
    """The lowest ports of each session and kind, so that nobody can fill the page by listening."""
    for key, leaks in found.items():
        ports = Counter(port for each in leaks for port in each.ports)
        yield from (Sample((*key, str(port)), ports[port]) for port in sorted(ports)[:_MOST_PORTS])


K = TypeVar("K", bound=StrEnum)
T = TypeVar("T", bound=LeakReport | SchedulerReport)


def _by_kind(
    things: Sequence[T], kind: Callable[[T], K], kinds: Iterable[K], session_keys: Iterable[SessionKey]
) -> dict[tuple[str, str, K], list[T]]:
    """The things by server, session and kind: every kind of each session, also of those of the things."""
    seen = ((each.server, each.session) for each in things)
    every = dict.fromkeys((*session_keys, *seen))
    found: dict[tuple[str, str, K], list[T]] = {
        (*session_key, each): [] for session_key in every for each in kinds
    }
    for each in things:
        found[each.server, each.session, kind(each)].append(each)
    return found


def _totals(
    count: str,
    prefix: str,
    things: Mapping[tuple[str, str, K], Sequence[T]],
    cpu_seconds: Mapping[tuple[str, str, K], float],
    *,
    files: Callable[[T], ProcessId],
) -> tuple[Family, ...]:
    """The families `count` and `<prefix>_…`: the count of every key, sums only where something is.

    `files` says by which process the table of open files is known, so that each table counts once.
    A sum of which nothing could be read gives no sample. A CPU counter has one from when it has appeared.
    """
    memory = ((key, [each.memory_bytes for each in members]) for key, members in things.items())
    descriptors = (
        (key, [*{files(each): each.open_fds for each in members}.values()]) for key, members in things.items()
    )
    return (
        family(count, (Sample(key, len(members)) for key, members in things.items())),
        family(f"{prefix}_memory_bytes", _sums(memory)),
        family(f"{prefix}_cpu_seconds_total", (Sample(key, value) for key, value in cpu_seconds.items())),
        family(f"{prefix}_open_fds", _sums(descriptors)),
    )


def _sums(groups: Iterable[tuple[tuple[str, ...], list[int | None]]]) -> Iterable[Sample]:
    for key, values in groups:
        if known := [value for value in values if value is not None]:
            yield Sample(key, sum(known))


def collect_operations(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per name and family; no sample where another exporter gets the reports."""
    every = report.operations.operations if report.operations else ()
    lost = report.operations.lost if report.operations else {}
    return (
        *families(
            OPERATIONS,
            [((each.operation,), each) for each in every],
            family("tmux_operation_memory_change_bytes_total", _memory(every)),
        ),
        by_label(
            "tmux_exporter_operations_lost_total",
            ((each, lost[each]) for each in OperationLoss if each in lost),
        ),
    )


def _memory(every: Iterable[OperationFigures]) -> Iterable[Sample]:
    for each in every:
        changes = (each.memory_grown_bytes_total, each.memory_shrunk_bytes_total)
        for direction, value in zip(MEMORY_CHANGES, changes, strict=True):
            yield Sample((each.operation, direction), value)


def collect_commands(report: Report, _: MetricsSettings) -> tuple[Family, ...]:
    """One sample per server and command that was seen; no family where commands are not watched."""
    if report.commands is None:
        return ()
    parts = [((each.server, each.command), each) for each in report.commands.commands]
    lost = report.commands.lost
    return (
        *families(COMMANDS, parts),
        by_label("tmux_exporter_commands_lost_total", ((each, lost[each]) for each in CommandLoss)),
    )
