"""The units that are shipped, as systemd itself reads them."""

import sys
from pathlib import Path

import pytest

from tests.support.programs.units import EXPORTER, REMEDIATOR, service_of, verified

BIN = Path(sys.executable).parent


def complaints(unit: Path, folder: Path, *, mistake: tuple[str, str] = ("", "")) -> list[str]:
    """What systemd has to say of a unit, whose program is where ours are."""
    text = unit.read_text().replace(*mistake)
    for usual in ("%h/.local/bin", "/usr/local/bin"):
        text = text.replace(usual, str(BIN))
    copied = folder / unit.name
    copied.write_text(text)
    return verified(copied, folder)


@pytest.mark.parametrize("unit", [EXPORTER, REMEDIATOR], ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_against_a_unit(unit: Path, tmp_path: Path) -> None:
    assert complaints(unit, tmp_path) == []
    assert "MemoryMx" in complaints(unit, tmp_path, mistake=("MemoryMax", "MemoryMx"))[0]
    assert complaints(unit, tmp_path, mistake=("/tmux-", "/no-tmux-"))


def test_the_exporters_unit_hides_nothing_from_it() -> None:
    service = service_of(EXPORTER)
    hides = ("Private", "Protect", "Restrict", "Inaccessible", "ReadOnly", "System", "Cap", "Dynamic", "Root")
    assert [key for key in service if key.startswith(hides)] == []
    assert service["ExecStart"].split()[1:] == ["serve"]
