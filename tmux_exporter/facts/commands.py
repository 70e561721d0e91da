"""Facts about tmux commands seen through kernel exec events: commands that ended, and losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CommandLoss(StrEnum):
    """Why a tmux command may not have been counted (closed list, a label).

    RATE counts programs of any user that were started beyond `operations.max_execs_per_second` and not read.
    VANISHED counts programs of this user that ended before they could be read. Any of both may have been
    tmux. OVERRUN counts dropped events of the kernel's buffer and the commands then in flight. OVERFLOW
    counts commands beyond the number that is tracked at once.
    """

    RATE = "rate"
    VANISHED = "vanished"
    OVERRUN = "overrun"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One tmux client from its exec to its exit, by the kernel's clock.

    `socket` is the server's socket as given to the client, not canonical; None where it is not known.
    `command` is a name of tmux's command table or `other`. `failed` is any wait status but 0.
    """

    socket: str | None
    command: str
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandBatch:
    """Commands that ended since the last batch, and losses since the start; `listening`: events arrive."""

    runs: tuple[CommandRun, ...]
    lost: Mapping[CommandLoss, int]
    listening: bool
