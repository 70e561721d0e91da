"""The recorded machine `tests/fixtures/proc/zoo`, whole, or as a copy that a test may damage."""

import json
import shutil
from pathlib import Path

from tests.support.clock import ManualClock
from tmux_exporter.facts.process import Process, ProcessTable, Unreadable
from tmux_exporter.sources.processes.full_reader import ProcReader

ZOO = Path(__file__).parents[2] / "fixtures" / "proc" / "zoo"
ROLES: dict[str, int] = json.loads((ZOO / "roles.json").read_text())
OWNER = ZOO.stat().st_uid
CLEAN = {Unreadable.PERMISSION: 0, Unreadable.MALFORMED: 0, Unreadable.OTHER: 0}


def reader(root: Path = ZOO, *, uid: int = OWNER) -> ProcReader:
    return ProcReader(str(root), uid=uid, clock=ManualClock(monotonic=42.0))


def role(table: ProcessTable, name: str) -> Process:
    """The process that plays the role."""
    return table.processes[ROLES[name]]


class Machine:
    """A copy of the recorded machine."""

    def __init__(self, folder: Path) -> None:
        self.root = Path(shutil.copytree(ZOO, folder / "proc", symlinks=True))

    def folder(self, role: str) -> Path:
        return self.root / str(ROLES[role])

    def edit(self, role: str, name: str, old: bytes, new: bytes) -> None:
        """Replace bytes, which must be there, in one file of one role."""
        path = self.folder(role) / name
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))

    def read(self) -> ProcessTable:
        """One reading by a reader that knows nothing yet."""
        return reader(self.root).read()
