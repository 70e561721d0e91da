"""Every metric family there is or will be, once: what `/metrics`, docs, boards and rules are held against."""

from collections.abc import Iterable

from tmux_exporter.metrics.catalogue import exporter, tmux, work
from tmux_exporter.metrics.catalogue.family import Distribution, Family, Sample, Spec, Status

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
    if spec is None or spec.status is not Status.BUILT:
        raise ValueError(f"{name}: no built family of this name is declared")
    return Family(spec=spec, samples=tuple(samples), histograms=tuple(histograms))
