"""Whether the figures can be trusted: how old they are, what they cost to take, and what is missing."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import CALM, CRITICAL, NUMBERS, PLAIN, WARNING, WATCH, none_is_calm, steps
from dashboards.panels import HOST_PATTERN, graph, tile
from dashboards.queries import HOST, Query, at_end, largest, or_zero, rate, select
from dashboards.tables import Figure, Label, rows

_EMPTY = "No exporter is seen. Does Prometheus scrape one, and do the variables above leave one?"
_NAME = "{{instance}}"
_LIMIT = "alert"
_WORST = 3
"""A third of the width has no room for more names."""

# Only an exporter that was there within a day is one that is down: All jobs are more than ours.
_SEEN = f"last_over_time({select('tmux_exporter_build_info', HOST)}[1d])"
_BY = "by (instance)"


def blind(number: int, *, width: int = 4) -> stat.Panel:
    """How many hosts nothing new is known of."""
    late = NUMBERS.number("exporter_stale", "intervals")
    up, last = select("up", HOST), select("tmux_exporter_last_sample_timestamp_seconds", HOST)
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    down = f"{up} == 0 and on (job, instance) {_SEEN}"
    stale = f"time() - {last} > {late:g} * {interval}"
    return tile(
        number,
        "Incomplete data",
        "Hosts of which nothing new is known: Prometheus gets no answer from an exporter that was there "
        f"within the last day, or its last sample is older than {late:g} sampling intervals. Everything else "
        "here is old for them, or missing.",
        Query(expr=or_zero(f"count(({down})\nor ({stale}))", _SEEN)),
        steps=none_is_calm(CRITICAL),
        empty="no exporter",
        width=width,
    )


def graphs(first: int) -> Sequence[Builder[dashboard.Panel]]:
    """How old and how whole the samples are, and what they cost, numbered from `first` on."""
    return (
        _age(first),
        _duration(first + 1),
        _incomplete(first + 2),
        _series(first + 3),
        _memory(first + 4),
        _cpu(first + 5),
    )


def unreadable(number: int) -> Builder[dashboard.Panel]:
    """How many processes could not be read."""
    return tile(
        number,
        "Unreadable",
        "Processes of the exporter's user of which a part could not be read, on all hosts: what they use is "
        "missing from the sums. Programs that hide themselves (ssh-agent, browsers) are rightly among them.",
        Query(expr=f"sum({select('tmux_exporter_unreadable_processes', HOST)})"),
        steps=steps(CALM),
        empty="no exporter",
    )


def lost(number: int) -> Builder[dashboard.Panel]:
    """What was measured and not shown."""
    dropped = select("tmux_exporter_dropped_series_total", HOST)
    reports = select("tmux_exporter_operations_lost_total", HOST)
    return tile(
        number,
        "Lost figures",
        "Series that were left out (limits.series, or the same labels twice) and reports of operations that "
        "could not be counted, within the time range: what is shown is not all there was.",
        Query(expr=f"round(sum(increase({dropped}[$__range])) + sum(increase({reports}[$__range])))"),
        steps=none_is_calm(WARNING),
        unit="short",
        decimals=None,
        empty="no exporter",
    )


def table(number: int) -> Builder[dashboard.Panel]:
    """One row for each exporter."""
    late = NUMBERS.number("exporter_stale", "intervals")
    partial = NUMBERS.number("samples_partial", "ratio")
    known = select("tmux_exporter_build_info", HOST)
    ours = f"and on (job, instance) {known}"
    last, interval, took, reloaded, unread = (
        select(f"tmux_exporter_{name}", HOST)
        for name in (
            "last_sample_timestamp_seconds",
            "sample_interval_seconds",
            "sample_duration_seconds",
            "config_last_reload_successful",
            "unreadable_processes",
        )
    )
    bad = select("tmux_exporter_samples_total", HOST, 'result!="complete"')
    every = select("tmux_exporter_samples_total", HOST)
    part = f"sum {_BY} (increase({bad}[$__range]))\n/ sum {_BY} (increase({every}[$__range]))"
    return rows(
        number,
        "Exporters, oldest figures first",
        f"Age is in sampling intervals: the alert comes at {late:g}. Incomplete is the part of the samples "
        "of the time range in which something could not be seen. Series is what Prometheus takes at "
        "each scrape.",
        [
            Label(name="instance", title="Host"),
            Label(name="version", title="Version", width=85),
            Figure(title="", expr=f"group by (instance, version) ({known})", hidden=True),
            Figure(
                title="Age",
                expr=f"max {_BY} ((time() - {last}) / {interval})",
                decimals=1,
                width=75,
                steps=steps("text", [(late, CRITICAL)]),
            ),
            Figure(title="Interval", expr=f"max {_BY} ({interval})", unit="s", width=80),
            Figure(title="Sample takes", expr=f"max {_BY} ({took})", unit="s", bar=True),
            Figure(
                title="Incomplete",
                expr=part,
                unit="percentunit",
                decimals=0,
                bar=True,
                top=1,
                steps=steps(PLAIN, [(partial, WATCH)]),
            ),
            Figure(title="Unreadable", expr=f"sum {_BY} ({unread})", width=95),
            Figure(
                title="Series",
                expr=f"max {_BY} ({select('scrape_samples_scraped', HOST)} {ours})",
                unit="short",
                width=80,
            ),
            Figure(
                title="Memory",
                expr=f"max {_BY} ({select('process_resident_memory_bytes', HOST)} {ours})",
                unit="bytes",
                width=95,
            ),
            Figure(
                title="Configuration",
                expr=f"min {_BY} ({reloaded})",
                width=110,
                texts={"0": ("refused", WARNING), "1": ("in use", "text")},
            ),
        ],
        sort=[("Age", True)],
        empty=_EMPTY,
        height=5,
    )


def _series(number: int) -> Builder[dashboard.Panel]:
    now = select("scrape_samples_scraped", HOST)
    return _own(
        number,
        "Series of each exporter",
        "What Prometheus takes at each scrape. It grows with sessions, panes and agents; limits.series in "
        f"the configuration bounds it. Shown are the {_WORST} largest.",
        now,
        at_end("max_over_time", now),
        unit="short",
    )


def _memory(number: int) -> Builder[dashboard.Panel]:
    now = select("process_resident_memory_bytes", HOST)
    return _own(
        number,
        "Memory of the exporter",
        f"Resident memory of the exporter's own process. Shown are the {_WORST} largest.",
        now,
        at_end("max_over_time", now),
        unit="bytes",
    )


def _cpu(number: int) -> Builder[dashboard.Panel]:
    used = select("process_cpu_seconds_total", HOST)
    return _own(
        number,
        "CPU of the exporter",
        f"What the exporter itself uses, as a part of one core. Shown are the {_WORST} busiest.",
        rate(used),
        at_end("rate", used),
        unit="percentunit",
    )


def _own(
    number: int, title: str, description: str, now: str, ranked: str, *, unit: str
) -> Builder[dashboard.Panel]:
    """A graph of what Prometheus knows of every target, of our targets only."""
    ours = f"({now} and on (job, instance) {select('tmux_exporter_build_info', HOST)})"
    return graph(
        number,
        title,
        description,
        [Query(expr=largest(ours, ranked, _WORST), legend=_NAME)],
        unit=unit,
        empty=_EMPTY,
        rename=HOST_PATTERN,
        width=8,
    )


def _age(number: int) -> Builder[dashboard.Panel]:
    last = select("tmux_exporter_last_sample_timestamp_seconds", HOST)
    late = NUMBERS.number("exporter_stale", "intervals")
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    return graph(
        number,
        "Age of the last sample",
        "How old the figures are. Samples are taken in the background, so an age of up to one interval is "
        f"normal. The dashed line is {late:g} of the longest intervals: above it the alert is near.",
        [
            Query(
                expr=largest(f"(time() - {last})", f"-{at_end('max_over_time', last)}", _WORST), legend=_NAME
            ),
            Query(expr=f"{late:g} * max({interval})", legend=_LIMIT),
        ],
        unit="s",
        empty=_EMPTY,
        limit=_LIMIT,
        rename=HOST_PATTERN,
        width=8,
    )


def _duration(number: int) -> Builder[dashboard.Panel]:
    now = select("tmux_exporter_sample_duration_seconds", HOST)
    return graph(
        number,
        "How long a sample takes",
        "From the first read to the conclusions. It grows with processes and with servers that hang; near "
        "the sampling interval samples begin to be skipped.",
        [Query(expr=largest(now, at_end("max_over_time", now), _WORST), legend=_NAME)],
        unit="s",
        logarithmic=True,
        empty=_EMPTY,
        rename=HOST_PATTERN,
        width=8,
    )


def _incomplete(number: int) -> Builder[dashboard.Panel]:
    part = NUMBERS.number("samples_partial", "ratio")
    every = select("tmux_exporter_samples_total", HOST)
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    bad = select("tmux_exporter_samples_total", HOST, 'result!="complete"')
    by = "sum by (job, instance)"
    return graph(
        number,
        "Samples that missed something",
        "Part of the samples in which something could not be seen, such as a server that hangs. The dashed "
        f"line is where the alert is: {part:.0%}.",
        [
            Query(
                expr=largest(
                    f"({by} ({rate(bad)}) / {by} ({rate(every)}))", f"{by} ({at_end('rate', bad)})", _WORST
                ),
                legend=_NAME,
            ),
            Query(expr=f"{part:g} + 0 * max({interval})", legend=_LIMIT),
        ],
        unit="percentunit",
        empty=_EMPTY,
        limit=_LIMIT,
        rename=HOST_PATTERN,
        width=8,
    )
