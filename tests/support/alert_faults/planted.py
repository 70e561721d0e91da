"""What a planted fault is, and where its alert is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.remediator.remediation import FLEET
from tmux_exporter.alerting.base.thresholds import LEVELS

ALL = tuple(LEVELS)


@dataclass(frozen=True, slots=True)
class Planted:
    """One real fault. `labels` are those of the alert that has to fire, at each of `levels` if it has some.

    `number` says what was changed in `thresholds.toml` beside durations, and why.
    """

    alert: str
    fault: str
    labels: Mapping[str, str] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    """Levels that the same fault must not reach."""
    number: str = ""
    outside: bool = False
    """Whether it cannot be seen from within a namespace, and has a test of its own."""
    ends: bool = True
    """Whether it ends soon once the fault is taken away."""


def agent(session: str) -> dict[str, str]:
    return {"instance": "fleet", "server": FLEET, "session": session}


def server(name: str) -> dict[str, str]:
    return {"instance": "fleet", "server": name}


def thresholds(kind: str, what: str, how: str) -> tuple[Planted, ...]:
    return tuple(
        Planted(
            f"Tmux{owner}Near{kind}Limit",
            how,
            agent(f"{what}-{level}"),
            levels=ALL[place:],
            quiet=ALL[:place],
        )
        for owner in ("Session", "Agent")
        for place, level in enumerate(ALL)
    )


FLEET_ITSELF = {"instance": "fleet"}
CPU = "a few percent of a core: true figures would take the machine from everybody else"
SECONDS = "seconds divided by 60, as all durations are"
