"""One step of a policy's ladder, as a file writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from tmux_exporter.config.types import (
    Boolean,
    Choice,
    Duration,
    Integer,
    MisfitError,
    Section,
    Size,
    Text,
    key,
)
from tmux_exporter.facts.remediation import Action, Method, Signal
from tmux_exporter.remediator.policies.parsers import DAY, WAIT, choices
from tmux_exporter.remediator.policies.policy import Channel, Severity, SnapshotPart

_COMMON = {"do", "after"}
_KEYS: Mapping[Action, set[str]] = {
    Action.WARN: {"via", "severity"},
    Action.SNAPSHOT: {"what"},
    Action.STOP: {"method", "signal", "grace", "approvals"},
    Action.KILL: set(),
    Action.THROTTLE: {"memory_high", "cpu_max", "tasks_max", "pause", "whole_pane", "lease"},
    Action.RAISE_FD_LIMIT: set(),
    Action.SAVE: {"max_bytes"},
    Action.CLEAR_HISTORY: set(),
    Action.SET_OPTION: {"option", "value"},
    Action.CLOSE_DEAD_PANE: {"max_bytes"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsDoc:
    """Who has to agree, and for how long that holds."""

    required: int = key(Integer(at_least=1, at_most=1), "How many people have to apply the plan: 1.")
    expires: float = key(
        Duration(at_least=60, at_most=7 * DAY),
        "How long after it was made a plan can be applied.",
        default=3600.0,
    )


def _option(text: str) -> str:
    if text != "history-limit":
        raise ValueError("only history-limit can be set")
    return text


def _percent(text: str) -> str:
    number = text.removesuffix("%")
    if number == text or not number.isascii() or not number.isdigit() or not 1 <= int(number[:6]) <= 6400:
        raise ValueError(f"{text[:20]!r} is no share of a core; write one such as '20%'")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDoc:
    """A step: what is done, and how long after the step before it."""

    do: Action = key(
        Choice(of=Action),
        "`warn` reports it, `snapshot` keeps evidence, `throttle` bounds it for the time of a lease, "
        "`stop` ends it, `kill` follows a stop that had no effect. Of a pane `save` writes its history to a "
        "private file, `clear_history` then clears it, and `set_option` limits that of panes to come. "
        "`close_dead_pane` saves history and screen and closes a pane whose program has ended, but never "
        "the last one of its session. All four only where the policy enforces. `raise_fd_limit` raises its "
        "soft limit of open files to at most four times itself, 65,536 and the hard one; a program that uses "
        "select() breaks beyond 1024.",
    )
    after: float = key(WAIT, "How long after the step before it.", default=0.0)
    via: tuple[Channel, ...] = key(
        choices(Channel),
        "Where a warning is shown: always in the counters and the log; with `pane_message` also on the "
        "status line of each client attached to its session, for five seconds or until the next key, "
        "where the policy may do more than observe.",
        default=(),
    )
    severity: Severity | None = key(
        Choice(of=Severity), "How bad it is: `warning` where nothing is said.", default=None
    )
    what: tuple[SnapshotPart, ...] = key(
        choices(SnapshotPart),
        "Of what a snapshot is made: all but `screen` where nothing is said. `py_spy` is where the "
        "threads of a Python program are, if py-spy is installed; `screen` is the last lines of its "
        "pane, and needs the flag `--snapshot-screen` besides.",
        default=(),
    )
    method: Method | None = key(Choice(of=Method), "How it is ended; has to fit the kind.", default=None)
    signal: Signal | None = key(
        Choice(of=Signal), "What a stop sends: `TERM` where nothing is said.", default=None
    )
    grace: float | None = key(
        Duration(at_least=0.1, at_most=600),
        "How long it has to end after the signal: 3s by default.",
        default=None,
    )
    approvals: ApprovalsDoc | None = key(
        Section(of=ApprovalsDoc), "A stop that only an applied plan may make.", default=None
    )
    memory_high: int | None = key(
        Size(at_least=2**20, at_most=2**50),
        "A throttle: beyond this the kernel slows it down and reclaims its memory (`memory.high`); nothing "
        "ends.",
        default=None,
    )
    cpu_max: str | None = key(
        Text(what="percent of a core", parser=_percent),
        "A throttle: the CPU time that it gets, `200%` is two cores.",
        default=None,
    )
    tasks_max: int | None = key(
        Integer(at_least=1, at_most=2**22),
        "A throttle: how many processes and threads it may have; beyond that it cannot start more.",
        default=None,
    )
    pause: bool = key(
        Boolean(),
        "A throttle: stop it (SIGSTOP) and continue it at the end of the lease, where the user's systemd "
        "cannot hold the other bounds or there are none.",
        default=False,
    )
    whole_pane: bool = key(
        Boolean(),
        "A throttle: of all that runs in the pane of the agent, whoever holds the figure, by bounds of the "
        "scope that tmux has made for it; nothing is moved. A pane is left alone if a process in it is one "
        "that a throttle spares, or another pane's, or if an agent in it waits for you.",
        default=False,
    )
    lease: float | None = key(
        Duration(at_least=1, at_most=DAY),
        "After how long a throttle ends by itself, also when the remediator is gone.",
        default=None,
    )
    max_bytes: int | None = key(
        Size(at_least=1, at_most=2**40),
        "The largest history that is saved: 128MiB where nothing is said.",
        default=None,
    )
    option: str | None = key(
        Text(what="`history-limit`", parser=_option),
        "What is set on the session of the pane: `history-limit`.",
        default=None,
    )
    value: int | None = key(
        Integer(at_least=0, at_most=10**7),
        "To what it is set, in lines, for panes to come.",
        default=None,
    )

    def __post_init__(self) -> None:
        allowed = _COMMON | _KEYS[self.do]
        for entry in fields(self):
            given = getattr(self, entry.name)
            if entry.name not in allowed and given is not None and given is not False and given != ():
                raise MisfitError(f"'{self.do}' has no such key; remove it", entry.name)
        if self.do is Action.THROTTLE and self.lease is None:
            raise MisfitError("a throttle needs a lease; add lease: 15m")
        if self.do is Action.THROTTLE and not is_bound_by_cgroup(self) and not self.pause:
            raise MisfitError("nothing is bounded; add memory_high, cpu_max, tasks_max or pause: true")
        if self.whole_pane and self.pause:
            raise MisfitError(
                "a shell that stops takes the terminal: a pane is never paused; remove it", "pause"
            )
        if self.do is Action.SET_OPTION and (self.option is None or self.value is None):
            raise MisfitError("say what is set; add option: history-limit, value: 20000")
        if self.signal is Signal.KILL:
            raise MisfitError("a stop lets it end by itself; use TERM, INT or HUP", "signal")


def is_bound_by_cgroup(made: ActionDoc) -> bool:
    """Whether a throttle has a bound that only a cgroup can hold."""
    return (made.memory_high, made.cpu_max, made.tasks_max) != (None, None, None)
