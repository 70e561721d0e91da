"""The file between remediator and exporter: what one writes the other reads, and nothing else is believed."""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.report import OBSERVER
from tmux_exporter.base.paths import REMEDIATOR_LOCK, REMEDIATOR_STATUS
from tmux_exporter.facts.remediation import FILE_VERSION, Mode, RemediatorReport, least
from tmux_exporter.remediator.record.status_file import render, write
from tmux_exporter.sources.own.remediator_status import LARGEST_BYTES, RemediatorFile, parse_status


def document(**changes: Any) -> bytes:
    return json.dumps({**json.loads(render(OBSERVER)), **changes}).encode()


POLICY: dict[str, Any] = json.loads(render(OBSERVER))["policies"][0]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"[" * 100_000, document(version=FILE_VERSION - 1), document(version=FILE_VERSION + 1),
        document(version=str(FILE_VERSION)), document(mode="enforced"), document(process=[1]),
        document(process=[1, -1]), document(process=[True, 1]), document(process="ab"), document(blind=0),
        document(reload_successful=1), document(cycle_at=None), document(cycle_at=10**400),
        document(interval_seconds="5"), document(policies=[{**POLICY, "policy": 'a"} 1\n'}]),
        document(policies=[{**POLICY, "matches": -1}]),
        document(policies=[{**POLICY, "actions": [["stop", "perhaps", 1]]}]),
        document(policies=[{**POLICY, "actions": [["stop", "done"]]}]),
        document(policies=[{**POLICY, "refusals": [["why", 1]]}]), document(policies={}),
        document(policies=[{**POLICY, "leases": [["rope", 1]]}]),
        document(policies=[{**POLICY, "memory_high_events": -1}]),
        document(policies=[{**POLICY, "lease_end_timestamp": "soon"}]),
        document(policies=[{**POLICY, "culprits": [["stop", "nobody", 1]]}]),
        document(policies=[{**POLICY, "reclaimed": [["disk", 1]]}]),
        document(ended=None), document().replace(b"997.5", b"NaN"), document().replace(b"997.5", b"Infinity"),
        document().replace(b'"blind"', b'"blond"'),
    ],
)  # fmt: skip
def test_what_is_malformed_is_not_believed(content: bytes) -> None:
    assert parse_status(document()) == OBSERVER
    with pytest.raises(ValueError, match=r".+"):
        parse_status(content)


def test_a_file_of_an_earlier_remediator_is_read_too() -> None:
    later = {"leases", "memory_high_events", "lease_end_timestamp", "culprits", "reclaimed"}
    earlier = {name: POLICY[name] for name in POLICY.keys() - later}
    (found,) = parse_status(document(policies=[earlier])).policies
    assert (found.leases, found.memory_high_events, found.lease_end_timestamp) == ({}, 0, None)
    assert (found.culprits, found.reclaimed) == ({}, {})


class Place:
    """A runtime folder with the file of OBSERVER, whose last cycle was 2.5 s ago, and a lock that is held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / REMEDIATOR_STATUS
        self.lock = folder / REMEDIATOR_LOCK
        self.clock = ManualClock(monotonic=OBSERVER.cycle_at + 2.5)
        write(folder, OBSERVER)
        self.holder = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.holder, fcntl.LOCK_EX)

    def read(self, uid: int | None = None) -> RemediatorReport | None:
        own = os.getuid() if uid is None else uid
        return RemediatorFile(self.folder, uid=own, clock=self.clock).read()

    def refused(self, uid: int | None = None) -> str:
        """Why the file is not believed."""
        found = self.read(uid)
        assert found and (found.up, found.status) == (False, None)
        return found.detail


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    made = Place(folder)
    yield made
    os.close(made.holder)


def test_a_fresh_file_under_a_held_lock_is_up(place: Place) -> None:
    assert place.read() == RemediatorReport(up=True, status=OBSERVER)
    assert place.read() == RemediatorReport(up=True, status=OBSERVER), "looking at the lock does not take it"
    assert os.stat(place.file).st_mode & 0o777 == 0o600


def test_no_folder_and_no_file_is_no_remediator(place: Place) -> None:
    place.file.unlink()
    assert place.read() is None
    place.folder.rename(place.folder.with_name("elsewhere"))
    assert place.read() is None


@pytest.mark.parametrize(
    ("interval", "age", "up"),
    [
        *((5.0, 0.0, True), (5.0, 15.0, True), (5.0, 15.01, False), (5.0, -0.1, False)),
        *((0.5, 15.0, True), (0.5, 15.01, False), (20.0, 60.0, True), (20.0, 60.01, False)),
    ],
)
def test_an_old_last_cycle_is_not_up(place: Place, interval: float, age: float, up: bool) -> None:
    status = replace(OBSERVER, interval_seconds=interval)
    write(place.folder, status)
    place.clock = ManualClock(monotonic=OBSERVER.cycle_at + age)
    assert place.read() == RemediatorReport(up=up, status=status)


def test_a_free_lock_is_not_up(place: Place) -> None:
    fcntl.flock(place.holder, fcntl.LOCK_UN)
    assert place.read() == RemediatorReport(up=False, status=OBSERVER)
    # And it stays free: the next remediator must not be kept out by whoever looks.
    fcntl.flock(place.holder, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_file_of_another_user_is_not_believed(place: Place) -> None:
    assert "belongs to uid" in place.refused(uid=os.getuid() + 1)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_others_can_write_is_not_believed(place: Place, which: str) -> None:
    os.chmod(place.folder if which == "folder" else place.file, 0o722)
    assert "can be written by others" in place.refused()


def test_a_link_is_not_followed(place: Place) -> None:
    place.file.symlink_to(place.file.rename(place.folder / "real.json"))
    assert place.refused()


def test_a_fifo_does_not_hold_anybody_up(place: Place) -> None:
    place.file.unlink()
    os.mkfifo(place.file, 0o600)
    assert "is no plain file" in place.refused()


def test_a_file_beyond_the_cap_is_not_read(place: Place) -> None:
    content = render(OBSERVER)
    place.file.write_bytes(content.rstrip() + b" " * (LARGEST_BYTES - len(content)) + b"\n")
    assert place.read() == RemediatorReport(up=True, status=OBSERVER)
    place.file.write_bytes(place.file.read_bytes() + b" ")
    assert "larger than" in place.refused()


def test_a_new_word_replaces_the_old_one_as_a_whole(place: Place) -> None:
    with place.file.open("rb") as old:
        write(place.folder, replace(OBSERVER, blind=True))
        assert parse_status(old.read()) == OBSERVER, "whoever had opened it reads it to its end"
    found = place.read()
    assert found is not None and found.status is not None and found.status.blind
    assert sorted(path.name for path in place.folder.iterdir()) == [REMEDIATOR_STATUS, REMEDIATOR_LOCK]


def test_the_mode_in_force_is_the_least_of_all() -> None:
    assert least(Mode.ENFORCE, Mode.ENFORCE) is Mode.ENFORCE
    assert least(Mode.ENFORCE, Mode.RECOMMEND, Mode.ENFORCE) is Mode.RECOMMEND
    assert least(Mode.OBSERVE, Mode.ENFORCE) is Mode.OBSERVE
