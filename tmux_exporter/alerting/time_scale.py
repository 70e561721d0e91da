"""Thresholds scaled in time, for a demo fleet that does in minutes what takes hours in production.

`Scope` scales the durations of rules. A number that grows with the time in which it adds up has to follow
them, or an agent of the demo hangs because it uses too little CPU for a window of seconds. What the exporter,
the remediator and the tmux servers do is real and keeps its time: one slow scrape must not count as an
exporter that is down.
"""

from tmux_exporter.alerting.base.thresholds import Thresholds
from tmux_exporter.config.parsers import format_duration

AMOUNTS = frozenset(
    {
        ("agent_stuck", "cpu_seconds"),
        ("agent_waiting", "seconds"),
        ("host_memory_runs_out", "seconds"),
        *(
            (table, "seconds")
            for table in (
                "host_disk_runs_out",
                "host_disk_fills",
                "agent_fds_run_out",
                "agent_memory_runs_out",
            )
        ),
        ("leak_old", "seconds"),
    }
)
"""Ages, and amounts that add up by the second: multiplied by the scale."""

FREQUENCIES = frozenset(
    {
        ("operations", "least_per_minute"),
        ("operations", "tail_least_per_minute"),
        ("throughput", "per_minute"),
        *(
            (table, "events_per_hour")
            for table in ("slo_burn_page", "slo_burn_hours", "slo_burn_day", "slo_burn_days", "slo_spent")
        ),
    }
)
"""Divided by the scale, so that as many events fall into a shorter window."""

REAL = (
    *(
        "exporter_down",
        "exporter_skips",
        "exporter_stale",
        "exporter_blind",
        "samples_partial",
        "collector_failing",
    ),
    *("clock_skew", "lost_scrapes"),
    *("server_not_answering", "server_slow"),
    *("remediator_up", "remediator_blind", "remediator_audit_healthy", "remediator_refusing"),
    *("remediator_lease_overdue", "remediator_holds_long"),
)
"""Tables whose durations, and for how long their alert must hold, are not scaled."""

WINDOWS = frozenset(
    {
        *("over", "within", "refused_within", "agents_within", "window", "short", "long", "remember"),
        *("known_for", "budget"),
    }
)
"""Durations over which samples are aggregated."""

SCRAPES = 4
"""Scrapes in the shortest window: a rate needs two, and one may fail."""


def scaled(numbers: Thresholds, time_scale: float, scrape_seconds: float) -> Thresholds:
    """The thresholds with which rules of `time_scale` judge a fast fleet as they judge a real one at 1.

    No window is so short that it does not hold some scrapes.
    """
    tables = {name: dict(values) for name, values in numbers.tables.items()}
    for table, key in AMOUNTS:
        tables[table][key] = numbers.number(table, key) * time_scale
    for table, key in FREQUENCIES:
        tables[table][key] = numbers.number(table, key) / time_scale
    for table, values in tables.items():
        for key in WINDOWS & values.keys():
            seconds = numbers.seconds(table, key) * (1.0 if table in REAL else time_scale)
            values[key] = _shortened_later(max(seconds, SCRAPES * scrape_seconds), time_scale)
    for table in REAL:
        if "priority" not in tables[table]:
            continue
        hold = numbers.hold(table, numbers.priority(table))
        tables[table]["for"] = _shortened_later(hold, time_scale)
    return Thresholds(tables=tables)


def _shortened_later(seconds: float, time_scale: float) -> str:
    """A duration that the rules' own scale brings to these seconds."""
    return format_duration(seconds / time_scale)
