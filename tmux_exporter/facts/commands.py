"""Facts of tmux commands that are seen from outside: one that has ended, and which could not be counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CommandLoss(StrEnum):
    """Why a tmux command may not have been counted (closed list, a label).

    RATE counts programs of anybody that were started beyond `operations.max_execs_per_second` and not looked
    at, VANISHED those of ours that had ended before they could be looked at: any of them may have been tmux.
    OVERRUN counts how often the kernel had more events than it kept, and the commands that were under way.
    OVERFLOW counts commands beyond those that are remembered at once.
    """

    RATE = "rate"
    VANISHED = "vanished"
    OVERRUN = "overrun"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One tmux client from its exec to its exit, by the kernel's clock.

    `socket` is the server's as the client was told it, not canonical, and None where that is not known.
    `command` is a name of tmux's table or `other`. `failed` is any wait status but 0.
    """

    socket: str | None
    command: str
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandBatch:
    """What ended since the last harvest, and all that was lost; `listening`: whether the kernel tells us."""

    runs: tuple[CommandRun, ...]
    lost: Mapping[CommandLoss, int]
    listening: bool
