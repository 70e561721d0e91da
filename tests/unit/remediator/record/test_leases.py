"""Leases on record: read back as they were written, of this boot and this user alone."""

import os
from pathlib import Path

import pytest

from tmux_exporter.base.paths import REMEDIATOR_LEASES
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import LeaseMeans
from tmux_exporter.remediator.record.leases import Lease, LeaseFile

PAUSE = Lease(
    policy="big", means=LeaseMeans.PAUSE, target=ProcessId(7, 70),
    processes=(ProcessId(7, 70), ProcessId(8, 80)), until=900.0, keeper=ProcessId(9, 90),
)  # fmt: skip
SCOPE = Lease(
    policy="big", means=LeaseMeans.SCOPE, target=ProcessId(5, 50), processes=(ProcessId(5, 50),),
    until=300.5, unit="x.scope", path=("user.slice", "x.scope"),
)  # fmt: skip


def file(folder: Path, boot: str = "this") -> LeaseFile:
    return LeaseFile(folder, uid=os.getuid(), boot=boot)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert file(tmp_path).read() == ()
    file(tmp_path).write((PAUSE, SCOPE))
    assert file(tmp_path).read() == (PAUSE, SCOPE)
    assert (tmp_path / REMEDIATOR_LEASES).stat().st_mode & 0o777 == 0o600


def test_of_another_boot_nothing_holds(tmp_path: Path) -> None:
    file(tmp_path).write((PAUSE,))
    assert file(tmp_path, boot="another").read() == ()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"version": 2}', b'{"version": 1, "boot": "this", "leases": [{}]}']
)
def test_a_damaged_file_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / REMEDIATOR_LEASES
    path.write_bytes(content)
    path.chmod(0o600)
    assert file(tmp_path).read() == ()
