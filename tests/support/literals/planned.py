"""A family that is declared and not built, for tests that what is only planned is refused."""

from tmux_exporter.metrics.catalogue import FAMILIES
from tmux_exporter.metrics.catalogue.family import Kind, Spec, Status

PLANNED: Spec = next(
    spec for spec in FAMILIES if spec.status is Status.PLANNED and spec.kind in (Kind.GAUGE, Kind.COUNTER)
)
"""Any one: which are left changes with what is built."""
