"""The units that are shipped, as systemd itself reads them, and what the exporter tells it."""

import json
import os
import re
import shlex
import socket
import sys
from pathlib import Path

import pytest

from tests.support.fixtures import StartTmux
from tests.support.processes.run_text import run_text
from tests.support.programs.exporter import Exporter
from tests.support.programs.units import EXPORTER, UNITS, is_of_user, service_of, verified
from tests.support.wait import wait_for

BIN = Path(sys.executable).parent
SERVICES = sorted(UNITS.glob("*.service"))
EXPOSURE = {
    "tmux-exporter.service": 6.2,
    "tmux-exporter@.service": 2.0,
    "tmux-remediator.service": 5.9,
    "tmux-remediator@.service": 1.1,
}
BEYOND_LOOPBACK = 2.3


def placed(unit: Path, folder: Path, *, mistake: tuple[str, str] = ("", "")) -> Path:
    """A copy of a unit, whose program is where ours are."""
    text = unit.read_text().replace(*mistake)
    for usual in ("%h/.local/bin", "/usr/local/bin"):
        text = text.replace(usual, str(BIN))
    copied = folder / unit.name
    copied.write_text(text)
    return copied


def exposure(unit: Path) -> float:
    done = run_text(["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)])
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done
    return float(found[1])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_against_a_service(unit: Path, tmp_path: Path) -> None:
    def complaints(*mistake: str) -> list[str]:
        return verified(placed(unit, tmp_path, mistake=mistake or ("", "")), tmp_path)  # type: ignore[arg-type]

    assert complaints() == []
    assert "MemoryMx" in complaints("MemoryMax", "MemoryMx")[0]
    assert complaints("/tmux-", "/no-tmux-")


def test_systemd_has_nothing_to_say_against_the_socket(tmp_path: Path) -> None:
    placed(UNITS / "tmux-exporter.service", tmp_path)
    unit = UNITS / "tmux-exporter.socket"
    assert verified(placed(unit, tmp_path), tmp_path) == []
    assert verified(placed(unit, tmp_path, mistake=("ListenStream", "ListenStreem")), tmp_path)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_as_closed_as_the_pages_say(unit: Path, tmp_path: Path) -> None:
    assert exposure(unit) <= EXPOSURE[unit.name]
    open_one = placed(unit, tmp_path, mistake=("RestrictNamespaces=yes", "RestrictNamespaces=no"))
    assert exposure(open_one) > EXPOSURE[unit.name]


def test_the_exporter_beyond_loopback_is_as_closed_as_the_page_says(tmp_path: Path) -> None:
    beyond = placed(EXPORTER, tmp_path, mistake=("IPAddressDeny=any", "IPAddressDeny="))
    assert exposure(beyond) <= BEYOND_LOOPBACK


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_service_hides_processes_from_us(unit: Path) -> None:
    service = service_of(unit)
    blind = {"PrivateUsers", "ProtectProc", "ProcSubset", "PrivateTmp", "PrivatePIDs", "DynamicUser"}
    assert blind & service.keys() == set()
    # Each of these makes a user's own manager take a user namespace.
    needs_root = ("Private", "Protect", "ReadOnly", "Inaccessible", "Root", "Cap", "Ambient", "Temporary")
    assert not is_of_user(unit) or [key for key in service if key.startswith(needs_root)] == []


def test_a_unit_writes_its_target_for_prometheus(tmp_path: Path) -> None:
    (line,) = re.findall(r"^ExecStartPre=\+((?:.*\\\n)*.*)", EXPORTER.read_text(), re.MULTILINE)
    command = line.replace("\\\n", " ").replace("\\\\", "\\").replace("%%", "%")
    command = (
        command.replace("$$", "$").replace("%i", "alice").replace("/run/tmux-exporter", f"{tmp_path}/run")
    )
    done = run_text(shlex.split(command), env={**os.environ, "LISTEN": "127.0.0.1:10078"})
    assert done.returncode == 0, done
    (target,) = (tmp_path / "run").iterdir()
    assert (target.name, target.stat().st_mode & 0o777) == ("alice.json", 0o644)
    assert json.loads(target.read_text()) == [{"targets": ["127.0.0.1:10078"]}]


def test_the_exporter_tells_systemd_how_it_does(
    tmp_path: Path, socket_dir: Path, tmux_server: StartTmux
) -> None:
    tmux_server("fleet")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        exporter = Exporter(tmp_path, tmp_path, environ=environ)
        try:
            told = [manager.recv(4096).decode().splitlines()]
            while told[-1][0] != "WATCHDOG=1" or "panes" not in told[-1][1]:
                told.append(manager.recv(4096).decode().splitlines())
        finally:
            assert exporter.end() == 0
        assert ["READY=1"] in told
        assert re.fullmatch(r"STATUS=\d+ panes, \d+ agents; the last sample took \d+\.\d s", told[-1][1])
        wait_for(lambda: manager.recv(4096).startswith(b"STOPPING=1\n"), "it says that it ends")
