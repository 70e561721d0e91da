"""Whether the figures can be trusted: how old they are, what they cost to take, and what is missing."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.levels import NUMBERS
from dashboards.panels import graph
from dashboards.queries import HOST, Query, at_end, largest, rate, select

_EMPTY = "No exporter: Prometheus scrapes none, or the variables above leave none."
_NAME = "{{instance}}"
_LIMIT = "alert"


def panels() -> Sequence[Builder[dashboard.Panel]]:
    """Age, duration and completeness of the samples."""
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
            Query(expr=largest(f"(time() - {last})", f"-{at_end('max_over_time', last)}"), legend=_NAME),
            Query(expr=f"{late:g} * max({interval})", legend=_LIMIT),
        ],
        unit="s",
        empty=_EMPTY,
        limit=_LIMIT,
        width=8,
    )


def _duration() -> Builder[dashboard.Panel]:
    now = select("tmux_exporter_sample_duration_seconds", HOST)
    return graph(
        52,
        "How long a sample takes",
        "From the first look to the conclusions. It grows with processes and with servers that hang; near "
        "the sampling interval samples begin to be skipped.",
        [Query(expr=largest(now, at_end("max_over_time", now)), legend=_NAME)],
        unit="s",
        logarithmic=True,
        empty=_EMPTY,
        width=8,
    )


def _incomplete() -> Builder[dashboard.Panel]:
    part = NUMBERS.number("samples_partial", "ratio")
    every = select("tmux_exporter_samples_total", HOST)
    bad = select("tmux_exporter_samples_total", HOST, 'result!="complete"')
    by = "sum by (job, instance)"
    return graph(
        53,
        "Samples that missed something",
        "Part of the samples in which something could not be seen, such as a server that hangs. The dashed "
        f"line is where the alert is: {part:.0%}.",
        [
            Query(
                expr=largest(f"({by} ({rate(bad)}) / {by} ({rate(every)}))", f"{by} ({at_end('rate', bad)})"),
                legend=_NAME,
            ),
            Query(expr=f"vector({part:g})", legend=_LIMIT),
        ],
        unit="percentunit",
        empty=_EMPTY,
        limit=_LIMIT,
        width=8,
    )
