"""The catalogue of metric families: `/metrics`, docs, boards and rules are checked against it."""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from tmux_exporter.metrics.catalogue import exporter, tmux, work
from tmux_exporter.metrics.catalogue.family import Distribution, Family, FamilyStatus, Sample, Spec

FAMILIES: tuple[Spec, ...] = (
    *tmux.SERVERS,
    *tmux.SESSIONS,
    *tmux.PANES,
    *work.AGENTS,
    *work.LEAKS,
    *work.SCHEDULERS,
    *work.OPERATIONS,
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
    specs: Sequence[Spec], parts: Sequence[tuple[tuple[str, ...], object]], *made: Family
) -> tuple[Family, ...]:
    """The built families of a table, in its order: those `made` by the caller, else the figure of each part.

    A part is a thing of the report with its label values. A figure of None gives no sample. Raises ValueError
    where a family is of another table.
    """
    by_name = {each.spec.name: each for each in made}
    for name in by_name.keys() - {spec.name for spec in specs}:
        raise ValueError(f"{name}: not a family of this table")
    return tuple(
        by_name[spec.name] if spec.name in by_name else Family(spec=spec, samples=_figures(spec, parts))
        for spec in specs
        if spec.status is FamilyStatus.BUILT
    )


def _figures(spec: Spec, parts: Iterable[tuple[tuple[str, ...], object]]) -> tuple[Sample, ...]:
    read = attrgetter(spec.figure or spec.name.removeprefix(f"tmux_{spec.subject}_"))
    return tuple(Sample(labels, value) for labels, part in parts if (value := read(part)) is not None)
