"""The page `docs/metrics.md`, written from the catalogue: `python -m tmux_exporter.metrics.docs_page`."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from tmux_exporter.metrics.catalogue import FAMILIES
from tmux_exporter.metrics.catalogue.family import Spec

SUBJECTS = {
    "server": (
        "tmux servers",
        "`server` is the name of the socket in this user's default folder, else the path of the socket.",
    ),
    "session": (
        "Sessions",
        "A session's figures are the sum over the panes that it owns. A pane that is linked into several "
        "sessions belongs to the oldest of them, so sums over sessions are true.",
    ),
    "pane": (
        "Panes",
        "`window` is the window's index, `pane` is tmux's id of the pane, such as `%3`.",
    ),
    "agent": (
        "Coding agents",
        "`agent` is a name that is chosen once and then stays: the option `@agent` of the pane, else a rule "
        "of the configuration, else a window name that somebody gave, else `session:window`; a second "
        "holder of a name gets `#2`.",
    ),
    "leak": (
        "Leaked processes",
        "Processes that outlived the pane that started them.",
    ),
    "scheduler": (
        "Schedulers",
        "A scheduler is a background shell that sleeps and then sends keys to a pane.",
    ),
    "operation": (
        "Operations",
        "What programs report of their own operations, and tmux commands seen from outside.",
    ),
    "host": (
        "The host",
        "What the limits of sessions and agents need, from `/proc` as this user sees it. Beside "
        "node_exporter, `metrics.host: false` switches all of it off. What this kernel does not have or does "
        "not show has no series.",
    ),
    "remediator": (
        "The remediator",
        "Handed over by the remediator, which opens no port.",
    ),
    "exporter": (
        "The exporter itself",
        "How old, how whole and how true the rest is.",
    ),
    "process": (
        "The exporter's own process",
        "As every Prometheus client names them.",
    ),
}
"""Every subject in the order of the page: its heading and introduction."""

EXAMPLES = (
    ("The ten most expensive agents by memory", "topk(10, tmux_agent_memory_bytes)"),
    ("Cores that each session uses", "rate(tmux_session_cpu_seconds_total[5m])"),
    (
        "Memory by agent program",
        "sum by (program) (tmux_agent_memory_bytes "
        "* on (instance, server, session, agent) group_left (program) tmux_agent_info)",
    ),
    (
        "Schedulers whose keys will never arrive where they should",
        'tmux_schedulers{state=~"dangling|serverless|stale_generation"} > 0',
    ),
    (
        "Seconds until the next scheduler of a session is due",
        "tmux_scheduler_next_due_timestamp_seconds - time()",
    ),
    ("Servers that do not answer", "tmux_up == 0"),
    ("Why they do not", "sum by (server, reason) (increase(tmux_server_query_failures_total[15m])) > 0"),
    (
        "How long tmux takes to answer, 99th percentile",
        "histogram_quantile(0.99, sum by (server, le) (rate(tmux_server_query_duration_seconds_bucket[5m])))",
    ),
    ("Processes that are about to run out of file descriptors", "tmux_session_fd_utilization_ratio > 0.85"),
    (
        "Figures that are older than they should be",
        "time() - tmux_exporter_last_sample_timestamp_seconds > 3 * tmux_exporter_sample_interval_seconds",
    ),
)

_INTRODUCTION = """\
# Metrics

<!-- Made by `python -m tmux_exporter.metrics.docs_page`; edit tmux_exporter/metrics/catalogue/. -->

Names and labels of **built** families are a promise: none is renamed or taken away without a notice in the
changelog one release before. **Planned** families are reserved names and are not on `/metrics` yet.

- **Background samples.** A scrape shows the last sample, which is up to `sampling.interval` old, and does not
  take its own; `?fresh=1` asks for a new one. Samples are rarer where nobody reads: who then comes
  unforeseen waits for a new one.
- **Unknown is not 0.** What could not be read has no series. A server that does not answer keeps the series
  of its last complete listing for `tmux.hold`, with `tmux_up` 0; what comes from `/proc` stays fresh.
- **Counters start at 0** when the exporter first sees what they count for, and do not fall while it is there.
  They are not taken over from the kernel or from an earlier run, so `increase()` is true across restarts.
  Only `tmux_host_*` and `process_*` are the kernel's own counters, as other exporters show them: they start
  with the host, the device or the process, and no restart of the exporter moves them.
- **Counters follow their labels.** A session or agent that gets a name that another one had goes on from what
  that name has, not from its own: no rename, swap, move or restart makes a series jump or fall. What is used
  counts once, under the labels of the sample that shows it. Labels that go away keep their values for 15
  minutes; what comes back later starts at 0, as after a restart.
- **Closed lists start at 0.** A label whose values are listed here has a series for each of them as soon as
  its other labels are known, so that the first event is an increase. **Only where something is** says that a
  family does not: its gauges have a series where there is such a thing and it can be read; its counters
  appear with 0 in the first sample in which something can count, show all of it from the next on, and stay
  while their session or agent is shown. Where you need 0, ask the count:
  `tmux_leaked_memory_bytes or tmux_leaked_processes == 0`.
- **No label holds** a process id, a command line, a working directory, a title or a prompt. What changes
  while a thing lives, such as the name of its window, is only in its `_info` family.
- **In OpenMetrics** the families named `_info` are of the type info; in the text format they are gauges.
"""


def render() -> str:
    """The whole page."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Useful queries"
    for title, query in EXAMPLES:
        yield f"\n{title}:\n\n```promql\n{query}\n```"
    for subject, (title, words) in SUBJECTS.items():
        specs = [spec for spec in FAMILIES if spec.subject == subject]
        yield f"\n## {title}\n\n{words}\n"
        yield from _table(specs)
        yield from _closed_lists(specs)


def _table(specs: Iterable[Spec]) -> Iterator[str]:
    yield "| metric | kind | labels | meaning | status |"
    yield "| --- | --- | --- | --- | --- |"
    for spec in specs:
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        status = f"{spec.status}, with `{spec.option}: true`" if spec.option else str(spec.status)
        meaning = spec.help.replace("|", r"\|").replace("<", "&lt;")
        yield f"| `{spec.name}` | {spec.kind} | {labels} | {meaning} | {status} |"


def _closed_lists(specs: Sequence[Spec]) -> Iterator[str]:
    """One line per label and list, with the families that share it."""
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for spec in specs:
        for label, values in spec.closed.items():
            shared.setdefault((label, values), []).append(spec.name)
    if shared:
        yield ""
    for (label, values), names in shared.items():
        listed = ", ".join(f"`{value}`" for value in values)
        yield f"- `{label}` of {', '.join(f'`{name}`' for name in names)}: {listed}"
    if sparse := [f"`{spec.name}`" for spec in specs if spec.sparse]:
        yield f"- Only where something is: {', '.join(sparse)}"


def main() -> None:
    """Print the page."""
    sys.stdout.write(render())


if __name__ == "__main__":
    main()
