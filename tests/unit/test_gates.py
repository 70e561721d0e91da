"""The gates of the house, each seen red: a violation planted in a copy of the package must be named.

A gate that was never red is an assumption. Each row below plants one violation and says which rule must
refuse it; the copy without a planting must pass.
"""

import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
CONTRACTS = {contract["id"]: contract["name"] for contract in SETTINGS["importlinter"]["contracts"]}
BANNED = SETTINGS["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its settings in a folder of their own."""
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "tmux_exporter", tmp_path / "tmux_exporter", ignore=ignored)
    return tmp_path


def run(copy: Path, tool: str, *arguments: str) -> tuple[int, str]:
    """A tool's exit status and everything it wrote, run in the copy."""
    done = subprocess.run(
        [TOOLS / tool, *arguments], cwd=copy, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def plant(copy: Path, file: str, source: str) -> None:
    """Add a line at the end of a file of the package, or a new file with it."""
    path = copy / "tmux_exporter" / file
    path.write_text((path.read_text() if path.exists() else '"""Planted."""\n') + source + "\n")


# By contract: a file of the package, what is planted there, what lint-imports must name.
PLANTED_IMPORTS = {
    "floors": [
        ("clock.py", "import tmux_exporter.config", "clock -> tmux_exporter.config"),
        ("model.py", "import tmux_exporter.sources", "model -> tmux_exporter.sources"),
        (
            "analysis/up.py",
            "import tmux_exporter.sources.tmux_client",
            "analysis.up -> tmux_exporter.sources.tmux_client",
        ),
        (
            "sources/up.py",
            "import tmux_exporter.analysis.labels",
            "sources.up -> tmux_exporter.analysis.labels",
        ),
        (
            "metrics/up.py",
            "def late():\n    import tmux_exporter.publisher",
            "metrics.up -> tmux_exporter.publisher",
        ),
        (
            "alerting/up.py",
            "import tmux_exporter.metrics.family",
            "alerting.up -> tmux_exporter.metrics.family",
        ),
        ("web/up.py", "import tmux_exporter.metrics.family", "web.up -> tmux_exporter.metrics.family"),
    ],
    "tellers": [
        (
            "metrics/up.py",
            "import tmux_exporter.sources.procfs",
            "metrics.up -> tmux_exporter.sources.procfs",
        ),
        ("web/up.py", "import tmux_exporter.analysis.explain", "web.up -> tmux_exporter.analysis.explain"),
        ("web/run.py", "import subprocess", "web.run -> subprocess"),
    ],
    "pure": [
        ("analysis/look.py", "import os", "analysis.look -> os"),
        ("analysis/ask.py", "from time import time", "analysis.ask -> time"),
        ("analysis/clock.py", "import tmux_exporter.clock", "analysis.clock -> tmux_exporter.clock"),
        ("alerting/look.py", "import os", "alerting.look -> os"),
        ("report.py", "import pathlib", "report -> pathlib"),
        ("remediation.py", "import json.decoder, os", "remediation -> os"),
        ("remediator/policy.py", "import time", "remediator.policy -> time"),
        (
            "remediator/vetoes.py",
            "import tmux_exporter.sources.procfs",
            "remediator.vetoes -> tmux_exporter.sources.procfs",
        ),
        ("alerting/look.py", "import os", "alerting.look -> os"),
    ],
    "yaml": [
        ("sources/read.py", "import yaml", "sources.read -> yaml"),
        ("config/file.py", "import yaml.nodes", "config.file -> yaml"),
    ],
    "psutil": [
        ("sources/look.py", "import psutil", "sources.look -> psutil"),
        ("sampler.py", "def late():\n    import psutil", "sampler -> psutil"),
    ],
    "start": [
        ("sources/ask.py", "import libtmux", "sources.ask -> libtmux"),
        ("web/login.py", "import bcrypt", "web.login -> bcrypt"),
        ("log.py", "import rich.console", "log -> rich"),
    ],
    "programs": [
        ("sources/run.py", "import subprocess", "sources.run -> subprocess"),
        ("publisher.py", "import multiprocessing", "publisher -> multiprocessing"),
    ],
    "power": [
        (
            "remediator/policy.py",
            "import tmux_exporter.remediator.act",
            "remediator.policy -> tmux_exporter.remediator.act",
        ),
        (
            "remediator/service.py",
            "def late():\n    from tmux_exporter.remediator.act import end",
            "remediator.service -> tmux_exporter.remediator.act",
        ),
        ("service.py", "import tmux_exporter.remediator.act", "service -> tmux_exporter.remediator.act"),
        ("cli.py", "from tmux_exporter.remediator import act", "cli -> tmux_exporter.remediator.act"),
    ],
    "voice": [
        (
            "cli.py",
            "import tmux_exporter.remediator.pane_message",
            "cli -> tmux_exporter.remediator.pane_message",
        ),
        (
            "web/say.py",
            "from tmux_exporter.remediator import quiet",
            "web.say -> tmux_exporter.remediator.quiet",
        ),
    ],
    "command-line": [("publisher.py", "import click", "publisher -> click")],
}


def test_the_floors_hold(copy: Path) -> None:
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 0, output


def test_every_contract_has_a_planting() -> None:
    assert PLANTED_IMPORTS.keys() == CONTRACTS.keys()


@pytest.mark.parametrize("contract", PLANTED_IMPORTS)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str) -> None:
    for file, source, _ in PLANTED_IMPORTS[contract]:
        plant(copy, file, source)
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 1
    name = CONTRACTS[contract]
    assert f"{name} BROKEN" in output
    section = output.split(f"\n{name}\n{'-' * len(name)}\n")[-1]
    for _, _, named in PLANTED_IMPORTS[contract]:
        assert re.search(rf"^ *-? *tmux_exporter\.{re.escape(named)} \(l\.", section, re.MULTILINE), output


