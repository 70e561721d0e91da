"""The section `operations`: what is published of programs' operations and of tmux commands."""

from dataclasses import dataclass

from tmux_exporter.config.parsers import parse_operation
from tmux_exporter.config.types import Boolean, Integer, ListOf, Text, key


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """Which operations are published, and whether tmux commands are watched."""

    names: tuple[str, ...] = key(
        ListOf(item=Text(what="a-z, 0-9 and `_`", parser=parse_operation)),
        "Operations of yours to publish from 0, whether they have been reported or not.",
        default=(),
    )
    max_names: int = key(
        Integer(at_least=0, at_most=1000),
        "Most names besides those of `names` and the five classes; reports of further ones are counted "
        "as lost.",
        default=50,
    )
    exemplars: bool = key(
        Boolean(),
        "Publish in OpenMetrics the last trace id of each bucket, where programs report one.",
        default=False,
    )
    watch_commands: bool = key(
        Boolean(),
        "Time every tmux command of this user, by the kernel's exec and exit events, from any program. "
        "Needs Linux 6.6, or CAP_NET_ADMIN.",
        default=False,
    )
    max_execs_per_second: int = key(
        Integer(at_least=1, at_most=100_000),
        "How many started programs are read in a second for `watch_commands`; further "
        "ones are counted as lost.",
        default=500,
    )
