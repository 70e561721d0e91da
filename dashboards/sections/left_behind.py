"""What sessions leave behind: schedulers that wait or are lost, and leaked processes, side by side."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.sections import leaks, schedulers
from dashboards.variables import OF_SESSION

_SCHEDULERS_WIDTH = 13
"""Of 24: their columns take a little more than half."""


def lists(first: int, variables: Sequence[str] = OF_SESSION) -> Sequence[Builder[dashboard.Panel]]:
    """Two tables, side by side, on a board that has these variables; numbered from `first` on."""
    return (
        schedulers.table(first, variables, width=_SCHEDULERS_WIDTH, height=7),
        leaks.table(first + 1, variables, width=24 - _SCHEDULERS_WIDTH, height=7),
    )


def over_time(schedulers_number: int, leaks_number: int) -> Sequence[Builder[dashboard.Panel]]:
    """Two graphs, side by side."""
    return (schedulers.states(schedulers_number, width=12), leaks.memory_by_kind(leaks_number))
