"""Leases on record: what is throttled, by what means and until when; a file in the state folder.

Written before a throttle begins, so that the next remediator finds what this one has not ended.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tmux_exporter.base import strict_json
from tmux_exporter.base.paths import REMEDIATOR_LEASES
from tmux_exporter.facts.process import Cgroup, ProcessId
from tmux_exporter.facts.remediation import LeaseMeans
from tmux_exporter.remediator.record.plan_file import write
from tmux_exporter.sources.common.untrusted_file import read_guarded

VERSION = 1
LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One lease: `target` is the process that it is for, `processes` are all that were held.

    `until` is monotonic, of this boot. `unit` and `path` are of the scope, empty for a pause; `keeper` is the
    process that ends a pause.
    """

    policy: str
    means: LeaseMeans
    target: ProcessId
    processes: tuple[ProcessId, ...]
    until: float
    unit: str = ""
    path: Cgroup = ()
    keeper: ProcessId | None = None


class LeaseFile:
    """The file in `folder`, the private state folder of `uid`."""

    def __init__(self, folder: Path, *, uid: int, boot: str) -> None:
        self._path = folder / REMEDIATOR_LEASES
        self._uid = uid
        self._boot = boot

    def read(self) -> tuple[Lease, ...]:
        """The leases of this boot; none of a file that is missing or damaged, or of another boot."""
        try:
            content = read_guarded(str(self._path), uid=self._uid, limit=LARGEST_BYTES)
            document = strict_json.document(content, VERSION)
            if document["boot"] != self._boot:
                return ()
            return tuple(map(_lease, map(strict_json.record, strict_json.array(document["leases"]))))
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def write(self, leases: Iterable[Lease]) -> None:
        """Replace the file; it is on disk then. Raises OSError."""
        document = {"version": VERSION, "boot": self._boot, "leases": [asdict(each) for each in leases]}
        write(self._path, json.dumps(document, allow_nan=False).encode("ascii") + b"\n", durable=True)


def _lease(value: dict[str, object]) -> Lease:
    keeper = value["keeper"]
    return Lease(
        policy=strict_json.text(value["policy"]),
        means=LeaseMeans(strict_json.text(value["means"])),
        target=strict_json.process(value["target"]),
        processes=tuple(map(strict_json.process, strict_json.array(value["processes"]))),
        until=strict_json.number(value["until"]),
        unit=strict_json.text(value["unit"]),
        path=tuple(map(strict_json.text, strict_json.array(value["path"]))),
        keeper=None if keeper is None else strict_json.process(keeper),
    )
