"""The remediator's status for the exporter: one small file in the runtime folder, replaced atomically."""

import json
from pathlib import Path

from tmux_exporter.base.paths import REMEDIATOR_STATUS
from tmux_exporter.facts.remediation import FILE_VERSION, PolicyStatus, RemediatorStatus
from tmux_exporter.remediator.record.plan_file import write as replace_file


def render(status: RemediatorStatus) -> bytes:
    """One line of JSON; `sources.remediator_file.parse_status` reads it back."""
    document = {
        "version": FILE_VERSION,
        "process": list(status.process),
        "mode": status.mode,
        "interval_seconds": status.interval_seconds,
        "cycle_timestamp": status.cycle_timestamp,
        "cycle_at": status.cycle_at,
        "blind": status.blind,
        "audit_healthy": status.audit_healthy,
        "reload_successful": status.reload_successful,
        "policies": [_policy(each) for each in status.policies],
        "ended": [list(process) for process in status.ended],
        "log_lines": [[outcome, count] for outcome, count in status.log_lines.items()],
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _policy(status: PolicyStatus) -> dict[str, object]:
    return {
        "policy": status.policy,
        "matches": status.matches,
        "breaker_open": status.breaker_open,
        "actions": [[action, outcome, count] for (action, outcome), count in status.actions.items()],
        "refusals": [[reason, count] for reason, count in status.refusals.items()],
        "leases": [[means, count] for means, count in status.leases.items()],
        "lease_end_timestamp": status.lease_end_timestamp,
        "memory_high_events": status.memory_high_events,
        "culprits": [[action, kind, count] for (action, kind), count in status.culprits.items()],
        "reclaimed": [[source, count] for source, count in status.reclaimed.items()],
    }


def write(folder: Path, status: RemediatorStatus) -> None:
    """Replace the file. Raises OSError."""
    replace_file(folder / REMEDIATOR_STATUS, render(status))
