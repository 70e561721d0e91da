"""Read the status of the remediator of this user: a file in the runtime folder, and the lock that it holds.

Only the lock shows whether it runs; the file says what it did. Both are read as untrusted files.
"""

import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.base.paths import REMEDIATOR_LOCK, REMEDIATOR_STATUS
from tmux_exporter.facts.log import LogOutcome
from tmux_exporter.facts.remediation import (
    FILE_VERSION,
    Action,
    ActionOutcome,
    CulpritKind,
    LeaseMeans,
    Mode,
    PolicyStatus,
    Reclaimed,
    Refusal,
    RemediatorReport,
    RemediatorStatus,
)
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.common.untrusted_file import read_guarded

LARGEST_BYTES = 256 * 1024
STALE_CYCLES = 3.0
FRESH_SECONDS = 15.0
"""A last cycle older than both, this many intervals and this many seconds, is stale.

Seconds count too, because a cycle waits for tmux servers that hang.
"""

_POLICY = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class RemediatorFile:
    """Reads the file and tries the lock in `folder`, the runtime folder of `uid`."""

    def __init__(self, folder: Path, *, uid: int, clock: Clock) -> None:
        self._folder = folder
        self._uid = uid
        self._clock = clock

    def read(self) -> RemediatorReport | None:
        """Its last status; None without a file. Raises nothing for what it finds.

        `up` says that its lock is held and its last cycle is fresh. A file of another user, a link, a
        file that is too large, malformed or of another version is not trusted: no status, but a detail.
        """
        try:
            folder = os.open(self._folder, _OPEN | os.O_DIRECTORY)
        except FileNotFoundError:
            return None
        except OSError as error:
            return RemediatorReport(up=False, detail=f"{self._folder}: {error.strerror}")
        try:
            self._check(folder)
            content = read_guarded(REMEDIATOR_STATUS, uid=self._uid, limit=LARGEST_BYTES, folder=folder)
            status = parse_status(content)
            return RemediatorReport(up=self._is_fresh(status) and self._is_locked(folder), status=status)
        except FileNotFoundError:
            return None
        except OSError as error:
            return RemediatorReport(up=False, detail=f"{REMEDIATOR_STATUS}: {error.strerror}")
        except ValueError as error:
            return RemediatorReport(up=False, detail=f"{REMEDIATOR_STATUS}: {error}")
        finally:
            os.close(folder)

    def _check(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if found.st_uid != self._uid:
            raise ValueError(f"it, or its folder, belongs to uid {found.st_uid}")
        if found.st_mode & 0o022:
            raise ValueError("it, or its folder, can be written by others")

    def _is_fresh(self, status: RemediatorStatus) -> bool:
        # Monotonic time is the same for all processes, and no step of the wall clock makes it stale.
        age = self._clock.monotonic() - status.cycle_at
        return 0 <= age <= max(STALE_CYCLES * status.interval_seconds, FRESH_SECONDS)

    def _is_locked(self, folder: int) -> bool:
        with opened(REMEDIATOR_LOCK, _OPEN, folder) as descriptor:
            self._check(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def parse_status(content: bytes) -> RemediatorStatus:
    """Parse the file. Raises ValueError for a file that this version does not write."""
    document = strict_json.document(content, FILE_VERSION)
    try:
        return RemediatorStatus(
            process=strict_json.process(document["process"]),
            mode=Mode(document["mode"]),
            interval_seconds=strict_json.number(document["interval_seconds"]),
            cycle_timestamp=strict_json.number(document["cycle_timestamp"]),
            cycle_at=strict_json.number(document["cycle_at"]),
            blind=strict_json.flag(document["blind"]),
            audit_healthy=strict_json.flag(document["audit_healthy"]),
            reload_successful=strict_json.flag(document["reload_successful"]),
            policies=tuple(_policy(each) for each in strict_json.array(document["policies"])),
            ended=tuple(strict_json.process(each) for each in strict_json.array(document["ended"])),
            # An earlier remediator does not write them.
            log_lines={
                LogOutcome(outcome): strict_json.count(count)
                for outcome, count in strict_json.array(document.get("log_lines", []))
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a field is missing or of the wrong kind: {error}") from None


def _policy(value: Mapping[str, Any]) -> PolicyStatus:
    name = strict_json.text(value["policy"])
    if not _POLICY.fullmatch(name):
        raise ValueError("a policy's name is malformed")
    return PolicyStatus(
        policy=name,
        matches=strict_json.count(value["matches"]),
        breaker_open=strict_json.flag(value["breaker_open"]),
        actions={
            (Action(action), ActionOutcome(outcome)): strict_json.count(count)
            for action, outcome, count in strict_json.array(value["actions"])
        },
        refusals={
            Refusal(reason): strict_json.count(count)
            for reason, count in strict_json.array(value["refusals"])
        },
        # An earlier remediator does not write what follows.
        leases={
            LeaseMeans(means): strict_json.count(count)
            for means, count in strict_json.array(value.get("leases", []))
        },
        lease_end_timestamp=None
        if (end := value.get("lease_end_timestamp")) is None
        else strict_json.number(end),
        memory_high_events=strict_json.count(value.get("memory_high_events", 0)),
        culprits={
            (Action(action), CulpritKind(kind)): strict_json.count(count)
            for action, kind, count in strict_json.array(value.get("culprits", []))
        },
        reclaimed={
            Reclaimed(source): strict_json.count(count)
            for source, count in strict_json.array(value.get("reclaimed", []))
        },
    )
