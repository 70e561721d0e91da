"""The leaks of a Report: tables for a terminal, and JSON-ready data."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tmux_exporter.commands.views.text_table import UNKNOWN, columns, known_sum, number, size, span, table
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import LeakReport, Report

Ports = Mapping[ProcessId, frozenset[int]]
"""The TCP ports on which each process listens; one that is missing could not be asked."""

_NONE = "-"
_OWNERS = columns("SERVER", "SESSION", "KIND", "COUNT>", "MEMORY>", "CPU>", "FDS>", "OLDEST>", "PORTS")
_PROCESSES = columns(
    "KIND", "PID>", "NAME", "AGE>", "MEMORY>", "CPU>", "FDS>", "PORTS", "SESSION", "PANE", "WHY"
)
_FACTS = (
    *("name", "kind", "reason", "server", "session", "pane"),
    *("start_time_seconds", "memory_bytes", "cpu_seconds_total", "open_fds"),
)
"""The fields of a leak that its JSON has as they are."""


def as_dict(report: Report, ports: Ports) -> dict[str, Any]:
    """The leaks as JSON-ready data, added up by owner and kind, and each. Null is not known.

    Times are seconds since the epoch, `cpu_seconds_total` is of a process's whole life.
    """
    return {
        "version": 1,
        "timestamp": report.timestamp,
        "owners": [
            {
                "server": server,
                "session": session,
                "kind": kind,
                "processes": len(leaks),
                "memory_bytes": known_sum(leak.memory_bytes for leak in leaks),
                "cpu_seconds_total": sum(leak.cpu_seconds_total for leak in leaks),
                "open_fds": _open_fds(leaks),
                "oldest_start_time_seconds": min(leak.start_time_seconds for leak in leaks),
                "listening_ports": sorted(_all_ports(leaks, ports)),
            }
            for (server, session, kind), leaks in _owners(report)
        ],
        "leaks": [
            {
                "pid": leak.process.pid,
                "start_ticks": leak.process.start_ticks,
                **{name: getattr(leak, name) for name in _FACTS},
                "listening_ports": sorted(ports[leak.process]) if leak.process in ports else None,
            }
            for _, leaks in _owners(report)
            for leak in leaks
        ],
    }


def as_text(report: Report, ports: Ports) -> str:
    """The leaks as two tables for a terminal, by owner and kind and each, then a line of their sum."""
    leaks = report.leaks
    if not leaks:
        return "nothing is leaked: every process that a pane started has ended with it, or is meant to stay"
    owners = _owners(report)
    now = report.timestamp
    return "\n".join(
        [
            *table(_OWNERS, [_owner_row(owner, group, ports, now) for owner, group in owners]),
            "",
            *table(_PROCESSES, [_row(leak, ports, now) for _, group in owners for leak in group]),
            "",
            f"  {len(leaks)} leaked, {size(known_sum(leak.memory_bytes for leak in leaks))}",
        ]
    )


def _owners(report: Report) -> list[tuple[tuple[str, str, LeakKind], list[LeakReport]]]:
    """By who left them and their kind, the largest first, and so within each."""
    groups: defaultdict[tuple[str, str, LeakKind], list[LeakReport]] = defaultdict(list)
    for leak in sorted(report.leaks, key=lambda each: (-(each.memory_bytes or 0), each.process)):
        groups[leak.server, leak.session, leak.kind].append(leak)
    return sorted(
        groups.items(), key=lambda each: (-(known_sum(x.memory_bytes for x in each[1]) or 0), each[0])
    )


def _all_ports(leaks: Iterable[LeakReport], ports: Ports) -> set[int]:
    return set().union(*(ports.get(leak.process, ()) for leak in leaks))


def _open_fds(leaks: Iterable[LeakReport]) -> int | None:
    """The open files of these processes, each table of them once."""
    found: int | None = known_sum({leak.files or leak.process: leak.open_fds for leak in leaks}.values())
    return found


def _owner_row(
    owner: tuple[str, str, LeakKind], leaks: list[LeakReport], ports: Ports, now: float
) -> tuple[str, ...]:
    server, session, kind = owner
    return (
        server or UNKNOWN,
        session or UNKNOWN,
        kind,
        str(len(leaks)),
        size(known_sum(leak.memory_bytes for leak in leaks)),
        _cpu(sum(leak.cpu_seconds_total for leak in leaks)),
        number(_open_fds(leaks)),
        span(max(now - leak.start_time_seconds for leak in leaks)),
        _words(_all_ports(leaks, ports)),
    )


def _row(leak: LeakReport, ports: Ports, now: float) -> tuple[str, ...]:
    return (
        leak.kind,
        str(leak.process.pid),
        leak.name,
        span(now - leak.start_time_seconds),
        size(leak.memory_bytes),
        _cpu(leak.cpu_seconds_total),
        number(leak.open_fds),
        _words(ports[leak.process]) if leak.process in ports else UNKNOWN,
        leak.session or UNKNOWN,
        leak.pane or UNKNOWN,
        leak.reason,
    )


def _cpu(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else span(seconds)


def _words(ports: Iterable[int]) -> str:
    return ",".join(str(port) for port in sorted(ports)) or _NONE
