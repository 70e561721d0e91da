"""Objectives of operations: how long those of a name may take, by configuration, else by class."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tmux_exporter.config import ObjectiveConfig
from tmux_exporter.facts.operations import Objective
from tmux_exporter.wire.operation_line import CLASSES

BY_CLASS = {**dict.fromkeys(CLASSES, Objective(2.0, 0.99)), "recovery": Objective(300.0, 0.95)}
"""Without an entry. How long an operation with a name of its user's may take, only its user knows."""


def objective_of(name: str, entries: Sequence[ObjectiveConfig]) -> Objective | None:
    """The objective of the operations of a name; None for those without one."""
    for each in entries:
        if fnmatchcase(name, each.operation):
            return None if each.within is None else Objective(each.within, each.share)
    return BY_CLASS.get(name)
