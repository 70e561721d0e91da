"""The Report as JSON for the live page, `/api/v1/report` and other programs.

Figures, names and states, and for an agent the command that attaches to its pane. Never an argv, a working
directory, a title, a message or the reason of a scheduler's state or of a leak: they may hold what somebody
typed, and anybody who reaches the port can read this. `explain` shows them to the user who runs it. So every
field is named here once, and a new field of the Report stays out until it is; `Usage` holds figures only, and
all of them are here. A target of a scheduler is there where it can only be a name.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType

from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.detail import Detail, DetailProcess
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.remediation import PolicyStatus, RemediatorReport
from tmux_exporter.facts.report import (
    AgentReport,
    LeakReport,
    OperationFigures,
    PaneReport,
    Remembered,
    Report,
    SchedulerReport,
    ServerReport,
    SessionReport,
    Usage,
)
from tmux_exporter.facts.spending import AgentSpending, Cost, TokenKind, Tokens

VERSION = 1

_TARGET = re.compile(r"=?[$@%]?[A-Za-z0-9_.-]{1,32}(:[A-Za-z0-9_.%@-]{0,32})?")
"""What can only be a name or an id of tmux: a target is text of a script, and may be any."""

Value = str | int | float | bool | None
Json = Value | list["Json"] | dict[str, "Json"]

_SERVER = (
    *("server", "version", "pid", "up", "ended", "held", "listing_age_seconds", "sessions", "windows"),
    *("panes", "clients", "history_bytes", "start_time_seconds", "resident_memory_bytes"),
    *("cpu_seconds_total", "open_fds", "max_fds"),
)
_SESSION = (
    *("server", "session", "group", "created_timestamp_seconds", "last_activity_timestamp_seconds"),
    *("attached_clients", "history_bytes", "windows", "panes"),
    *("unwatched_cpu_seconds_total", "cpu_incomplete_ratio"),
)
_AGENT = (
    *("server", "session", "agent", "window", "window_name", "pane", "program", "version", "role"),
    *("pid", "up", "state", "state_since_timestamp_seconds", "state_source", "waiting_reason"),
    *("usage_limit_reset_timestamp_seconds", "restarts_total", "declared", "crashed"),
)
_SCHEDULER = (
    *("server", "session", "state", "due_timestamp_seconds", "memory_bytes", "cpu_seconds_total"),
    "open_fds",
)
_LEAK = (
    *("server", "session", "pane", "kind", "start_time_seconds", "memory_bytes", "cpu_seconds_total"),
    "open_fds",
)
_PANE = ("pane", "session", "window", "window_name", "dead", "pid", "protected", "history_bytes")
_PROCESS = ("parent", "name", "memory_bytes", "cpu_seconds_total", "open_fds", "threads")
_REMEMBERED = ("pane", "server", "session", "leaked", "by_folder", "by_lineage")
_SPENDING = (
    *(
        "exactness",
        "unpriced_tokens",
        "requests",
        "turns",
        "compactions",
        "context_tokens",
        "context_window_tokens",
    ),
    *("last_prompt_timestamp_seconds", "account"),
)
_HOST = (
    *("memory_bytes", "memory_available_bytes", "load1", "processes", "threads", "threads_limit"),
    *("user_pids", "user_pids_limit", "oom_kills"),
)
_USAGE = tuple(each.name for each in fields(Usage))
_TOP = (
    *("timestamp", "duration_seconds", "interval_seconds", "complete", "stale_sockets"),
    *("unattributed_cpu_seconds_total", "discovery_missed_total", "prices_as_of"),
)


def _fields(thing: object, names: Iterable[str]) -> dict[str, Json]:
    return {name: _figure(getattr(thing, name)) for name in names}


def _figure(value: Value) -> Value:
    # JSON has no infinity: a scheduler that sleeps for ever has no due time that a reader could use.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _usage(usage: Usage) -> dict[str, Json]:
    return _fields(usage, _USAGE)


def _server(server: ServerReport) -> dict[str, Json]:
    return {
        **_fields(server, _SERVER),
        "reason": server.problem.reason if server.problem else None,
        "queries": server.query_duration.count,
        "query_seconds_total": server.query_duration.sum,
        "query_failures": {str(reason): count for reason, count in server.query_failures.items()},
    }


def _session(session: SessionReport) -> dict[str, Json]:
    return {**_fields(session, _SESSION), "usage": _usage(session.usage)}


def _agent(agent: AgentReport) -> dict[str, Json]:
    return {
        **_fields(agent, _AGENT),
        "attach_command": agent.attach.command if agent.attach else None,
        "state_seconds_total": _by_state(agent.state_seconds_total),
        "state_cpu_seconds_total": _by_state(agent.state_cpu_seconds_total),
        "helpers": {
            str(kind): {"count": count, "memory_bytes": agent.helpers_memory_bytes.get(kind)}
            for kind, count in agent.helpers.items()
        },
        "usage": _usage(agent.usage),
        "spending": _spending(agent.spending),
        "usage_limit": _fields(agent.usage_limit, ("since", "until")) if agent.usage_limit else None,
    }


def _spending(spending: AgentSpending | None) -> Json:
    """Null where the file of the agent's program is not known; tokens by model, then by kind."""
    if spending is None:
        return None
    models = dict.fromkeys(model for _, model in spending.tokens)
    return {
        **_fields(spending, _SPENDING),
        "tokens": {
            model: {kind: count for (kind, of), count in spending.tokens.items() if of == model}
            for model in models
        },
        "reasoning_tokens": dict(spending.reasoning_tokens),
        "cost_dollars": {str(source): dollars for source, dollars in spending.cost_dollars.items()},
        "tool_calls": {str(result): count for result, count in spending.tool_calls.items()},
        "state_cost_dollars": {str(state): cost for state, cost in spending.state_cost_dollars.items()},
        "since_start": {
            "whole": spending.whole,
            "requests": None if spending.requests is None else spending.since_start.requests,
            "turns": None if spending.turns is None else spending.since_start.turns,
            "models": {
                model: {
                    **dict(zip(map(str, TokenKind), tokens.by_kind, strict=True)),
                    "cost_dollars": cost.dollars + cost.own,
                    "unpriced_tokens": cost.unpriced,
                }
                for model in {**spending.since_start.tokens, **spending.since_start.costs}
                for tokens in (spending.since_start.tokens.get(model, Tokens()),)
                for cost in (spending.since_start.costs.get(model, Cost()),)
            },
        },
    }


