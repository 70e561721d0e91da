"""The gates of the house, each seen red: a violation planted in a copy of the package must be named.

A gate that was never red is an assumption. Each row below plants one violation and says which rule must
refuse it; the copy without a planting must pass.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text

REPOSITORY = Path(__file__).parents[3]
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
        [TOOLS / tool, *arguments],
        cwd=copy,
        # What is named stands on one line.
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def plant(copy: Path, file: str, source: str) -> None:
    """Add a line at the end of a file of the package, or a new file with it."""
    path = copy / "tmux_exporter" / file
    path.write_text((path.read_text() if path.exists() else '"""Planted."""\n') + source + "\n")


# A contract, a file of the package, what is planted there, and the module that lint-imports must name, where
# that is not the planted one.
PLANTED_IMPORTS: list[tuple[str, ...]] = [
    ("floors", "base/clock.py", "import tmux_exporter.config"),
    ("floors", "facts/process.py", "import tmux_exporter.sources"),
    ("floors", "analysis/labels.py", "import tmux_exporter.sources.tmux.ask"),
    ("floors", "sources/own/up.py", "import tmux_exporter.analysis.labels"),
    ("floors", "metrics/render.py", "def late():\n    import tmux_exporter.commands.publisher"),
    ("floors", "alerting/up.py", "import tmux_exporter.web.app"),
    ("floors", "web/up.py", "import tmux_exporter.remediator.loop"),
    ("analysis", "analysis/leaks/up.py", "import tmux_exporter.analysis.report.usage"),
    ("analysis", "analysis/cpu/up.py", "import tmux_exporter.analysis.agents.find"),
    ("sources", "sources/common/up.py", "import tmux_exporter.sources.tmux.ask"),
    ("sources", "sources/tmux/up.py", "import tmux_exporter.sources.host.host"),
    ("remediator", "remediator/decide/up.py", "import tmux_exporter.remediator.record.audit"),
    ("remediator", "remediator/policies/up.py", "import tmux_exporter.remediator.decide.vetoes"),
    ("commands", "commands/publisher.py", "import tmux_exporter.commands.one_sample"),
    ("commands", "commands/tick.py", "import tmux_exporter.commands.publisher"),
    ("commands", "commands/top/up.py", "import tmux_exporter.commands.up.up"),
    ("metrics", "metrics/work.py", "import tmux_exporter.metrics.render"),
    ("metrics", "metrics/catalogue/up.py", "import tmux_exporter.metrics.work"),
    ("wire", "wire/hook_line.py", "import tmux_exporter.wire.operation_line"),
    ("tellers", "metrics/up.py", "import tmux_exporter.sources.processes.full_reader"),
    ("tellers", "web/up.py", "import tmux_exporter.analysis.report.explain"),
    ("tellers", "web/run.py", "import subprocess"),
    ("stages", "sampling/stages/leaks.py", "import tmux_exporter.sampling.stages.agents"),
    ("stages", "sampling/stages/protocols.py", "import tmux_exporter.sampling.stages.ownership"),
    ("pure", "analysis/labels.py", "import os"),
    ("pure", "analysis/leaks/ask.py", "from time import time"),
    ("pure", "analysis/histogram.py", "import tmux_exporter.base.clock"),
    ("pure", "alerting/look.py", "import os"),
    ("pure", "facts/report.py", "import pathlib"),
    ("pure", "facts/remediation.py", "import json.decoder, os", "os"),
    ("pure", "remediator/decide/decide.py", "import time"),
    ("pure", "remediator/decide/vetoes.py", "import tmux_exporter.sources.processes.full_reader"),
    ("pure", "remediator/policies/actions.py", "import os"),
    ("pure", "remediator/record/replay.py", "import time"),
    ("yaml", "sources/own/read.py", "import yaml"),
    ("yaml", "config/file.py", "import yaml.nodes", "yaml"),
    ("psutil", "sources/own/look.py", "import psutil"),
    ("psutil", "sampling/sampler.py", "def late():\n    import psutil"),
    ("start", "sources/tmux/ask.py", "import libtmux"),
    ("start", "web/login.py", "import bcrypt"),
    ("start", "base/log.py", "import rich.console", "rich"),
    ("programs", "sources/own/run.py", "import subprocess"),
    ("programs", "commands/publisher.py", "import multiprocessing"),
    ("power", "remediator/decide/decide.py", "import tmux_exporter.remediator.act.terminate"),
    ("power", "remediator/service.py",
        "def late():\n    from tmux_exporter.remediator.act.terminate import end",
        "tmux_exporter.remediator.act.terminate"),
    ("power", "commands/serve.py", "import tmux_exporter.remediator.act.terminate"),
    ("power", "cli/exporter.py", "from tmux_exporter.remediator.act import terminate",
        "tmux_exporter.remediator.act.terminate"),
    ("leases", "remediator/service.py", "import tmux_exporter.remediator.act.throttle"),
    ("leases", "cli/exporter.py", "from tmux_exporter.remediator.act.lease_keeper import send",
        "tmux_exporter.remediator.act.lease_keeper"),
    ("voice", "cli/exporter.py", "import tmux_exporter.remediator.act.pane_message"),
    ("voice", "web/say.py", "from tmux_exporter.remediator.act import warn_and_snapshot",
        "tmux_exporter.remediator.act.warn_and_snapshot"),
    ("voice", "commands/serve.py", "import tmux_exporter.remediator.act.pane_history"),
    ("voice", "remediator/service.py", "import tmux_exporter.remediator.act.tmux"),
    ("command-line", "commands/publisher.py", "import click"),
]  # fmt: skip


def test_the_floors_hold(copy: Path) -> None:
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 0, output


def test_every_contract_has_a_planting() -> None:
    assert {contract for contract, *_ in PLANTED_IMPORTS} == CONTRACTS.keys()


def test_planted_imports_break_their_contracts(copy: Path) -> None:
    """All in one run: lint-imports takes seconds."""
    for _, file, source, *_ in PLANTED_IMPORTS:
        plant(copy, file, source)
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 1
    for contract, file, source, *named in PLANTED_IMPORTS:
        name = CONTRACTS[contract]
        assert f"{name} BROKEN" in output
        section = re.split(r"\n[^\n]+\n-{9,}\n", output.split(f"\n{name}\n{'-' * len(name)}\n")[-1])[0]
        importer = file.removesuffix(".py").replace("/", ".")
        imported = named[0] if named else source.split("import ")[-1]
        arrow = re.escape(f"tmux_exporter.{importer} -> {imported}")
        assert re.search(rf"^ *-? *{arrow} \(l\.", section, re.MULTILINE), (contract, section)


def test_a_file_without_a_floor_is_refused(copy: Path) -> None:
    plant(copy, "homeless.py", "")
    status, output = run(copy, "lint-imports", "--no-cache")
    assert status == 1
    assert re.search(r"not listed as layers:\n\n- tmux_exporter\.homeless\n", output)


PLANTED_LINES = [
    ("TID252", "from . import labels"), ("S602", "import subprocess\n\nsubprocess.run('true', shell=True)"),
    ("S307", "VALUE = eval('1')"), ("S506", "import yaml\n\nVALUE = yaml.load('a', Loader=yaml.Loader)"),
    ("S110", "try:\n    VALUE = 1\nexcept Exception:\n    pass"),
    ("D103", "def undocumented() -> None:\n    return"),
    ("ANN001", "def _untyped(value) -> None:\n    return"), ("ERA001", "# value = function(1, 2)"),
    ("FIX002", "VALUE = 1  # TODO: think"), ("PGH003", "VALUE = 1  # type: ignore"),
    ("PGH004", "VALUE = 1  # noqa"), ("RUF100", "VALUE = 1  # noqa: E501"), ("T201", "print('here')"),
]  # fmt: skip


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
    ("base/clock.py", "time.time"),
    ("base/clock.py", "time.monotonic"),
    ("instrument.py", "time.monotonic_ns"),
    # What a user runs by `op` gets the signals that `op` gets: it is its one child, and a script's command.
    ("reporters/op.py", "_signal.pidfd_send_signal"),
    ("commands/demo/ending.py", "signal.pidfd_send_signal"),
    ("remediator/act/terminate.py", "signal.pidfd_send_signal"),
    # It stops and continues for a lease, and continues when the remediator is gone.
    ("remediator/act/lease_keeper.py", "signal.pidfd_send_signal"),
    # Between two parts of a history a tmux server serves its panes: there is nothing to wait for but time.
    ("remediator/act/pane_history.py", "time.sleep"),
}
"""Who may use what is banned for everybody else: the file, and that one call."""


def exempt(copy: Path) -> list[tuple[str, str]]:
    """Every use of a banned call in the package, those that a noqa excuses included."""
    _, output = run(
        copy, "ruff", "check", "--no-cache", "--output-format=concise", "--select=TID251", "--ignore-noqa",
        "tmux_exporter",
    )  # fmt: skip
    return re.findall(r"^tmux_exporter/(\S+?):\d+:\d+: TID251 `(\S+)` is banned", output, re.MULTILINE)


def test_nobody_excuses_himself_from_a_ban(copy: Path) -> None:
    assert sorted(exempt(copy)) == sorted(EXEMPT)
    plant(copy, "remediator/decide/decide.py", "import os\n\nos.kill(1, 0)  # noqa: TID251 - only this once")
    plant(copy, "remediator/act/terminate.py", "import os\n\nos.kill(1, 0)  # noqa: TID251 - why not")
    found = set(exempt(copy)) - EXEMPT
    assert found == {("remediator/decide/decide.py", "os.kill"), ("remediator/act/terminate.py", "os.kill")}


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
    imports = "from tmux_exporter.facts.owner import OwnerKind\nfrom tmux_exporter.facts.tmux import PaneKey"
    head = f'"""Planted."""\n\n{imports}\n\n\n'
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
            if not module.name.endswith(("__main__", ".psutil_reader", ".top.loop", ".top.table")):
                importlib.import_module(module.name)
        print(*sorted({"bcrypt", "libtmux", "psutil", "rich"} & sys.modules.keys()))
    """)
    done = run_text([sys.executable, "-c", program], cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_daemon_starts_without_heavy_libraries(copy: Path) -> None:
    assert heavy_libraries_loaded(copy) == []
    plant(copy, "base/log.py", "import importlib\n\nimportlib.import_module('psutil')")
    assert heavy_libraries_loaded(copy) == ["psutil"]
