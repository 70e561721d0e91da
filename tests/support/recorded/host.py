"""The recorded machine `tests/fixtures/host/vm` as a copy that a test may change, and a reader of it."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.support.clock import ManualClock
from tests.support.literals.facts import UID, process, table
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.sources.host.host import HostReader

VM = Path(__file__).parents[2] / "fixtures" / "host" / "vm"
TABLE = table(process(1), process(7))


class RecordedHost:
    """A copy of the machine; one reader reads it each time."""

    def __init__(self, folder: Path, places: Iterable[str] = ()) -> None:
        shutil.copytree(VM, folder, dirs_exist_ok=True)
        self.clock = ManualClock()
        self._folder = folder
        self._reader = HostReader(
            uid=UID,
            clock=self.clock,
            proc_root=str(folder / "proc"),
            sys_root=str(folder / "sys"),
            places=places,
        )

    def path(self, name: str) -> Path:
        """A file below `proc/` or `sys/`."""
        return self._folder / name

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or change what is in it."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(content)

    def edit(self, name: str, old: bytes, new: bytes) -> None:
        """Replace bytes, which must be there."""
        content = self.path(name).read_bytes()
        assert old in content
        self.write(name, content.replace(old, new))

    def read(self) -> HostFacts:
        return self._reader.read(TABLE)
