"""What an exporter says of agents over time, and how right that is."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.moments import Step
from tmux_exporter.facts.agents import AgentState

GRACE_SECONDS = 2.0
"""Beyond one sampling interval."""

_ASK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of one agent at a wall time."""

    at: float
    state: str
    reason: str
    source: str
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one moment was told, after how many `seconds` of those `allowed`; None where it never was."""

    seconds: float | None
    allowed: float
    source: str
    instead: str
    false_waiting: bool

    @property
    def is_right(self) -> bool:
        return self.seconds is not None and self.seconds <= self.allowed and not self.false_waiting


@dataclass(slots=True, kw_only=True)
class Watch:
    """Asks one exporter four times a second, as `top` would, and keeps the answers by session."""

    exporter: Exporter
    interval: float
    told: dict[str, list[Told]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._stop.wait(_ASK_SECONDS):
            try:
                report = json.loads(self.exporter.get("api/v1/report"))
            except OSError:
                continue
            now = time.time()
            for agent in report["agents"]:
                self.told.setdefault(agent["session"], []).append(_told(agent, now))

    def end(self) -> None:
        self._stop.set()
        self.exporter.end()

    @property
    def allowed(self) -> float:
        return self.interval + GRACE_SECONDS

    def is_told(self, session: str, step: Step) -> bool:
        """Whether the last answer is right."""
        return any(is_right(step, each) for each in self.told.get(session, ())[-1:])

    def in_words(self, session: str, begun: float, there: float) -> str:
        """Each change of what was told since a moment had `begun`, in seconds from when it was `there`."""
        changes: list[str] = []
        last = ""
        for each in self.told.get(session, ()):
            words = f"{each.state} {each.reason} by {each.source}"
            if each.at >= begun and words != last:
                changes.append(f"{each.at - there:+.1f} {words}")
                last = words
        return ", ".join(changes)

    def verdict(self, session: str, step: Step, begun: float, there: float, ended: float) -> Verdict:
        """How a moment was told that was `there` until it `ended`; its action had `begun` before."""
        told = [each for each in self.told.get(session, ()) if there <= each.at <= ended]
        first = _first_lasting(step, told)
        last = told[-1] if told else None
        before = [each for each in self.told.get(session, ()) if each.at < begun][-1:]
        return Verdict(
            seconds=None if first is None else first.at - there,
            allowed=self.allowed,
            source=first.source if first else "",
            instead="" if first or last is None else f"{last.state} {last.reason}".strip(),
            false_waiting=_waits_falsely(step, told, before, there + self.allowed),
        )


def is_right(step: Step, told: Told) -> bool:
    """Whether this is what the moment is."""
    if told.state != step.state or (step.until and told.until is None):
        return False
    return step.state is not AgentState.WAITING or told.reason in step.reasons


def _first_lasting(step: Step, told: Sequence[Told]) -> Told | None:
    """The first right answer after which no wrong one came."""
    first = None
    for each in told:
        if not is_right(step, each):
            first = None
        elif first is None:
            first = each
    return first


def _waits_falsely(step: Step, told: Sequence[Told], before: Sequence[Told], deadline: float) -> bool:
    """Whether `waiting` was told of a moment that is none: anew, or still after its time."""
    if step.state is AgentState.WAITING:
        return False
    fresh = not before or before[0].state != AgentState.WAITING
    return any(each.state == AgentState.WAITING and (fresh or each.at > deadline) for each in told)


def _told(agent: Mapping[str, object], now: float) -> Told:
    until = agent["usage_limit_reset_timestamp_seconds"]
    return Told(
        at=now,
        state=str(agent["state"]),
        reason=str(agent["waiting_reason"] or ""),
        source=str(agent["state_source"]),
        until=until if isinstance(until, float | int) else None,
    )
