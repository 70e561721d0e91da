"""A family that contradicts its declaration is refused, and so is a declaration that contradicts itself."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import pytest

from tests.support.literals.planned import PLANNED
from tests.support.literals.report import histogram
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Histogram
from tmux_exporter.metrics.catalogue import families, family
from tmux_exporter.metrics.catalogue.family import (
    Distribution,
    Family,
    FamilyStatus,
    MetricType,
    Sample,
    Spec,
)

GOOD = Spec(
    "tmux_thing_bytes_total", "A thing.",
    labels=("server", "reason"), closed={"reason": ("a", "b")}, subject="thing",
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"name": "tmux_Thing_bytes_total"}, {"name": "tmux:thing_bytes_total"},
        {"labels": ("server", "reason", "Bad")}, {"labels": ("server", "reason", "server")},
        {"labels": ("server", "reason", "le")}, {"help": "No full stop"}, {"help": "Two\nlines."},
        {"histogram": True}, {"name": "tmux_thing_info", "histogram": True}, {"closed": {}, "sparse": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_declaration_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="tmux"):
        replace(GOOD, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind", "base"),
    [
        ("tmux_thing_bytes_total", MetricType.COUNTER, "tmux_thing_bytes"),
        ("tmux_thing_info", MetricType.INFO, "tmux_thing"),
        ("tmux_thing_bytes", MetricType.GAUGE, "tmux_thing_bytes"),
    ],
)
def test_the_name_in_openmetrics(name: str, kind: MetricType, base: str) -> None:
    spec = Spec(name, "A thing.", subject="thing")
    assert (spec.kind, spec.base) == (kind, base)


@pytest.mark.parametrize("labels", [(), ("a",), ("a", "b", "c")])
def test_a_wrong_number_of_label_values_is_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="label values for 2 labels"):
        Family(spec=GOOD, samples=(Sample(("a", "b"), 1), Sample(labels, 1)))
    spec = replace(GOOD, name="tmux_thing_bytes", histogram=True)
    with pytest.raises(ValueError, match="label values for 2 labels"):
        Family(spec=spec, histograms=(Distribution(labels, histogram()),))


def test_values_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="not the values of a counter"):
        Family(spec=GOOD, histograms=(Distribution(("a", "b"), histogram()),))
    spec = replace(GOOD, name="tmux_thing_bytes", histogram=True)
    with pytest.raises(ValueError, match="not the values of a histogram"):
        Family(spec=spec, samples=(Sample(("a", "b"), 1),))


def test_a_histogram_that_does_not_fit_itself_is_refused() -> None:
    spec = replace(GOOD, name="tmux_thing_bytes", histogram=True)
    good = histogram((0.1,))
    for broken in (replace(good, counts=good.counts[1:]), replace(good, bounds=(-1.0, *good.bounds[1:]))):
        with pytest.raises(ValueError, match="bound"):
            Family(spec=spec, histograms=(Distribution(("a", "b"), broken),))


def test_series_are_counted_as_prometheus_will() -> None:
    assert Family(spec=GOOD, samples=(Sample(("a", "b"), 1), Sample(("a", "c"), 1))).series == 2
    spec = replace(GOOD, name="tmux_thing_bytes", histogram=True)
    each = Distribution(("a", "b"), histogram((0.1,)))
    assert Family(spec=spec, histograms=(each, each)).series == 2 * (len(each.histogram.bounds) + 3)


@pytest.mark.parametrize("name", ["tmux_nothing", PLANNED.name, ""])
def test_a_family_that_is_not_declared_or_only_planned_cannot_be_built(name: str) -> None:
    with pytest.raises(ValueError, match="no built family"):
        family(name)


def test_a_row_takes_kind_and_unit_from_the_name_and_its_lists_from_the_table() -> None:
    closed = {"reason": ("a", "b"), "state": ("c",)}
    row = replace(GOOD, closed=closed)
    assert (row, row.kind, row.unit) == (GOOD, MetricType.COUNTER, "bytes")
    taken = Spec("tmux_thing_seconds", "A thing.", subject="thing", histogram=True)
    assert (taken.kind, taken.unit) == (MetricType.HISTOGRAM, "seconds")


def test_a_table_reads_each_figure_and_leaves_out_what_is_not_known_or_planned() -> None:
    def row(name: str, **also: str) -> Spec:
        return Spec(f"tmux_thing_{name}", "A thing.", subject="thing", labels=("pid",), **also)  # type: ignore[arg-type]

    @dataclass
    class Thing:
        threads: int | None
        usage: ProcessId

    read, named, made = row("threads"), row("ticks", figure="usage.start_ticks"), row("made")
    later = replace(row("later"), status=FamilyStatus.PLANNED)
    parts = [(("1",), Thing(2, ProcessId(1, 7))), (("3",), Thing(None, ProcessId(3, 8)))]
    own = Family(spec=made, samples=(Sample(("1",), 5),))
    assert families((read, made, later, named), parts, own) == (
        Family(spec=read, samples=(Sample(("1",), 2),)),
        own,
        Family(spec=named, samples=(Sample(("1",), 7), Sample(("3",), 8))),
    )
    with pytest.raises(ValueError, match="tmux_thing_made: not a family of this table"):
        families((read,), parts, own)


def test_a_table_reads_figures_by_more_labels() -> None:
    """Every member of a closed list from 0; what is there of a sparse or open one; 1 and 0 of a state."""

    class State(StrEnum):
        ON = "on"
        OFF = "off"

    @dataclass
    class Thing:
        state: State | None
        counts: dict[State, int]
        pairs: dict[tuple[str, str], int]
        took: Histogram

    lists = partial(Spec, subject="thing", closed={"state": tuple(State)})
    counts = partial(lists, "tmux_thing_counts", "A thing.", labels=("pid", "state"))
    state = lists("tmux_thing_state", "A thing.", labels=("pid", "state"))
    pairs = lists("tmux_thing_pairs", "A thing.", labels=("pid", "a", "b"))
    took = lists("tmux_thing_took", "A thing.", labels=("pid",), histogram=True)
    thing = Thing(State.OFF, {State.OFF: 3}, {("x", "y"): 4}, histogram())
    parts = [(("1",), thing), (("2",), replace(thing, state=None, counts={}, pairs={}))]
    found = families((state, counts(), counts(sparse=True), pairs, took), parts)
    assert [[(*labels, value) for labels, value in each.samples] for each in found] == [
        [("1", "on", 0), ("1", "off", 1)],
        [("1", "on", 0), ("1", "off", 3), ("2", "on", 0), ("2", "off", 0)],
        [("1", "off", 3)],
        [("1", "x", "y", 4)],
        [],
    ]
    assert [labels for labels, _ in found[-1].histograms] == [("1",), ("2",)]
