"""What the catalogue promises of a series that a rule, a board or a page asks for."""

import re

from tmux_exporter.metrics.catalogue import BY_NAME
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

EXPECTED = frozenset(("tmux_agent_cpu_limit_cores", "tmux_session_cpu_limit_cores"))
"""Promised and not yet built: rules that use them say nothing of them until they are."""


def catalogued(name: str) -> Spec:
    """The declaration of a series; a histogram has several. Raises KeyError."""
    base = re.sub("_(bucket|sum|count)$", "", name)
    return BY_NAME[base if base in BY_NAME and BY_NAME[base].kind is MetricType.HISTOGRAM else name]


def there(name: str) -> Spec:
    """The declaration of a series that may be asked for. Raises KeyError for any other."""
    spec = catalogued(name)
    if spec.status is not FamilyStatus.BUILT and name not in EXPECTED:
        raise KeyError(name)
    return spec


def labels(name: str) -> set[str]:
    """The labels that a series has in `/metrics`."""
    return {*catalogued(name).labels, *(("le",) if name.endswith("_bucket") else ())}
