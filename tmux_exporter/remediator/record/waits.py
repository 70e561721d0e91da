"""Waiting times between two runs of the remediator: what each policy has waited for, and what proves leaks.

The file is only believed on the same boot, with a steady clock and after a short break. A match goes on only
where its processes (pid and start ticks) and its policy are the same, and is seen again before a step.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.base.paths import REMEDIATOR_WAITS
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import Remembered
from tmux_exporter.remediator.decide.candidates import Key
from tmux_exporter.remediator.decide.conditions import ConditionState, ConditionStates
from tmux_exporter.remediator.decide.state import PolicyState, Retry, State, WatchedTarget
from tmux_exporter.remediator.policies.policy import Policy, PolicySet
from tmux_exporter.remediator.record.plan_file import write
from tmux_exporter.sources.common.untrusted_file import UntrustedFileError, read_guarded

_log = logging.getLogger(__name__)

VERSION = 1
LARGEST_BYTES = 16 << 20
LONGEST_BREAK = 600.0
"""After so many seconds in which nothing was seen every wait begins anew."""

QUIET_BREAK = 90.0
"""So many seconds may nobody have looked for connections to a leaked process; they are read once a minute."""

KEEP_SECONDS = 30.0
"""The file is written no more often than this, and at the end."""

_TIMES = ("since", "rung_at", "acted_at", "retry_at", "culprit_since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What an earlier run has left: states by policy, and processes that it has seen in their panes."""

    policies: Mapping[str, PolicyState] = field(default_factory=dict)
    earlier: tuple[Remembered, ...] = ()


class WaitsFile:
    """The file in `folder`, the private state folder of `uid`; `boot` identifies this boot."""

    def __init__(self, folder: Path, *, uid: int, boot: str, clock: Clock) -> None:
        self._path = folder / REMEDIATOR_WAITS
        self._uid = uid
        self._boot = boot
        self._clock = clock
        self._written_at = float("-inf")
        self._failing = False

    def load(self, policies: PolicySet) -> Waits:
        """What is to be believed of the file; nothing of a damaged one. Raises nothing."""
        try:
            content = read_guarded(str(self._path), uid=self._uid, limit=LARGEST_BYTES)
            return self._parse(strict_json.document(content, VERSION), policies)
        except FileNotFoundError:
            return Waits()
        except (UntrustedFileError, ValueError, KeyError, TypeError) as error:
            _log.warning(
                "waits begin anew: their file is not used",
                extra=log_fields(file=str(self._path), problem=str(error)),
            )
            return Waits()

    def keep(
        self, policies: PolicySet, state: State, earlier: Sequence[Remembered], *, last: bool = False
    ) -> None:
        """Write it where that is due, or it is the `last` time. A failure is logged once, raises nothing."""
        now = self._clock.monotonic()
        if not last and now - self._written_at < KEEP_SECONDS:
            return
        self._written_at = now
        document = {
            "version": VERSION,
            "boot": self._boot,
            "at": now,
            "offset": self._clock.time() - now,
            "policies": [
                {"name": each.name, "sha256": each.digest, "watches": list(_watches(state, each))}
                for each in policies.policies
            ],
            "earlier": [_remembered(each) for each in earlier],
        }
        try:
            write(self._path, json.dumps(document, allow_nan=False).encode("ascii") + b"\n")
            self._failing = False
        except OSError as error:
            if not self._failing:
                _log.error("waits not kept", extra=log_fields(file=str(self._path), error=str(error)))
            self._failing = True

    def _parse(self, document: dict[str, Any], policies: PolicySet) -> Waits:
        now = self._clock.monotonic()
        at, offset = (strict_json.number(document[name]) for name in ("at", "offset"))
        jumped = abs(self._clock.time() - now - offset) > min(each.clock_jump for each in policies.policies)
        if not self._boot or document["boot"] != self._boot or jumped or not 0 <= now - at <= LONGEST_BREAK:
            return Waits()
        by_name = {each.name: each for each in policies.policies}
        states = {}
        for entry in map(strict_json.record, strict_json.array(document["policies"])):
            policy = by_name.get(strict_json.text(entry["name"]))
            # As after a reload: what has changed waits from its beginning.
            if policy is not None and policy.digest == entry["sha256"]:
                states[policy.name] = _state(policy, strict_json.array(entry["watches"]), at, now)
        return Waits(
            policies=states,
            earlier=tuple(
                _read_remembered(each, quiet=now - at <= QUIET_BREAK)
                for each in strict_json.array(document["earlier"])
            ),
        )


