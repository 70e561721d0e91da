"""Hold a page of `/metrics` against the catalogue; for pages made by hand and for those of a live exporter.

Every function returns its complaints, one line each, and none for a good page, so that a test shows them
all: `assert problems(page) == []`.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client.core import Metric, Sample
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tmux_exporter.facts.label import is_label
from tmux_exporter.metrics.catalogue import BY_NAME, FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

Key = tuple[tuple[str, str], ...]

_openmetrics: Callable[[str], Iterable[Metric]] = parse_openmetrics

_SUFFIXES = {MetricType.HISTOGRAM: ("_bucket", "_count", "_sum")}

_TOGETHER: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # Wherever the first has a series, the others have one with the same values of these labels.
    ("tmux_up", ("server",), ("tmux_server_query_failures_total", "tmux_server_query_duration_seconds")),
    ("tmux_server_sessions", ("server",), ("tmux_server_info", "tmux_server_windows", "tmux_server_panes")),
    ("tmux_session_info", ("server", "session"),
        ("tmux_session_cpu_seconds_total", "tmux_session_processes", "tmux_session_threads",
        "tmux_session_process_tree_depth", "tmux_session_history_bytes", "tmux_session_attached_clients",
        "tmux_session_created_timestamp_seconds", "tmux_session_last_activity_timestamp_seconds",
        "tmux_schedulers")),
    ("tmux_pane_info", ("server", "session", "window", "pane"),
        ("tmux_pane_cpu_seconds_total", "tmux_pane_processes", "tmux_pane_dead", "tmux_pane_history_bytes",
        "tmux_pane_history_lines", "tmux_pane_history_limit_lines")),
    ("tmux_agent_info", ("server", "session", "agent"),
        ("tmux_agent_cpu_seconds_total", "tmux_agent_processes", "tmux_agent_threads")),
    ("tmux_schedulers", ("server", "session"), ("tmux_scheduler_outcomes_total",)),
    ("tmux_remediator_matches", ("policy",),
        ("tmux_remediator_actions_total", "tmux_remediator_refusals_total")),
    ("tmux_host_filesystem_size_bytes", ("mountpoint",), ("tmux_host_filesystem_avail_bytes",)),
    ("tmux_host_network_receive_bytes_total", ("device",), ("tmux_host_network_transmit_bytes_total",)),
)  # fmt: skip

_WHERE_ONE_IS = {
    "tmux_agent_state": ("tmux_agent_state_seconds_total", "tmux_agent_state_cpu_seconds_total"),
    "tmux_schedulers": ("tmux_scheduler_cpu_seconds_total",),
    "tmux_leaked_processes": ("tmux_leaked_cpu_seconds_total", "tmux_leaked_oldest_start_time_seconds"),
}
"""Where the first is not 0, the others have a series."""


def problems(page: str, *, options: Collection[str] = (), off: Collection[str] = ()) -> list[str]:
    """What is wrong with a page in the text format.

    `options` are the settings that are on and add families, `off` those that are off and take some away.
    """
    samples = tuple(_samples(page))
    by_family = {spec.name: [each for each in samples if each.name in _names(spec)] for spec in FAMILIES}
    return [
        *_header_problems(page, options, off),
        *_stray_problems(samples),
        *(problem for spec in FAMILIES for problem in _value_problems(spec, by_family[spec.name])),
        *(
            problem
            for spec in FAMILIES
            if spec.closed
            and spec.status is FamilyStatus.BUILT
            and not spec.sparse
            and (not spec.option or spec.option in options)
            for problem in _closed_problems(spec, by_family)
        ),
        *_missing_problems(by_family),
        *_sparse_problems(by_family),
        *_doubles(samples),
    ]


def falling(before: str, after: str) -> list[str]:
    """Counters (and histograms) that are lower on the later page."""
    earlier = {(each.name, _key(each.labels)): each.value for each in _samples(before)}
    counting = {
        name
        for spec in FAMILIES
        if spec.kind in (MetricType.COUNTER, MetricType.HISTOGRAM)
        for name in _names(spec)
    }
    return [
        f"{each.name}{each.labels} fell from {earlier[key]:g} to {each.value:g}"
        for each in _samples(after)
        if each.name in counting
        and (key := (each.name, _key(each.labels))) in earlier
        and each.value < earlier[key]
    ]


def differences(page: str, openmetrics: str) -> list[str]:
    """Series that a text page and an OpenMetrics page do not share, and what the strict parser refuses."""
    try:
        other = {
            repr((s.name, _key(s.labels), float(s.value)))
            for m in _openmetrics(openmetrics)
            for s in m.samples
        }
    except ValueError as error:
        return [f"not OpenMetrics: {error}"]
    return sorted({repr((s.name, _key(s.labels), float(s.value))) for s in _samples(page)} ^ other)


def _samples(page: str) -> Iterator[Sample]:
    for metric in parse_text(page):
        yield from metric.samples


def _names(spec: Spec) -> tuple[str, ...]:
    return tuple(spec.name + suffix for suffix in _SUFFIXES.get(spec.kind, ("",)))


def _key(labels: Mapping[str, str], only: Collection[str] | None = None) -> Key:
    """Labels as a value that compares, all of them or `only` some."""
    return tuple(sorted((name, value) for name, value in labels.items() if only is None or name in only))


def _header_problems(page: str, options: Collection[str], off: Collection[str]) -> Iterator[str]:
    headers = [line.split(" ", 3)[1:] for line in page.split("\n") if line.startswith("# ")]
    for (word, name), count in Counter((word, name) for word, name, _ in headers).items():
        if word not in ("HELP", "TYPE") or count > 1:
            yield f"{name}: {count} lines of {word}"
    shown = {(word, name): text for word, name, text in headers}
    for name in dict.fromkeys(name for _, name, _ in headers):
        spec = BY_NAME.get(name)
        if spec is None:
            yield f"{name}: not declared"
        elif spec.status is not FamilyStatus.BUILT:
            yield f"{name}: declared as planned, but it is on the page"
        elif spec.option and spec.option not in options:
            yield f"{name}: {spec.option} is off, but it is on the page"
        elif spec.switch in off:
            yield f"{name}: {spec.switch} is off, but it is on the page"
    for spec in FAMILIES:
        shown_by_option = not spec.option or spec.option in options
        if spec.status is FamilyStatus.BUILT and shown_by_option and spec.switch not in off:
            kind = MetricType.GAUGE if spec.kind is MetricType.INFO else spec.kind
            for word, text in [("HELP", spec.help.replace("\\", r"\\")), ("TYPE", str(kind))]:
                if shown.get((word, spec.name)) != text:
                    yield f"{spec.name}: its line of {word} is not {text!r}"


def _stray_problems(samples: Iterable[Sample]) -> Iterator[str]:
    known = {name for spec in FAMILIES for name in _names(spec)}
    for name in sorted({each.name for each in samples} - known):
        yield f"{name}: a series of no declared family"


def _value_problems(spec: Spec, samples: Iterable[Sample]) -> Iterator[str]:
    for each in samples:
        labels = {*spec.labels, "le"} if each.name.endswith("_bucket") else {*spec.labels}
        if each.labels.keys() != labels:
            yield f"{each.name}{each.labels}: its labels are to be {sorted(labels)}"
        for label, value in each.labels.items():
            if not is_label(value):
                yield f"{each.name}: no finished label, {label}={value!r}"
            if label in spec.closed and value not in spec.closed[label]:
                yield f"{each.name}: {label}={value!r} is not in its closed list"
        if each.timestamp is not None:
            yield f"{each.name}{each.labels}: a timestamp"
        if math.isnan(each.value) or math.isinf(each.value):
            yield f"{each.name}{each.labels}: {each.value} is not a value; unknown is no series"
        elif each.value < 0:
            yield f"{each.name}{each.labels}: {each.value:g} is below 0"
        elif spec.kind is MetricType.INFO and each.value != 1:
            yield f"{each.name}{each.labels}: an info is 1, not {each.value:g}"
        elif spec.name == "tmux_up" and each.value not in (0, 1):
            yield f"{each.name}{each.labels}: {each.value:g} is neither 0 nor 1"


def _closed_problems(spec: Spec, by_family: Mapping[str, list[Sample]]) -> Iterator[str]:
    samples = by_family[spec.name]
    shown = {_key(each.labels) for each in samples}
    open_labels = [label for label in spec.labels if label not in spec.closed]
    expected = not open_labels and _is_there(spec.subject, by_family)
    places = {_key(each.labels, open_labels) for each in samples} or ({()} if expected else set())
    for place, values in itertools.product(sorted(places), itertools.product(*spec.closed.values())):
        wanted = _key({**dict(place), **dict(zip(spec.closed, values, strict=True))})
        if wanted not in shown:
            yield f"{spec.name}: no series for {dict(wanted)}; members of a closed list start at 0"


def _is_there(subject: str, by_family: Mapping[str, list[Sample]]) -> bool:
    """A remediator that is not there, or does not run, is in no mode; a host may show nothing of itself."""
    if subject == "remediator":
        return any(each.value == 1 for each in by_family["tmux_remediator_up"])
    return subject != "host"


def _missing_problems(by_family: Mapping[str, list[Sample]]) -> Iterator[str]:
    for first, labels, others in _TOGETHER:
        wanted = {_key(each.labels, labels) for each in by_family[first]}
        for name in others:
            for missing in sorted(wanted - {_key(each.labels, labels) for each in by_family[name]}):
                yield f"{name}: no series for {dict(missing)}, which {first} has"


def _sparse_problems(by_family: Mapping[str, list[Sample]]) -> Iterator[str]:
    for first, others in _WHERE_ONE_IS.items():
        wanted = {_key(each.labels) for each in by_family[first] if each.value}
        for name in others:
            for missing in sorted(wanted - {_key(each.labels) for each in by_family[name]}):
                yield f"{name}: no series for {dict(missing)}, of which {first} has one"


def _doubles(samples: Iterable[Sample]) -> Iterator[str]:
    for (name, key), count in Counter((each.name, _key(each.labels)) for each in samples).items():
        if count > 1:
            yield f"{name}{dict(key)}: {count} times on one page"
