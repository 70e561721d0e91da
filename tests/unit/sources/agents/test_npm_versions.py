"""Versions of installed agents: from the package above the program, and from no other file."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.literals.listings import process
from tmux_exporter.facts.process import Process
from tmux_exporter.sources.agents.npm_versions import LARGEST_BYTES, PackageVersions, parse


def package(name: object, version: object = "1.2.3-rc.1") -> bytes:
    return json.dumps({"name": name, "version": version}).encode()


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("@openai/codex", "codex"),
        ("@openai/codex-linux-x64", "codex"),
        ("@google/gemini-cli", "gemini"),
        ("opencode-ai", "opencode"),
        ("@github/copilot", "copilot"),
        ("@anthropic-ai/claude-code", "claude"),
        ("@cline/cli-linux-x64", "cline"),
        ("@kilocode/cli", "kilo"),
        ("@ampcode/cli-linux-x64", "amp"),
        ("@continuedev/cli", "cn"),
        ("@mariozechner/pi-coding-agent", "pi"),
    ],
)
def test_the_package_of_the_program(name: str, program: str) -> None:
    assert parse(package(name), program) == "1.2.3-rc.1"
    assert parse(package(name, "1.2.3-rc.1-linux-x64"), program) == "1.2.3-rc.1"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"[" * 60_000, package("proj"), package("mycodex"), package(None), package("codex", None),
        package("codex", "SECRET"), package("codex", "1.2.3 SECRET"), package("codex", "1.2.3" + "x" * 100),
    ],
)  # fmt: skip
def test_of_any_other_nothing_is_learned(content: bytes) -> None:
    assert parse(content, "codex") == ""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """As npm lays it out: a link in `.bin` to a script in the package."""
    script = tmp_path / "node_modules" / "@openai" / "codex" / "bin" / "codex.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    (script.parents[1] / "package.json").write_bytes(package("@openai/codex"))
    (script.parents[1] / "package.json").chmod(0o644)
    links = tmp_path / "node_modules" / ".bin"
    links.mkdir()
    (links / "codex").symlink_to(script)
    return tmp_path / "node_modules"


def launcher(modules: Path) -> Process:
    return process(101, 100, ["node", str(modules / ".bin" / "codex"), "SECRET"], exe="/usr/bin/node")


def test_a_link_leads_to_its_package(modules: Path) -> None:
    versions = PackageVersions(uid=os.getuid())
    assert versions.read(launcher(modules), "codex") == "1.2.3-rc.1"
    native = process(102, 100, ["codex"], exe=str(modules / "@openai" / "codex" / "vendor" / "codex"))
    assert versions.read(native, "codex") == "1.2.3-rc.1"
    (modules / "@openai" / "codex" / "package.json").unlink()
    assert versions.read(launcher(modules), "codex") == "1.2.3-rc.1", "a process is looked at once"
    versions.retain([])
    assert versions.read(launcher(modules), "codex") == ""


def test_nothing_is_learned_from_files_of_others_or_from_no_path(modules: Path) -> None:
    file = modules / "@openai" / "codex" / "package.json"
    versions = PackageVersions(uid=os.getuid())
    assert versions.read(replace(launcher(modules), argv=("node", "codex")), "codex") == ""
    versions.retain([])
    assert versions.read(replace(launcher(modules), argv=None, exe=None), "codex") == ""
    for spoil in (
        lambda: file.chmod(0o666),
        lambda: file.write_bytes(package("@openai/codex") + b" " * LARGEST_BYTES),
    ):
        spoil()
        versions.retain([])
        assert versions.read(launcher(modules), "codex") == ""
