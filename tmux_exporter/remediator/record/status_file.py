"""The remediator's word to the exporter: one small file in the runtime folder, replaced as a whole."""

import json
import os
from pathlib import Path

from tmux_exporter.base.paths import REMEDIATOR_STATUS
from tmux_exporter.facts.remediation import FILE_VERSION, PolicyStatus, RemediatorStatus

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


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
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _policy(status: PolicyStatus) -> dict[str, object]:
    return {
        "policy": status.policy,
        "matches": status.matches,
        "breaker_open": status.breaker_open,
        "actions": [[action, outcome, count] for (action, outcome), count in status.actions.items()],
        "refusals": [[reason, count] for reason, count in status.refusals.items()],
    }


def write(folder: Path, status: RemediatorStatus) -> None:
    """Replace the file, mode 0600; whoever reads sees the old one or the new one. Raises OSError."""
    # One remediator holds the lock of this folder, so nobody else writes a file of this name.
    fresh = folder / f"{REMEDIATOR_STATUS}.new"
    descriptor = os.open(fresh, _FLAGS, 0o600)
    try:
        content = render(status)
        if os.write(descriptor, content) != len(content):
            raise OSError(f"{fresh}: written only in part")
    finally:
        os.close(descriptor)
    os.rename(fresh, folder / REMEDIATOR_STATUS)
