"""Programs that report their operations to a real exporter, as Prometheus sees it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tmux_exporter.facts.operations import OperationLoss
from tmux_exporter.wire.operation_line import CLASSES, FAILURES


@pytest.fixture
def home(socket_dir: Path) -> Path:
    """Short, for a socket is made in it."""
    folder = socket_dir.parent / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def exporter(home: Path) -> Iterator[Exporter]:
    made = Exporter(home, home)
    yield made
    made.end()


def series(page: str, name: str) -> dict[str, float]:
    """The series of one family by their label text."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", page, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def environ(home: Path) -> Mapping[str, str]:
    """Where a program finds the exporter of this home."""
    return {**os.environ, "XDG_RUNTIME_DIR": str(home)}


def test_every_class_is_there_from_zero(exporter: Exporter) -> None:
    page = exporter.metrics()
    counts = series(page, "tmux_operation_duration_seconds_count")
    assert counts == {f'operation="{name}"': 0 for name in CLASSES}
    errors = series(page, "tmux_operation_errors_total")
    assert errors == {f'operation="{name}",reason="{reason}"': 0 for name in CLASSES for reason in FAILURES}
    assert set(series(page, "tmux_operations_in_flight").values()) == {0}
    lost = series(page, "tmux_exporter_operations_lost_total")
    assert lost == {f'reason="{reason}"': 0 for reason in OperationLoss}
    bounds = re.findall(r'duration_seconds_bucket{le="(.+?)",operation="recovery"}', page)
    assert {"2.0", "5.0", "10.0"} <= set(bounds)
    assert (bounds[0], bounds[-2:]) == ("0.001", ["120.0", "+Inf"])


def test_a_program_that_dies_in_an_operation_is_told(exporter: Exporter, home: Path) -> None:
    program = "from tmux_exporter.instrument import operation\nwith operation('recovery'): input()\n"

    def in_flight() -> float:
        return series(exporter.metrics(), "tmux_operations_in_flight")['operation="recovery"']

    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environ(home)) as child:
        wait_for(lambda: in_flight() == 1, "it is under way", timeout=60)
        child.send_signal(signal.SIGKILL)
    wait_for(lambda: in_flight() == 0, "it is no longer under way", timeout=60)
    assert series(exporter.metrics(), "tmux_exporter_operations_lost_total")['reason="unfinished"'] == 1


def test_an_exporter_that_gets_no_reports_says_so(exporter: Exporter, home: Path) -> None:
    other = home / "second"
    other.mkdir()
    # A link is no folder to trust; another exporter that holds the socket has the same effect.
    (other / "tmux-exporter").symlink_to(home / "tmux-exporter")
    second = Exporter(other, other)
    try:
        page = second.metrics()
        assert series(page, "tmux_operation_duration_seconds_count") == {}
        assert series(page, "tmux_exporter_collector_success")['collector="operations"'] == 0
    finally:
        second.end()
    assert series(exporter.metrics(), "tmux_exporter_collector_success")['collector="operations"'] == 1


def test_nothing_but_names_and_figures_is_told_or_kept(
    start_exporter: StartExporter, tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("fleet")
    config = socket_dir.parent / "config.yml"
    config.write_text("operations:\n  watch_commands: true\n")
    exporter = start_exporter("--config", str(config))
    told = {**environ(socket_dir.parent / "serve0"), "PASSWORD": "planted-environment"}
    tmux = ["tmux", "-S", str(socket_dir / "fleet"), "send-keys", "-t", "main"]
    op = [sys.executable, "-m", "tmux_exporter", "op", "agent_command", "--"]
    subprocess.run([*op, *tmux, "planted-argument"], env=told, check=True, timeout=60)
    program = (
        "from tmux_exporter.instrument import operation\n"
        "try:\n"
        "    with operation('recovery'): raise ValueError('planted-message')\n"
        "except ValueError: pass\n"
    )
    subprocess.run([sys.executable, "-c", program, "planted-word"], env=told, check=True, timeout=60)

    def counts() -> tuple[float, ...]:
        found = series(exporter.metrics(), "tmux_operation_duration_seconds_count")
        return tuple(found[f'operation="{name}"'] for name in ("agent_command", "recovery"))

    wait_for(lambda: counts() == (1, 1), "both are told", timeout=60)
    pages = [exporter.get(path) for path in ("/metrics", "/", "/api/v1/report")]
    files = [each.read_bytes() for each in socket_dir.parent.rglob("*") if each.is_file()]
    kept = "".join(pages).encode() + exporter.log.read_bytes() + b"".join(files)
    assert b"agent_command" in kept
    assert b"planted" not in kept
