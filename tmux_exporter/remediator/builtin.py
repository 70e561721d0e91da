"""The built-in policy: schedulers whose every target is gone.

A frozen value, so that whoever reads a decision can say by which numbers it was taken (`digest`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from tmux_exporter.remediation import Mode

_WAITS = ("hold", "stop_after", "warmup", "cooldown", "budget_window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When orphaned schedulers are told of and ended. All times are seconds.

    What people are given time for scales in tests: `hold` is for how long one must have been seen orphaned
    before it is told of, `stop_after` how much later it is ended, `warmup` for how long nothing is done after
    a start or a step of the clock, `cooldown` until the same one is tried again, `budget_window` is the hour
    of `per_hour`.

    What machines need does not scale: `remaining` is the least that its sleep must have left, `max_age` the
    oldest look at tmux that counts, `grace` the time after TERM before KILL, `gone_within` the time after
    KILL in which it must be gone, `clock_jump` the step of the wall clock that calls for a new warm-up.

    `servers` are the labels of the tmux servers whose schedulers it may match, all of them where it is empty.
    More matches than `max_match`, or than `max_match_ratio` of all schedulers once they are more than
    `max_match_few`, mean that the eye is wrong: then none is ended.
    """

    name: str
    mode: Mode
    servers: tuple[str, ...] = ()
    hold: float = 300.0
    stop_after: float = 300.0
    warmup: float = 300.0
    cooldown: float = 600.0
    budget_window: float = 3600.0
    remaining: float = 30.0
    max_age: float = 30.0
    grace: float = 3.0
    gone_within: float = 5.0
    clock_jump: float = 10.0
    per_cycle: int = 5
    per_hour: int = 60
    max_match: int = 50
    max_match_ratio: float = 0.9
    max_match_few: int = 10

    def scaled(self, factor: float) -> "Policy":
        """The same policy with every wait for people times `factor`: 1 for them, less for tests."""
        return replace(self, **{name: getattr(self, name) * factor for name in _WAITS})

    @property
    def digest(self) -> str:
        """SHA-256 of all its values."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode("ascii")).hexdigest()


ORPHANED_SCHEDULERS = Policy(name="orphaned-schedulers", mode=Mode.ENFORCE)
"""Its mode only says what it may do: without `--enforce` nothing is signalled."""