def test_a_file_without_a_floor_is_refused(copy: Path) -> None:
    plant(copy, "homeless.py", "")
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 1
    assert re.search(r"not listed as layers:\n\n- tmux_exporter\.homeless\n", output)


PLANTED_LINES = [
    ("TID252", "from . import labels"),
    ("S602", "import subprocess\n\nsubprocess.run('true', shell=True)"),
    ("S307", "VALUE = eval('1')"),
    ("S506", "import yaml\n\nVALUE = yaml.load('a', Loader=yaml.Loader)"),
    ("S110", "try:\n    VALUE = 1\nexcept Exception:\n    pass"),
    ("D103", "def undocumented() -> None:\n    return"),
    ("ANN001", "def _untyped(value) -> None:\n    return"),
    ("ERA001", "# value = function(1, 2)"),
    ("FIX002", "VALUE = 1  # TODO: think"),
    ("PGH003", "VALUE = 1  # type: ignore"),
    ("PGH004", "VALUE = 1  # noqa"),
    ("RUF100", "VALUE = 1  # noqa: E501"),
    ("T201", "print('here')"),
]


def test_every_banned_call_is_refused_with_its_reason(copy: Path) -> None:
    calls = sorted(BANNED)
    modules = sorted({call.split(".")[0] for call in calls})
    lines = ['"""Planted."""', "", *(f"import {module}" for module in modules), "", *calls]
    (copy / "tmux_exporter" / "planted.py").write_text("\n".join(lines) + "\n")
    status, output = run(
        copy, "ruff", "check", "--no-cache", "--output-format=concise", "--select=TID251", "."
    )
    assert status == 1
    for number, call in enumerate(calls, start=lines.index(calls[0]) + 1):
        found = re.search(rf"planted\.py:{number}:\d+: TID251 `{re.escape(call)}` is banned: (.*)", output)
        assert found, call
        assert found[1] == BANNED[call]["msg"]


EXEMPT = {
    ("clock.py", "time.time"),
    ("clock.py", "time.monotonic"),
    ("instrument.py", "time.monotonic_ns"),
    # What a user runs by `op` gets the signals that `op` gets: it is its one child, and a script's command.
    ("op.py", "_signal.pidfd_send_signal"),
    ("demo/ending.py", "signal.pidfd_send_signal"),
    ("remediator/act.py", "signal.pidfd_send_signal"),
}
"""Who may use what is banned for everybody else: the file, and that one call."""


def exempt(copy: Path) -> list[tuple[str, str]]:
    """Every use of a banned call in the package, those that a noqa excuses included."""
    _, output = run(
        copy,
        "ruff",
        "check",
        "--no-cache",
        "--output-format=concise",
        "--select=TID251",
        "--ignore-noqa",
        "tmux_exporter",
    )
    return re.findall(r"^tmux_exporter/(\S+?):\d+:\d+: TID251 `(\S+)` is banned", output, re.MULTILINE)


