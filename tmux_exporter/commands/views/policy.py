"""Policies as tables: what each matches, its waits and steps; what matches now, and why it is left alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import format_duration
from tmux_exporter.facts.cgroups import ThrottleKind, ThrottleMeans
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide.candidates import TargetCandidate, targets_in_scope
from tmux_exporter.remediator.decide.culprit import find_culprit
from tmux_exporter.remediator.decide.order import Target
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.decide.state import Verdict
from tmux_exporter.remediator.policies.policy import Policy, PolicySet
from tmux_exporter.remediator.record.log_fields import figures_text, holds_text, local_time

_COLUMNS = columns("policy", "mode", "for", "held>", "steps", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A set of policies that may run, and what this machine offers for their throttles."""

    policies: PolicySet
    means: ThrottleMeans

    def as_table(self) -> str:
        """One row per policy; where one throttles, a line for each kind of throttle and for what it gets."""
        lines = list(table(_COLUMNS, [_row(each) for each in self.policies.policies]))
        if any(rung.throttle for each in self.policies.policies for rung in each.ladder):
            lines += ["", *map(_kind_line, self.means.kinds)]
        return "\n".join([*lines, *self._paused()])

    def _paused(self) -> Iterator[str]:
        """A line for each policy whose throttle stops processes here instead of bounding them."""
        scope, pause = self.means.kinds
        for policy in self.policies.policies if scope.problem and not pause.problem else ():
            throttles = [rung.throttle for rung in policy.ladder if rung.throttle]
            if any(each.needs_cgroup and each.pause for each in throttles):
                yield f"policy '{policy.name}': pauses here instead of holding its bounds"

    def as_json(self) -> str:
        """The same, with whole digests."""
        return json.dumps(
            {
                "sha256": self.policies.digest,
                "policies": [_document(each) for each in self.policies.policies],
                "warnings": [*self.policies.remarks, *self.policies.unable],
                "throttle": {
                    each.means: {"possible": not each.problem, "problem": each.problem, "mend": each.mend}
                    for each in self.means.kinds
                },
            },
            indent=2,
        )


def _kind_line(kind: ThrottleKind) -> str:
    if kind.problem:
        return f"throttle by {kind.means}: not here: {kind.problem}; mend: {kind.mend}"
    return f"throttle by {kind.means}: {kind.offers}"


def _row(policy: Policy) -> list[str]:
    steps, held = ", ".join(_steps(policy)), format_duration(policy.hold)
    return [policy.name, policy.mode, _what(policy), held, steps, policy.digest[:12]]


def _document(policy: Policy) -> dict[str, Any]:
    return {
        "policy": policy.name,
        "description": policy.description,
        "mode": policy.mode,
        "kind": policy.match.kind,
        "for_seconds": policy.hold,
        "steps": _steps(policy),
        "sha256": policy.digest,
    }


def _what(policy: Policy) -> str:
    """The kind, and its states where those narrow."""
    narrowed = (*policy.match.states, *policy.match.agent_states, *policy.match.leak_kinds)
    return f"{policy.match.kind} {'|'.join(narrowed)}".strip()


def _steps(policy: Policy) -> list[str]:
    found = []
    for rung in policy.ladder:
        waits = f" after {format_duration(rung.after)}" if rung.after else ""
        person = " by a person" if rung.approvals else ""
        found.append(f"{rung.action}{waits}{person}")
    return found


_MATCH_COLUMNS = columns(
    *("policy", "kind", "pid>", "server", "session", "name", "match", "since", "figures"),
    *("culprit>", "culprit_name", "culprit_holds", "cmdline_sha256"),
)


class Row(NamedTuple):
    """One target: `matched` says whether the policy matches it, `refusal` why it would be left alone.

    `since` is when it began to match, `figures` are those above their bounds, `culprit` is who holds them:
    the pid of a process of an agent, its name, and how much it holds.
    """

    policy: str
    candidate: TargetCandidate
    matched: bool
    refusal: str
    since: str = ""
    figures: str = ""
    culprit: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchesView:
    """What was found; leaked processes also where no policy names them, with the hash that would."""

    rows: tuple[Row, ...]

    def as_table(self) -> str:
        """One row per target."""
        if not self.rows:
            return "nothing is matched now"
        return "\n".join(table(_MATCH_COLUMNS, [_cells(row) for row in self.rows]))

    def as_json(self) -> str:
        """The same as JSON."""
        names = [column.title for column in _MATCH_COLUMNS]
        cells = [dict(zip(names, _cells(row), strict=True)) for row in self.rows]
        return json.dumps({"matches": cells}, indent=2)


def matches_view(
    policies: PolicySet, verdict: Verdict, report: Report, about: Hold | None = None
) -> MatchesView:
    """What a verdict says of the last report; with `about` all that this covers, matched or not."""
    rows = []
    for policy in policies.policies:
        known = verdict.state.policies[policy.name]
        watches = known.watches
        for candidate in targets_in_scope(policy, report):
            watch = watches.get(candidate.key)
            told = watch is not None or candidate.target.kind is TargetKind.LEAKED_PROCESS
            if told if about is None else about.covers(candidate):
                refusal = watch.refusal if watch is not None else None
                states = known.condition_states.get(candidate.key)
                found = find_culprit(policy, candidate, report, states) if watch is not None else None
                rows.append(
                    Row(
                        policy.name,
                        candidate,
                        watch is not None,
                        refusal or "",
                        since="" if watch is None else local_time(watch.since + verdict.state.offset),
                        figures="" if states is None else figures_text(states.readings(policy.when)),
                        culprit=(str(found.process.pid), found.name, holds_text(found))
                        if found
                        else ("",) * 3,
                    )
                )
    return MatchesView(rows=tuple(rows))


def target_cells(target: Target) -> list[str]:
    """The cells of a target: kind, first pid, server, session, name."""
    pid = str(target.processes[0].pid) if target.processes else ""
    return [target.kind, pid, target.server, target.session, target.name]


def _cells(row: Row) -> list[str]:
    target = row.candidate.target
    matched = f"yes, left alone: {row.refusal}" if row.refusal else "yes"
    shown = matched if row.matched else "no"
    return [
        row.policy, *target_cells(target), shown, row.since, row.figures, *row.culprit, target.argv_sha256
    ]  # fmt: skip
