"""The audit: a chain that shows every change, and a record that is on disk or an error."""

import json
import os
import resource
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.processes.run_text import run_text
from tmux_exporter.remediator.record import audit as audit_module
from tmux_exporter.remediator.record.audit import Audit, AuditError, faults, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audit(path: Path) -> Iterator[Audit]:
    made = opened(path)
    yield made
    made.close()


def opened(path: Path) -> Audit:
    return Audit(path, uid=os.getuid(), clock=ManualClock())


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def wrong(path: Path) -> list[str]:
    with path.open("rb") as stream:
        return list(faults(read(stream)))


def test_records_are_numbered_and_chained(audit: Audit, path: Path) -> None:
    assert [audit.record("start"), audit.record("intent", shell=[5, 6]), audit.record("outcome", of=2)] == [
        1,
        2,
        3,
    ]
    first, second, third = records(path)
    assert first == {"seq": 1, "prev": "", "at": 1_700_000_000.0, "kind": "start"}
    assert (second["kind"], second["shell"], third["of"]) == ("intent", [5, 6], 2)
    assert wrong(path) == []
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("old", "new"), [(b'"shell":[5', b'"shell":[7'), (b'"seq":2', b'"seq":3'), (b"\n", b" \n")]
)
def test_a_changed_record_shows(audit: Audit, path: Path, old: bytes, new: bytes) -> None:
    audit.record("start")
    audit.record("intent", shell=[5, 6])
    audit.record("outcome", of=2)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    assert wrong(path)


@pytest.mark.parametrize("place", [0, 1])
def test_a_removed_record_shows(audit: Audit, path: Path, place: int) -> None:
    for _ in range(3):
        audit.record("start")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for number, line in enumerate(lines) if number != place))
    # A file may begin anywhere: the ones before it were rotated away.
    assert bool(wrong(path)) is (place > 0)


def test_another_run_goes_on_with_the_chain(path: Path) -> None:
    for _ in range(2):
        audit = opened(path)
        audit.record("start")
        audit.close()
    assert [each["seq"] for each in records(path)] == [1, 2]
    assert wrong(path) == []


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_tail_is_marked(path: Path, cut: int) -> None:
    audit = opened(path)
    audit.record("start")
    audit.record("start")
    audit.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert wrong(path) == ["line 2: torn"]
    audit = opened(path)
    audit.record("start")
    audit.close()
    assert wrong(path) == []
    whole = read(path.read_bytes().splitlines(keepends=True))
    kinds = [line.record["kind"] if line.record else None for line in whole]
    # Where only the newline is missing, nothing is lost.
    assert kinds == (["start", "start", "start"] if cut == 1 else ["start", None, "torn", "start"])


def test_a_torn_line_that_is_not_marked_shows(audit: Audit, path: Path) -> None:
    audit.record("start")
    path.write_bytes(path.read_bytes() + b'{"seq": 2, "prev\n')
    assert wrong(path) == ["line 2: torn"]
    audit.record("start")
    assert wrong(path) == [
        "line 2: torn, and the next record does not say so",
        "line 3: it does not continue line 2",
    ]


def test_an_act_whose_outcome_was_never_told_is_marked_once(path: Path) -> None:
    audit = opened(path)
    audit.record("intent")
    audit.record("outcome", of=1)
    audit.record("intent")
    audit.close()
    for _ in range(2):
        audit = opened(path)
        audit.record("start")
        audit.close()
    assert [(each["kind"], each.get("of")) for each in records(path)] == [
        ("intent", None),
        ("outcome", 1),
        ("intent", None),
        ("interrupted", 3),
        ("start", None),
        ("start", None),
    ]
    assert wrong(path) == []


def test_a_file_that_was_taken_away_is_begun_anew_and_the_count_goes_on(audit: Audit, path: Path) -> None:
    audit.record("start")
    path.rename(path.with_suffix(".1"))
    assert audit.check()
    assert audit.record("intent") == 2
    path.unlink()
    assert audit.record("outcome", of=2) == 3
    assert [each["seq"] for each in records(path)] == [3]
    assert wrong(path) == []


def test_an_audit_that_cannot_be_opened_fails_and_recovers(path: Path) -> None:
    path.mkdir()
    audit = opened(path)
    assert not audit.check()
    with pytest.raises(AuditError):
        audit.record("intent")
    path.rmdir()
    assert audit.check()
    assert [each["kind"] for each in records(path)] == ["resumed"]
    audit.close()


def test_a_folder_in_place_of_the_file_is_noticed_while_running(audit: Audit, path: Path) -> None:
    audit.record("start")
    assert audit.check()
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    assert not audit.check()
    with pytest.raises(AuditError):
        audit.record("intent")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError):
        opened(path).record("start")
    assert not (tmp_path / "elsewhere").exists()


def test_the_file_of_another_user_is_not_written(path: Path) -> None:
    path.touch()
    stranger = Audit(path, uid=os.getuid() + 1, clock=ManualClock())
    assert not stranger.check()
    with pytest.raises(AuditError):
        stranger.record("start")
    assert path.read_bytes() == b""


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    audit = opened(path)
    audit.record("start")
    assert os.stat(path).st_mode & 0o777 == 0o600
    audit.close()


def test_without_space_in_reserve_nothing_is_begun(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audit.check()
    space = os.statvfs("/")
    monkeypatch.setattr(audit_module, "RESERVE_BYTES", space.f_blocks * space.f_frsize * 1024)
    assert not audit.check()


FULL = """
    import os, resource, sys
    from pathlib import Path
    from tmux_exporter.base.clock import SystemClock
    from tmux_exporter.remediator.record.audit import Audit, AuditError

    path, space, truncates = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "yes"
    audit = Audit(path, uid=os.getuid(), clock=SystemClock())
    audit.record("start")
    before = path.read_bytes()
    # A limit on the size of files is a full disk to the one who writes: it takes what fits, then refuses.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + space, resource.RLIM_INFINITY))
    truncate = os.ftruncate
    if not truncates:
        def refuse(*_):
            raise OSError("the disk is broken")
        os.ftruncate = refuse
    try:
        audit.record("intent")
    except AuditError:
        print("refused")
    assert truncates is (path.read_bytes() == before), "half a record was left behind"
    os.ftruncate = truncate
    assert not audit.check()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert audit.check()
    audit.record("intent")
"""


@pytest.mark.parametrize(
    ("space", "truncates", "kinds"),
    [
        (0, "yes", ["start", "resumed", "intent"]),
        (20, "yes", ["start", "resumed", "intent"]),
        (20, "no", ["start", None, "torn", "resumed", "intent"]),
    ],
)
def test_a_full_disk_is_an_error_and_never_half_a_record_in_the_chain(
    path: Path, space: int, truncates: str, kinds: list[str | None]
) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = run_text(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path), str(space), truncates], timeout=30
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
    whole = read(path.read_bytes().splitlines(keepends=True))
    assert [line.record["kind"] if line.record else None for line in whole] == kinds
    assert wrong(path) == []
