"""`match:` of a policy file: which targets a policy matches."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from tmux_exporter.config.parsers import nearest, parse_program, shown
from tmux_exporter.config.types import Boolean, Choice, Duration, ListOf, MisfitError, Size, Text, key
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.policies.parsers import (
    DAY,
    PATTERNS,
    Grammar,
    choices,
    parse_hash,
    parse_pattern,
    patterns,
)
from tmux_exporter.remediator.policies.policy import TargetMatch

_STATES: Mapping[str, type[SchedulerState] | type[AgentState]] = {
    TargetKind.SCHEDULER: SchedulerState,
    TargetKind.AGENT: AgentState,
}
_COMMON = {"kind", "servers"}
_KEYS: Mapping[TargetKind, set[str]] = {
    TargetKind.SCHEDULER: {"sessions", "state", "grammar", "remaining"},
    TargetKind.AGENT: {"sessions", "state", "program", "attached"},
    TargetKind.LEAKED_PROCESS: {"sessions", "leak_kind", "cmdline_sha256", "program", "age", "listening"},
    TargetKind.PANE: {"sessions", "history_bytes", "dead", "attached"},
    TargetKind.SERVER: set(),
}


def _state(text: str) -> str:
    known = {state.value for of in _STATES.values() for state in of}
    if text not in known:
        near = nearest(text, known)
        mend = f"did you mean '{near}'?" if near else "docs/policies.md lists them"
        raise ValueError(f"{shown(text)} is no state; {mend}")
    return text


def _program(text: str) -> str:
    return parse_pattern(text) if text.startswith("glob:") or " " in text else parse_program(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchDoc:
    """The kind of thing, and what narrows it; every key that is there has to fit."""

    kind: TargetKind = key(Choice(of=TargetKind), "The kind of thing; the other keys depend on it.")
    servers: tuple[str, ...] = key(
        PATTERNS, "Labels of tmux servers; a scheduler's are those it aims at.", default=()
    )
    sessions: tuple[str, ...] = key(PATTERNS, "Labels of sessions.", default=())
    state: tuple[str, ...] = key(
        ListOf(item=Text(what="state", parser=_state)),
        "States of schedulers, or of agents; any of them.",
        default=(),
    )
    grammar: Grammar | None = key(
        Choice(of=Grammar), "Only `pure` scripts are ever matched; the key says so to readers.", default=None
    )
    remaining: float | None = key(
        Duration(at_least=30, at_most=86400.0),
        "The least that a scheduler must have left: 30s by default.",
        default=None,
    )
    program: tuple[str, ...] = key(
        ListOf(item=Text(what="program", parser=_program)),
        "Programs of agents, as the label says. Of leaked processes the name that `tmux-exporter leaks` "
        "shows, or its first word; `glob:` begins a pattern.",
        default=(),
    )
    age: float | None = key(
        Duration(at_least=1, at_most=30 * DAY), "The least age of a leaked process.", default=None
    )
    listening: bool | None = key(
        Boolean(),
        "Whether a leaked process, or what it has started, listens on a TCP port.",
        default=None,
    )
    attached: bool | None = key(Boolean(), "Whether somebody is attached to the session.", default=None)
    leak_kind: tuple[LeakKind, ...] = key(
        choices(LeakKind), "Kinds of leaked processes; any of them.", default=()
    )
    cmdline_sha256: tuple[str, ...] | None = key(
        ListOf(item=Text(what="SHA-256 in hex", parser=parse_hash)),
        "Hashes of the command lines that may be matched; an empty list matches nothing. "
        "`check-config --against-live` shows them.",
        default=None,
    )
    history_bytes: int | None = key(
        Size(at_least=1, at_most=2**50), "The least history of a pane.", default=None
    )
    dead: bool | None = key(Boolean(), "Whether the pane's program has ended.", default=None)

    def __post_init__(self) -> None:
        allowed = _COMMON | _KEYS[self.kind]
        for entry in fields(self):
            if entry.name not in allowed and getattr(self, entry.name) not in (None, ()):
                raise MisfitError(f"a {self.kind} has no such key; remove it", entry.name)
        if (states := _STATES.get(self.kind)) is not None:
            wrong = [state for state in self.state if state not in {each.value for each in states}]
            if wrong:
                raise MisfitError(
                    f"'{wrong[0]}' is no state of a {self.kind}; it has {', '.join(states)}", "state"
                )
        if self.kind is TargetKind.AGENT:
            for each in self.program:
                try:
                    parse_program(each)
                except ValueError as error:
                    raise MisfitError(str(error), "program") from None
        if self.kind is TargetKind.SCHEDULER and not self.state:
            raise MisfitError("this would match every scheduler; add state: [dangling]")
        if self.kind is TargetKind.LEAKED_PROCESS and not self.leak_kind and self.cmdline_sha256 is None:
            raise MisfitError("this would match everything that leaked; add leak_kind or cmdline_sha256")


def match_of(made: MatchDoc) -> TargetMatch:
    """The match that a checked `MatchDoc` says."""
    schedulers = made.kind is TargetKind.SCHEDULER
    return TargetMatch(
        kind=made.kind,
        servers=patterns(made.servers),
        sessions=patterns(made.sessions),
        states=tuple(map(SchedulerState, made.state)) if schedulers else (),
        agent_states=() if schedulers else tuple(map(AgentState, made.state)),
        programs=made.program if made.kind is TargetKind.AGENT else (),
        leak_programs=patterns(made.program) if made.kind is TargetKind.LEAKED_PROCESS else (),
        age=made.age,
        listening=made.listening,
        attached=made.attached,
        leak_kinds=made.leak_kind,
        argv_sha256=made.cmdline_sha256 or (),
        opted_in=made.cmdline_sha256 is not None,
        history_bytes=made.history_bytes,
        dead=made.dead,
    )
