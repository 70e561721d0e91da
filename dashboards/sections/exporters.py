"""Whether the figures can be trusted: how old they are, what they cost to take, and what is missing."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import NUMBERS
from dashboards.panels import HOST_PATTERN, graph
from dashboards.queries import HOST, Query, at_end, largest, rate, select

_EMPTY = "No exporter is seen. Does Prometheus scrape one, and do the variables above leave one?"
_NAME = "{{instance}}"
_LIMIT = "alert"
_WORST = 3
"""A third of the width has no room for more names."""


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """Age, duration and completeness of the samples, of the hosts where they are worst."""
    return (_age(), _duration(), _incomplete())


def _age() -> Builder[dashboard.Panel]:
    last = select("tmux_exporter_last_sample_timestamp_seconds", HOST)
    late = NUMBERS.number("exporter_stale", "intervals")
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    return graph(
        51,
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


def _duration() -> Builder[dashboard.Panel]:
    now = select("tmux_exporter_sample_duration_seconds", HOST)
    return graph(
        52,
        "How long a sample takes",
        "From the first look to the conclusions. It grows with processes and with servers that hang; near "
        "the sampling interval samples begin to be skipped.",
        [Query(expr=largest(now, at_end("max_over_time", now), _WORST), legend=_NAME)],
        unit="s",
        logarithmic=True,
        empty=_EMPTY,
        rename=HOST_PATTERN,
        width=8,
    )


def _incomplete() -> Builder[dashboard.Panel]:
    part = NUMBERS.number("samples_partial", "ratio")
    every = select("tmux_exporter_samples_total", HOST)
    interval = select("tmux_exporter_sample_interval_seconds", HOST)
    bad = select("tmux_exporter_samples_total", HOST, 'result!="complete"')
    by = "sum by (job, instance)"
    return graph(
        53,
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
