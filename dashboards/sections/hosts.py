"""The hosts that the fleet runs on: how full they are."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CRITICAL, WARNING, none_is_calm
from dashboards.links import to_host
from dashboards.panels import HOST_PATTERN, graph
from dashboards.queries import HOST, Query, at_end, largest, rate, select
from dashboards.sections.states import in_state
from dashboards.tables import WHOLE, Figure, Label, rows

_BY = "by (instance)"
_NAME = "{{instance}}"
_EMPTY = "No exporter shows its host. metrics.host in the configuration switches that on."
_WORST = 3
"""A third of the width has no room for more names."""


def table(
    number: int, variables: Sequence[str], *, width: int = WHOLE, height: int = 5
) -> Builder[dashboard.Panel]:
    """One row for each host, on a board that has these variables."""
    known = select("tmux_exporter_build_info", HOST)
    agents = select("tmux_agent_info", HOST)
    return rows(
        number,
        "Hosts, fullest memory first",
        "Agents, and how many of them wait for somebody or have exited. CPU and memory are those of the "
        "whole host, as parts of all it has; stalled is the part of the time in which some "
        "program stood still for want of it. A click on a name shows only that host.",
        [
            Label(
                name="instance",
                title="Host",
                link=to_host(variables),
            ),
            Figure(title="", expr=f"group {_BY} ({known})", hidden=True),
            Figure(title="Sessions", expr=f"count {_BY} ({select('tmux_session_info', HOST)})", width=85),
            Figure(title="Agents", expr=f"count {_BY} ({agents})", width=75),
            Figure(
                title="Waiting",
                expr=f"sum {_BY} ({in_state(HOST, 'waiting')})",
                width=80,
                steps=none_is_calm(WARNING, "text"),
            ),
            Figure(
                title="Exited",
                expr=f"sum {_BY} ({in_state(HOST, 'exited')})",
                width=75,
                steps=none_is_calm(CRITICAL, "text"),
            ),
            Figure(
                title="Memory",
                expr=f"max {_BY} ({_memory_used()})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
            ),
            Figure(
                title="CPU", expr=_busy("$__rate_interval"), unit="percentunit", decimals=0, bar=True, top=1
            ),
            Figure(
                title="Stalled",
                expr=f"max {_BY} ({_stalled('memory')})",
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
            ),
            Figure(title="Load", expr=f"max {_BY} ({select('tmux_host_load1', HOST)})", decimals=1, width=70),
            Figure(
                title="Terminals",
                expr=f"max {_BY} ({_of_limit('ptys')})",
                unit="percentunit",
                decimals=0,
                width=90,
            ),
            Figure(
                title="Pids",
                expr=f"max {_BY} ({_of_limit('pids')})",
                unit="percentunit",
                decimals=0,
                width=75,
            ),
        ],
        sort=[("Memory", True)],
        empty="No exporter is seen. Does Prometheus scrape one, and do the variables above leave one?",
        height=height,
        width=width,
        only_whole=("Sessions", "Stalled", "Load", "Terminals", "Pids"),
    )


def graphs(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """Memory, CPU and waiting, numbered from `first` on."""
    memory, stalled = _memory_used(), select("tmux_host_pressure_seconds_total", HOST, 'resource="memory"')
    least = select("tmux_host_memory_available_bytes", HOST)
    whole = select("tmux_host_memory_bytes", HOST)
    return (
        _graph(
            first,
            "Memory of the host",
            "What is in use, as a part of all memory: what programs can still get is the rest.",
            f"({memory})",
            f"1 - {at_end('min_over_time', least)} / {at_end('max_over_time', whole)}",
        ),
        _graph(
            first + 1,
            "CPU of the host",
            "Time in which the cores were neither idle nor waiting for a disk.",
            f"({_busy('$__rate_interval')})",
            _busy("$__range", " @ end()"),
        ),
        _graph(
            first + 2,
            "Memory pressure (PSI)",
            "Part of the time in which at least one program was stalled on memory. Above a few per cent "
            "everything on the host becomes slow, and the kernel may soon kill something.",
            f"({_stalled('memory')})",
            f"max {_BY} ({at_end('rate', stalled)})",
            top=None,
            soft_top=0.1,
        ),
    )


def _graph(
    number: int,
    title: str,
    description: str,
    now: str,
    ranked: str,
    *,
    top: float | None = 1,
    soft_top: float | None = None,
) -> Builder[dashboard.Panel]:
    return graph(
        number,
        title,
        f"{description} Shown are the {_WORST} largest in the whole time range.",
        [Query(expr=largest(now, ranked, _WORST), legend=_NAME)],
        unit="percentunit",
        empty=_EMPTY,
        rename=HOST_PATTERN,
        top=top,
        soft_top=soft_top,
        width=8,
    )


def _memory_used() -> str:
    left, whole = (select(f"tmux_host_memory_{name}", HOST) for name in ("available_bytes", "bytes"))
    return f"1 - {left} / {whole}"


def _busy(over: str, at: str = "") -> str:
    idle = select("tmux_host_cpu_seconds_total", HOST, 'mode=~"idle|iowait"')
    every = select("tmux_host_cpu_seconds_total", HOST)
    return f"1 - sum {_BY} (rate({idle}[{over}]{at})) / sum {_BY} (rate({every}[{over}]{at}))"


def _stalled(resource: str) -> str:
    waited = select("tmux_host_pressure_seconds_total", HOST, f'resource="{resource}"', 'kind="some"')
    return f"max {_BY} ({rate(waited)})"


def _of_limit(what: str) -> str:
    used, limit = (select(f"tmux_host_{what}{end}", HOST) for end in ("", "_limit"))
    return f"{used} / {limit}"
