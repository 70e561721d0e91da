"""The section `operations`: what is published of programs' operations and of tmux commands."""

from dataclasses import dataclass, field

from tmux_exporter.config.parsers import parse_operation
from tmux_exporter.config.types import Boolean, Integer, ListOf, Text, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """Which operations are published, and whether tmux commands are watched."""

    names: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            ListOf(item=Text(what="a-z, 0-9 and `_`", parser=parse_operation)),
            "Operations of yours to publish from 0, whether they have been reported or not.",
        ),
    )
    max_names: int = field(
        default=50,
        metadata=setting(
            Integer(at_least=0, at_most=1000),
            "Most names besides those of `names` and the five classes; reports of further ones are counted "
            "as lost.",
        ),
    )
    exemplars: bool = field(
        default=False,
        metadata=setting(
            Boolean(),
            "Publish in OpenMetrics the last trace id of each bucket, where programs report one.",
        ),
    )
    watch_commands: bool = field(
        default=False,
        metadata=setting(
            Boolean(),
            "Time every tmux command of this user, by the kernel's exec and exit events, from any program. "
            "Needs Linux 6.6, or CAP_NET_ADMIN.",
        ),
    )
    max_execs_per_second: int = field(
        default=500,
        metadata=setting(
            Integer(at_least=1, at_most=100_000),
            "How many started programs are read in a second for `watch_commands`; further "
            "ones are counted as lost.",
        ),
    )
