"""A family that is declared and not built, for tests that what is only planned is refused."""

from tmux_exporter.metrics.catalogue import FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

PLANNED: Spec = next(
    spec
    for spec in FAMILIES
    if spec.status is FamilyStatus.PLANNED and spec.kind in (MetricType.GAUGE, MetricType.COUNTER)
)
"""Any one: which are left changes with what is built."""