def _watches(state: State, policy: Policy) -> Iterator[dict[str, object]]:
    """The matches of a policy that have processes: a name alone may be another one's by then."""
    known = state.policies.get(policy.name, PolicyState())
    for key, watch in known.watches.items():
        kind, processes, _, _ = key
        if processes and watch.observations:
            conditions = known.condition_states.get(key)
            yield {
                "kind": kind,
                "processes": processes,
                "rung": watch.rung,
                "refused": watch.refused,
                "culprit": watch.culprit,
                "retries": watch.retries,
                "latched": [each.latched for each in conditions.condition_states] if conditions else [],
                **{name: getattr(watch, name) for name in _TIMES},
            }


def _state(policy: Policy, entries: Sequence[object], at: float, now: float) -> PolicyState:
    watches: dict[Key, WatchedTarget] = {}
    conditions: dict[Key, ConditionStates] = {}
    for entry in map(strict_json.record, entries):
        processes = tuple(map(strict_json.process, strict_json.array(entry["processes"])))
        key: Key = TargetKind(entry["kind"]), processes, "", ""
        watches[key] = _watch(entry, at, now)
        if any(each.place >= len(policy.ladder) for each in watches[key].retries):
            raise ValueError("a step that the policy does not have")
        latched = [strict_json.flag(each) for each in strict_json.array(entry["latched"])]
        if latched and len(latched) == len(policy.when.conditions):
            conditions[key] = ConditionStates(
                seen_at=now, condition_states=tuple(ConditionState(latched=each) for each in latched)
            )
    return PolicyState(watches=watches, condition_states=conditions)


def _watch(entry: dict[str, Any], at: float, now: float) -> WatchedTarget:
    """A match as if it were seen once by now: it takes one more cycle, and a new listing, to go on."""
    since, culprit_since = (strict_json.number(entry[name]) for name in ("since", "culprit_since"))
    rung_at, acted_at, retry_at = (_time(entry[name]) for name in ("rung_at", "acted_at", "retry_at"))
    if max(since, culprit_since, rung_at or 0.0, acted_at or 0.0) > at:
        raise ValueError("a time after the file's own")
    return WatchedTarget(
        since=since,
        judged_at=now,
        seen_at=now,
        observations=1,
        rung=strict_json.count(entry["rung"]),
        rung_at=rung_at,
        acted_at=acted_at,
        refused=strict_json.count(entry["refused"]),
        retry_at=retry_at,
        culprit=None if entry["culprit"] is None else strict_json.process(entry["culprit"]),
        culprit_since=culprit_since,
        # A file of an earlier version has none.
        retries=tuple(map(_retry, strict_json.array(entry.get("retries", [])))),
    )


def _retry(value: object) -> Retry:
    place, at, refused = strict_json.array(value)
    return Retry(strict_json.count(place), strict_json.number(at), strict_json.count(refused))


def _time(value: object) -> float | None:
    return None if value is None else strict_json.number(value)


def _remembered(each: Remembered) -> list[object]:
    return [
        each.process, each.origin, each.pane, each.server, each.session,
        each.leaked, each.by_folder, each.proven, each.quiet_since,
    ]  # fmt: skip


def _read_remembered(value: object, *, quiet: bool) -> Remembered:
    process, origin, pane, server, session, leaked, by_folder, proven, since = strict_json.array(value)
    return Remembered(
        process=strict_json.process(process),
        origin=strict_json.process(origin),
        pane=strict_json.text(pane),
        server=strict_json.text(server),
        session=strict_json.text(session),
        leaked=strict_json.flag(leaked),
        by_folder=strict_json.flag(by_folder),
        proven=strict_json.flag(proven),
        quiet_since=strict_json.number(since) if quiet and since is not None else None,
    )
