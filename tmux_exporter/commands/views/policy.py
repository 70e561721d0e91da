"""Policies as tables: what each matches, its waits and steps; what matches now, and why it is left alone."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import format_duration
from tmux_exporter.facts.remediation import TargetKind
from tmux_exporter.facts.report import Report
from tmux_exporter.remediator.decide.candidates import TargetCandidate, targets_in_scope
from tmux_exporter.remediator.decide.order import Target
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.decide.state import Verdict
from tmux_exporter.remediator.policies.policy import Policy, PolicySet
from tmux_exporter.remediator.record.log_fields import figures_text

_COLUMNS = columns("policy", "mode", "for", "held>", "steps", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A set of policies that may run."""

    policies: PolicySet

    def as_table(self) -> str:
        """One row per policy."""
        return "\n".join(table(_COLUMNS, [_row(each) for each in self.policies.policies]))

    def as_json(self) -> str:
        """The same, with whole digests."""
        return json.dumps(
            {
                "sha256": self.policies.digest,
                "policies": [_document(each) for each in self.policies.policies],
                "warnings": [*self.policies.remarks, *self.policies.unable],
            },
            indent=2,
        )


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
    "policy", "kind", "pid>", "server", "session", "name", "match", "figures", "culprit>", "cmdline_sha256"
)


class Row(NamedTuple):
    """One target: `matched` says whether the policy matches it, `refusal` why it would be left alone.

    `figures` are those above their bounds, `culprit` the pid of the process of an agent that holds them.
    """

    policy: str
    candidate: TargetCandidate
    matched: bool
    refusal: str
    figures: str = ""
    culprit: str = ""


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
                culprit = str(watch.culprit.pid) if watch is not None and watch.culprit else ""
                states = known.condition_states.get(candidate.key)
                figures = "" if states is None else figures_text(states.readings(policy.when))
                rows.append(Row(policy.name, candidate, watch is not None, refusal or "", figures, culprit))
    return MatchesView(rows=tuple(rows))


def target_cells(target: Target) -> list[str]:
    """The cells of a target: kind, first pid, server, session, name."""
    pid = str(target.processes[0].pid) if target.processes else ""
    return [target.kind, pid, target.server, target.session, target.name]


def _cells(row: Row) -> list[str]:
    target = row.candidate.target
    matched = f"yes, left alone: {row.refusal}" if row.refusal else "yes"
    shown = matched if row.matched else "no"
    return [row.policy, *target_cells(target), shown, row.figures, row.culprit, target.argv_sha256]
