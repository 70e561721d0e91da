"""The audit log: JSON lines with a number and the hash of the line before, durable before each act.

A record that cannot be made durable raises AuditError, and then nothing may be signalled. No environment, no
command line and no message is ever written; a command line is identified by its hash.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock

RESERVE_BYTES = 1 << 20
"""With less free space no act begins: its outcome might not fit."""

_BEGIN = (
    "intent",
    "message",
    "snapshot",
    "throttle",
    "raise_fd_limit",
    "save",
    "clear_history",
    "set_option",
    "close_dead_pane",
)
"""Kinds of records that an outcome follows."""

_TAIL_BYTES = 64 * 1024
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class AuditError(Exception):
    """A record is not on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file as it stands; `record` is None where it is no record."""

    number: int
    raw: bytes
    record: Mapping[str, Any] | None


def digest(line: bytes) -> str:
    """What the next record says of a line."""
    return hashlib.sha256(line).hexdigest()


def parse_line(raw: bytes) -> Mapping[str, Any] | None:
    """The record in a line, None for what is none."""
    try:
        record = strict_json.record(strict_json.parse(raw))
    except (ValueError, TypeError):
        return None
    return record if isinstance(record.get("seq"), int) and "kind" in record else None


def read(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a file; the end of each may be missing only where it was torn."""
    for number, raw in enumerate(lines, start=1):
        line = raw.removesuffix(b"\n")
        yield Line(number=number, raw=line, record=parse_line(line) if raw.endswith(b"\n") else None)


def faults(lines: Iterable[Line]) -> Iterator[str]:
    """Faults of the chain; a torn line that the next record marks is none."""
    before: Line | None = None
    last: int | None = None
    for line in lines:
        record = line.record
        marked = record is not None and record["kind"] == "torn"
        if before is not None:
            if before.record is None and not marked:
                yield f"line {before.number}: torn, and the next record does not say so"
            if record is not None and record.get("prev") != digest(before.raw):
                yield f"line {line.number}: it does not continue line {before.number}"
        if record is not None:
            if last is not None and record["seq"] != last + 1:
                yield f"line {line.number}: record {record['seq']} follows record {last}"
            last = record["seq"]
        before = line
    if before is not None and before.record is None:
        yield f"line {before.number}: torn"


class Audit:
    """The file at `path`, kept open; to be used by the one remediator that holds the lock."""

    def __init__(self, path: Path, *, uid: int, clock: Clock) -> None:
        self._path = path
        self._uid = uid
        self._clock = clock
        self._descriptor: int | None = None
        self._last = (0, "")
        self._failed = False

    def check(self) -> bool:
        """Whether a record could be written now, as far as that shows without writing one.

        Opens the file where it is not open, or is another one by now. After a failure a record of its own
        has to succeed first.
        """
        try:
            self._reopen()
            space = os.fstatvfs(self._opened())
            if space.f_flag & os.ST_RDONLY or space.f_bavail * space.f_frsize < RESERVE_BYTES:
                return False
            if self._failed:
                self.record("resumed")
        except (AuditError, OSError):
            return False
        return True

    def record(self, kind: str, **fields: object) -> int:
        """Append a record and wait until it is on disk; its number. Raises AuditError."""
        try:
            self._reopen()
            self._append_record(kind, **fields)
        except OSError as error:
            self._failed = True
            # The next record checks the end of the file first.
            self.close()
            raise AuditError(f"{self._path}: {error.strerror or error}") from error
        self._failed = False
        return self._last[0]

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            raise OSError(f"{self._path}: not open")
        return self._descriptor

    def _append(self, line: bytes) -> None:
        descriptor = self._opened()
        length = os.fstat(descriptor).st_size
        content = line + b"\n"
        try:
            # A full disk takes what still fits and only then refuses.
            if os.write(descriptor, content) != len(content):
                raise OSError("no space for the whole record")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, length)
            raise
        self._last = (self._last[0] + 1, digest(line))

    def _reopen(self) -> None:
        """Open the file if it is not open; continue in a new one if the old one was removed or replaced."""
        if self._descriptor is not None:
            mine = os.fstat(self._descriptor)
            try:
                there = os.lstat(self._path)
                if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                    return
            except FileNotFoundError:
                pass
            self.close()
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != self._uid:
                raise OSError(f"{self._path}: not a plain file of uid {self._uid}")
            if stat.S_IMODE(found.st_mode) & 0o077:
                os.fchmod(descriptor, 0o600)
            self._descriptor = descriptor
            self._recover(descriptor, found.st_size)
            _sync_folder(self._path.parent)
        except OSError:
            os.close(descriptor)
            self._descriptor = None
            raise

    def _recover(self, descriptor: int, length: int) -> None:
        """Continue after the last record; mark a torn line and acts without an outcome."""
        if length == 0:
            return
        *whole, torn = os.pread(descriptor, _TAIL_BYTES, max(0, length - _TAIL_BYTES)).split(b"\n")
        if torn:
            os.write(descriptor, b"\n")
        if parse_line(torn) is not None:
            # Only its newline was missing.
            whole, torn = [*whole, torn], b""
        records = [record for record in map(parse_line, whole) if record is not None]
        number = records[-1]["seq"] if records else self._last[0]
        self._last = (number, digest(torn or whole[-1]))
        if torn:
            self._append_record("torn", bytes=len(torn))
        told = {record.get("of") for record in records}
        for record in records:
            if record["kind"] in _BEGIN and record["seq"] not in told:
                self._append_record("interrupted", of=record["seq"])

    def _append_record(self, kind: str, **fields: object) -> None:
        record = {
            "seq": self._last[0] + 1,
            "prev": self._last[1],
            "at": self._clock.time(),
            "kind": kind,
            **fields,
        }
        self._append(json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