def test_nobody_excuses_himself_from_a_ban(copy: Path) -> None:
    assert sorted(exempt(copy)) == sorted(EXEMPT)
    plant(copy, "remediator/policy.py", "import os\n\nos.kill(1, 0)  # noqa: TID251 - only this once")
    plant(copy, "remediator/act.py", "os.kill(1, 0)  # noqa: TID251 - why not")
    found = set(exempt(copy)) - EXEMPT
    assert found == {("remediator/policy.py", "os.kill"), ("remediator/act.py", "os.kill")}


def test_a_planted_line_breaks_its_rule(copy: Path) -> None:
    for rule, source in PLANTED_LINES:
        plant(copy, f"planted_{rule}.py", f"\n{source}")
    status, output = run(copy, "ruff", "check", "--no-cache", "--output-format=concise", "tmux_exporter")
    assert status == 1
    for rule, _ in PLANTED_LINES:
        assert re.search(rf"planted_{rule}\.py:\d+:\d+: {rule} ", output), output


def test_the_package_keeps_the_rules_of_ruff(copy: Path) -> None:
    status, output = run(copy, "ruff", "check", "--no-cache", "--output-format=concise", ".")
    assert status == 0, output


PLANTED_TYPES = [
    ("no-untyped-def", "def untyped(value):\n    return value"),
    ("return-value", "def wrong() -> int:\n    return 'text'"),
    ("ignore-without-code", "VALUE: int = 'text'  # type: ignore"),
    (
        "possibly-undefined",
        "def perhaps(flag: bool) -> int:\n    if flag:\n        value = 1\n    return value",
    ),
    (
        "exhaustive-match",
        "def name(kind: OwnerKind) -> None:\n    match kind:\n        case OwnerKind.PANE:\n            pass",
    ),
    ("type-arg", "def bare(values: list) -> None:\n    values.clear()"),
    ("unused-ignore", "NUMBER = 1  # type: ignore[assignment]"),
    ("misc", "def frozen(pane: PaneKey) -> None:\n    pane.pane = ''"),
    ("arg-type", "KEY = PaneKey(server=1, pane='%1')"),
]


def test_planted_types_break_mypy(copy: Path) -> None:
    head = '"""Planted."""\n\nfrom tmux_exporter.model import OwnerKind, PaneKey\n\n\n'
    tail = "def clean(pane: PaneKey, kind: OwnerKind) -> str:\n    return pane.pane + kind.value\n"
    planted = copy / "tmux_exporter" / "planted.py"
    planted.write_text(head + tail)
    status, output = run(copy, "mypy", "tmux_exporter/planted.py")
    assert status == 0, output
    lines = head.count("\n")
    places = []
    for rule, source in PLANTED_TYPES:
        places.append((rule, range(lines + 1, lines + source.count("\n") + 2)))
        lines += source.count("\n") + 3
    planted.write_text(head + "".join(f"{source}\n\n\n" for _, source in PLANTED_TYPES) + tail)
    status, output = run(copy, "mypy", "tmux_exporter/planted.py")
    assert status == 1
    for rule, place in places:
        found = re.findall(rf"planted\.py:(\d+): error: .*\[{rule}\]", output)
        assert any(int(line) in place for line in found), f"{rule} in {place}: {output}"


def heavy_libraries_loaded(folder: Path) -> list[str]:
    """Which heavy libraries are loaded once the package in this folder is, but what needs them."""
    program = textwrap.dedent("""
        import importlib, pkgutil, sys, tmux_exporter
        for module in pkgutil.walk_packages(tmux_exporter.__path__, "tmux_exporter."):
            if not module.name.endswith(("__main__", ".psutil_source", ".top.loop", ".top.screen")):
                importlib.import_module(module.name)
        print(*sorted({"bcrypt", "libtmux", "psutil", "rich"} & sys.modules.keys()))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_daemon_starts_without_heavy_libraries(copy: Path) -> None:
    assert heavy_libraries_loaded(copy) == []
    plant(copy, "log.py", "import importlib\n\nimportlib.import_module('psutil')")
    assert heavy_libraries_loaded(copy) == ["psutil"]
