"""The catalogue of metric families: `/metrics`, docs, boards and rules are checked against it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from itertools import product
from operator import attrgetter
from typing import Any

from tmux_exporter.metrics.catalogue import exporter, spending, tmux, work
from tmux_exporter.metrics.catalogue.family import (
    Distribution,
    Family,
    FamilyStatus,
    MetricType,
    Sample,
    Spec,
)

Part = tuple[tuple[str, ...], object]
"""A thing of the report, with its label values."""

FAMILIES: tuple[Spec, ...] = (
    *tmux.SERVERS,
    *tmux.SESSIONS,
    *tmux.PANES,
    *work.AGENTS,
    *spending.SPENDING,
    *spending.SESSION_SPENDING,
    *spending.QUOTAS,
    *work.LEAKS,
    *work.SCHEDULERS,
    *work.OPERATIONS,
    *work.COMMANDS,
    *exporter.HOST,
    *exporter.REMEDIATOR,
    *exporter.EXPORTER,
    *exporter.PROCESS,
)

BY_NAME = {spec.name: spec for spec in FAMILIES}


def family(name: str, samples: Iterable[Sample] = (), *, histograms: Iterable[Distribution] = ()) -> Family:
    """Build one sample's values of a declared and built family.

    A name that is not declared, or only planned, raises ValueError: nothing reaches `/metrics` uncatalogued.
    """
    spec = BY_NAME.get(name)
    if spec is None or spec.status is not FamilyStatus.BUILT:
        raise ValueError(f"{name}: no built family of this name is declared")
    return Family(spec=spec, samples=tuple(samples), histograms=tuple(histograms))


def single(name: str, value: float | None) -> Family:
    """The family without labels; no sample of a value that is not known."""
    return family(name, () if value is None else (Sample((), value),))


def by_label(name: str, values: Iterable[tuple[str, float | None]]) -> Family:
    """The family with one label, by its value; no sample of a value that is not known."""
    return family(name, (Sample((label,), value) for label, value in values if value is not None))


def families(
    specs: Sequence[Spec], parts: Sequence[Part] | Callable[[Spec], Sequence[Part]], *made: Family
) -> tuple[Family, ...]:
    """The built families of a table, in its order: those `made` by the caller, else the figure of each part.

    `parts` may depend on the family. A figure of None gives no sample. A mapping has the values by the labels
    that the parts do not have, a state stands for 1 in its own series and 0 in every other. Raises ValueError
    where a family that was `made` is of another table.
    """
    by_name = {each.spec.name: each for each in made}
    for name in by_name.keys() - {spec.name for spec in specs}:
        raise ValueError(f"{name}: not a family of this table")
    return tuple(
        by_name.get(spec.name) or _figures(spec, parts(spec) if callable(parts) else parts)
        for spec in specs
        if spec.status is FamilyStatus.BUILT
    )


def _figures(spec: Spec, parts: Sequence[Part]) -> Family:
    read = attrgetter(spec.figure or spec.name.removeprefix(f"tmux_{spec.subject}_"))
    values = ((labels, value) for labels, part in parts if (value := read(part)) is not None)
    if spec.kind is MetricType.HISTOGRAM:
        return Family(spec=spec, histograms=tuple(map(Distribution._make, values)))
    if parts and len(parts[0][0]) < len(spec.labels):
        return Family(spec=spec, samples=tuple(_by_more_labels(spec, values)))
    return Family(spec=spec, samples=tuple(map(_sample, values)))


_sample = partial(tuple.__new__, Sample)
"""`Sample._make` without a call of Python for each of thousands of samples."""


def _by_more_labels(
    spec: Spec, values: Iterable[tuple[tuple[str, ...], StrEnum | Mapping[Any, float]]]
) -> Iterator[Sample]:
    for labels, value in values:
        more = spec.labels[len(labels) :]
        closed = [spec.closed[label] for label in more if label in spec.closed]
        every = closed[0] if len(closed) == 1 else tuple(product(*closed))
        found = {each: float(each is value) for each in every} if isinstance(value, StrEnum) else value
        for key in found if spec.sparse or not closed else every:
            yield Sample((*labels, *((key,) if isinstance(key, str) else key)), found.get(key, 0))