def _by_state(values: Mapping[AgentState, float]) -> dict[str, Json]:
    """Every state: 0 where the agent was never in it."""
    return {str(state): values.get(state, 0.0) for state in AgentState}


def _operation(operation: OperationFigures) -> dict[str, Json]:
    return {
        **_fields(operation, ("operation", "retries_total", "in_flight")),
        **_fields(operation, ("slow_total", "objective_seconds", "objective_ratio")),
        "count": operation.duration.count,
        "seconds_total": operation.duration.sum,
        "errors": dict(operation.errors),
    }


def _scheduler(scheduler: SchedulerReport) -> dict[str, Json]:
    return {
        **_fields(scheduler, _SCHEDULER),
        "pid": scheduler.process.pid,
        "targets": [each if _TARGET.fullmatch(each) else None for each in scheduler.targets],
        "remarks": [str(remark) for remark in scheduler.remarks],
    }


def _leak(leak: LeakReport) -> dict[str, Json]:
    return {**_fields(leak, _LEAK), "pid": leak.process.pid, "start_ticks": leak.process.start_ticks}


def _remediator(remediator: RemediatorReport | None) -> Json:
    """Null where none has run; `mode` and what follows only where its status can be read."""
    if remediator is None:
        return None
    status = remediator.status
    told: dict[str, Json] = {"up": remediator.up}
    if status is None:
        return told
    return {
        **told,
        "mode": str(status.mode),
        **_fields(status, ("cycle_timestamp", "interval_seconds", "blind", "audit_healthy")),
        "policies": [_policy(each) for each in status.policies],
    }


def _policy(policy: PolicyStatus) -> dict[str, Json]:
    return {
        **_fields(policy, ("policy", "matches", "breaker_open")),
        "leases": sum(policy.leases.values()),
        "actions": [
            {"action": str(action), "outcome": str(outcome), "count": count}
            for (action, outcome), count in policy.actions.items()
            if count
        ],
        "refusals": {str(refusal): count for refusal, count in policy.refusals.items() if count},
        "reclaimed_bytes": {str(where): count for where, count in policy.reclaimed.items()},
    }


def _remembered(remembered: Remembered) -> dict[str, Json]:
    process, origin = remembered.process, remembered.origin
    return {
        "pid": process.pid,
        "start_ticks": process.start_ticks,
        "server_pid": origin.pid,
        "server_start_ticks": origin.start_ticks,
        **_fields(remembered, _REMEMBERED),
    }


def render(report: Report, left_out: Mapping[str, int] = MappingProxyType({})) -> bytes:
    """One line of ASCII JSON: `{"version": 1, …}`. `left_out` is by family what `/metrics` lacks.

    Keys are only added within a version. Units are in the names; times are seconds since the epoch; null
    means not known. A byte that is not UTF-8 arrives as the lone surrogate U+DC80..U+DCFF, escaped.
    """
    document: dict[str, Json] = {
        "version": VERSION,
        **_fields(report, _TOP),
        "samples": dict(report.samples),
        "collector_success": dict(report.collector_success),
        "unreadable_processes": {str(reason): count for reason, count in report.unreadable_processes.items()},
        "dropped_series": dict(left_out),
        "problems": [{"source": each.source, "reason": each.reason} for each in report.problems],
        "servers": [_server(each) for each in report.servers],
        "sessions": [_session(each) for each in report.sessions],
        "agents": [_agent(each) for each in report.agents],
        "schedulers": [_scheduler(each) for each in report.schedulers],
        "leaks": [_leak(each) for each in report.leaks],
        "quotas": [
            {
                **_fields(each, ("program", "account", "window", "used_ratio")),
                "reset_timestamp_seconds": each.reset,
                "observed_timestamp_seconds": each.observed,
            }
            for each in report.quotas
        ],
        "operations": [_operation(each) for each in report.operations.operations]
        if report.operations
        else None,
        "remediator": _remediator(report.remediator),
        "host": _host(report.host),
        "remembered": [_remembered(each) for each in report.remembered],
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def _host(host: HostFacts | None) -> Json:
    """Null where it is not read. No names: a mount point may say what somebody typed."""
    return _fields(host, _HOST) if host else None


def render_detail(detail: Detail, timestamp: float) -> bytes:
    """The detail of one thing in the sample of that wall time, in the manner of `render`."""
    document: dict[str, Json] = {
        "version": VERSION,
        "timestamp": timestamp,
        "processes": [_process(each) for each in detail.processes],
        "left_out": detail.left_out,
        "panes": [_pane(each) for each in detail.panes],
        "clues": [
            {"source": str(source), "state": str(state) if state else None} for source, state in detail.clues
        ],
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def _process(process: DetailProcess) -> dict[str, Json]:
    return {
        "pid": process.figures.process.pid,
        **_fields(process.figures, _PROCESS),
        **_fields(process, ("pane", "start_time_seconds")),
        "evidence": str(process.evidence),
    }


def _pane(pane: PaneReport) -> dict[str, Json]:
    return {**_fields(pane, _PANE), "usage": _usage(pane.usage)}
