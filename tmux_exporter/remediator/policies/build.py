"""A file as it is written -> the policies that it means: what one does not say comes from the defaults."""

from dataclasses import fields
from typing import Any

from tmux_exporter.facts.remediation import Action
from tmux_exporter.remediator.policies.actions import ActionDoc
from tmux_exporter.remediator.policies.conditions import when_of
from tmux_exporter.remediator.policies.document import DocumentDoc, PolicyDoc, asks_for_a_share
from tmux_exporter.remediator.policies.matches import match_of
from tmux_exporter.remediator.policies.parsers import patterns
from tmux_exporter.remediator.policies.parts import (
    BreakerDoc,
    BudgetDoc,
    DefaultsDoc,
    MaxMatchDoc,
    ProtectedDoc,
)
from tmux_exporter.remediator.policies.policy import (
    Breaker,
    Channel,
    LadderStep,
    Policy,
    PolicySet,
    Protection,
    SnapshotPart,
    Throttle,
    When,
    Whom,
)

_TOLD = (Channel.METRIC, Channel.LOG)
_PARTS = tuple(part for part in SnapshotPart if part is not SnapshotPart.SCREEN)


def policies_of(document: DocumentDoc) -> PolicySet:
    """The policies of a file that its checks have passed."""
    protected = _protection(document.protected)
    return PolicySet(
        policies=tuple(_policy(each, document.defaults, protected) for each in document.policies),
        per_cycle=document.total.per_cycle,
        per_hour=document.total.per_hour,
    )


def _policy(made: PolicyDoc, defaults: DefaultsDoc, protected: Protection) -> Policy:
    said = {
        **_said(made.budget, defaults.budget, _BUDGET),
        **_max_match(made.max_match, defaults.max_match),
    }
    if made.match.remaining is not None:
        said["remaining"] = made.match.remaining
    if made.verify is not None:
        said["gone_within"] = made.verify.gone_within
    return Policy(
        name=made.name,
        mode=made.mode or defaults.mode,
        description=made.description,
        match=match_of(made.match),
        when=When() if made.when is None else when_of(made.when),
        ladder=tuple(map(_rung, made.actions)),
        allow=made.allow,
        whom=made.whom or (Whom.CULPRIT if asks_for_a_share(made) else Whom.AGENT),
        hold=made.for_,
        protected=protected,
        breaker=_breaker(made.breaker, defaults.breaker, _given(made.cooldown, defaults.cooldown)),
        warmup=_given(made.warmup, defaults.warmup),
        cooldown=_given(made.cooldown, defaults.cooldown),
        max_age=_given(made.max_age, defaults.max_age),
        **said,
    )


def _given(own: float | None, default: float) -> float:
    return default if own is None else own


def _said(own: object, defaults: object, names: dict[str, str]) -> dict[str, Any]:
    """What one of the two says, its own word first, by the names that a policy has for it."""
    found = {}
    for key, name in names.items():
        value = getattr(own, key)
        value = getattr(defaults, key) if value is None else value
        if value is not None:
            found[name] = value
    return found


_BUDGET = {entry.name: entry.name for entry in fields(BudgetDoc)}
_MAX_MATCH = {
    "count": "max_match",
    "percent": "max_match_ratio",
    "few": "max_match_few",
    "on_exceed": "on_exceed",
}
_BREAKER = {
    "failed_verifications": "failed_verifications",
    "regrets": "regrets",
    "restarts_of_same_agent": "restarts",
    "within": "restarts_within",
    "half_open_after": "half_open_after",
}


def _max_match(own: MaxMatchDoc, defaults: MaxMatchDoc) -> dict[str, Any]:
    said = _said(own, defaults, _MAX_MATCH)
    if "max_match_ratio" in said:
        said["max_match_ratio"] /= 100
    return said


def _breaker(own: BreakerDoc, defaults: BreakerDoc, cooldown: float) -> Breaker:
    return Breaker(regret_window=cooldown, **_said(own, defaults, _BREAKER))


def _protection(made: ProtectedDoc) -> Protection:
    return Protection(
        comm=made.comm,
        exe=patterns(made.exe),
        servers=patterns(made.servers),
        sessions=patterns(made.sessions),
        agents=patterns(made.agents),
    )


def _rung(made: ActionDoc) -> LadderStep:
    said: dict[str, Any] = {
        "via": tuple(dict.fromkeys((*_TOLD, *made.via))),
        "parts": (made.what or _PARTS) if made.do is Action.SNAPSHOT else (),
        "method": made.method,
    }
    for name in ("severity", "signal", "grace", "max_bytes", "value"):
        if getattr(made, name) is not None:
            said[name] = getattr(made, name)
    if made.do is Action.THROTTLE and made.lease is not None:
        said["throttle"] = Throttle(
            lease=made.lease,
            memory_high=made.memory_high,
            cpu_percent=None if made.cpu_max is None else int(made.cpu_max.removesuffix("%")),
            tasks_max=made.tasks_max,
            pause=made.pause,
            whole_pane=made.whole_pane,
        )
    if made.approvals is not None:
        said |= {"approvals": made.approvals.required, "approval_expires": made.approvals.expires}
    return LadderStep(action=made.do, after=made.after, **said)
