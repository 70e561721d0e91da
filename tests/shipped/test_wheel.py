"""The wheel as it is built from this tree: what it carries, and what it says that it needs."""

import ast
import sys
import sysconfig
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.fixtures import StartExporter
from tests.support.processes.run_text import run_text
from tests.support.programs.wheel import build_wheel
from tmux_exporter.base.shipped_files import shipped
from tmux_exporter.cli.export import export

MADE_AT_EXPORT = {"rules", "zabbix"}
"""Kinds of which nothing lies in the wheel: they are made from the thresholds, which do."""
NEVER_BY_THE_DAEMON = ("apprise", "libtmux", "psutil", "rich")


EXPORT = (sys.executable, "-m", "tmux_exporter", "export", "tuning", "--out")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build_wheel(folder)) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_it_carries_every_file_that_export_writes(wheel: Path) -> None:
    assert set(export.commands) >= {
        *("rules", "alertmanager", "boards", "units", "policies", "tuning", "runbooks")
    }
    folder = wheel / "tmux_exporter" / "shipped"
    assert {path.name for path in folder.iterdir()} == export.commands.keys() - MADE_AT_EXPORT
    for kind in export.commands.keys() - MADE_AT_EXPORT:
        files = {
            str(path.relative_to(folder / kind)): path.read_text()
            for path in (folder / kind).rglob("*")
            if path.is_file()
        }
        assert files == shipped(kind), "the checkout has the same"
        assert files
    assert (wheel / "tmux_exporter" / "alerting" / "base" / "thresholds.toml").is_file()


def test_it_carries_manual_pages_and_what_completes_in_shells(wheel: Path) -> None:
    (share,) = wheel.glob("*.data/data/share")
    found = {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()}
    assert found == {
        place.format(program)
        for program in ("tmux-exporter", "tmux-remediator")
        for place in (
            "man/man1/{}.1",
            "bash-completion/completions/{}",
            "zsh/site-functions/_{}",
            "fish/vendor_completions.d/{}.fish",
        )
    }


def test_what_is_installed_is_read_there_and_not_in_a_checkout(wheel: Path, tmp_path: Path) -> None:
    mark = wheel / "tmux_exporter" / "shipped" / "tuning" / "of-the-wheel.conf"
    mark.touch()
    try:
        run_text([*EXPORT, tmp_path / "out"], cwd=wheel, check=True)
    finally:
        mark.unlink()
    assert (tmp_path / "out" / mark.name).exists()


def test_an_installation_that_is_not_whole_says_so(wheel: Path, tmp_path: Path) -> None:
    folder = wheel / "tmux_exporter" / "shipped" / "tuning"
    folder.rename(tmp_path / "away")
    try:
        done = run_text([*EXPORT, tmp_path / "out"], cwd=wheel)
    finally:
        (tmp_path / "away").rename(folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1), done
    assert "install tmux-exporter again" in done.stderr


def test_it_needs_what_its_code_imports_and_nothing_else(wheel: Path) -> None:
    (information,) = wheel.glob("*.dist-info/METADATA")
    stated = Parser().parsestr(information.read_text()).get_all("Requires-Dist") or []
    needed = [Requirement(each) for each in stated]
    extras = {str(each.marker): each.name for each in needed if each.marker is not None}
    assert extras == {'extra == "notify"': "apprise", 'extra == "web"': "bcrypt"}, (
        "the other extras are empty names"
    )
    of_package = metadata.packages_distributions()
    imported = {
        of_package[name][0].lower().replace("_", "-")
        for path in wheel.glob("tmux_exporter/**/*.py")
        for name in _imports(path)
        if name not in sys.stdlib_module_names and name != "tmux_exporter"
    }
    assert imported == {each.name.lower() for each in needed}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_the_daemon_imports_nothing_that_only_others_need(start_exporter: StartExporter) -> None:
    exporter = start_exporter(program=(sys.executable, "-X", "importtime", "-m", "tmux_exporter"))
    exporter.metrics()
    exporter.get("/")
    lines = [line for line in exporter.log.read_text().splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "uvicorn" in imported, "what it imports is on record"
    assert imported.isdisjoint(NEVER_BY_THE_DAEMON)
    site = Path(sysconfig.get_path("purelib"))
    assert all((site / name).is_dir() for name in NEVER_BY_THE_DAEMON), "it could have"
