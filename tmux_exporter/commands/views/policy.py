"""Policies as a table: what each matches, for how long, and its steps."""

import json
from dataclasses import dataclass
from typing import Any

from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import format_duration
from tmux_exporter.remediator.policies.policy import Policy, PolicySet

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
