"""What `make up`, `make test` and `make check` say on a machine where they cannot set themselves up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "dirname", "id", "cat", "cksum")


def set_up(
    tmp_path: Path, *tools: str, purpose: str = "run", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `deploy/setup` in a copy of the checkout's top, with only these programs to be found."""
    checkout = tmp_path / "checkout"
    (checkout / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "setup", checkout / "deploy" / "setup")
    shutil.copy(ROOT / "pyproject.toml", checkout / "pyproject.toml")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    for tool in (*TOOLS, *tools):
        (programs / tool).symlink_to(shutil.which(tool) or "/bin/true")
    return subprocess.run(
        [programs / "sh", checkout / "deploy" / "setup", purpose],
        env={"PATH": str(programs), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_apt_it_says_exactly_what_to_install(tmp_path: Path) -> None:
    result = set_up(tmp_path)
    assert result.returncode == 3
    wanted = "tmux prometheus prometheus-alertmanager"
    assert result.stderr == f"setup: no apt here; install these yourself and run it again: {wanted}\n"
    assert not (tmp_path / "checkout" / ".venv").exists()


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    result = set_up(tmp_path, "tmux", "prometheus")
    assert result.returncode == 3
    assert result.stderr.endswith("run it again: prometheus-alertmanager\n")


def test_only_the_long_tests_need_another_store_and_what_runbooks_use(tmp_path: Path) -> None:
    there = ("tmux", "prometheus", "prometheus-alertmanager")
    for purpose, wanted in (("test", "systemd"), ("check", "systemd victoria-metrics curl jq procps zsh")):
        result = set_up(tmp_path / purpose, *there, purpose=purpose)
        assert result.returncode == 3
        assert result.stderr.endswith(f"run it again: {wanted}\n")


def test_the_servers_can_be_left_out(tmp_path: Path) -> None:
    result = set_up(tmp_path, SERVERS="no")
    assert result.returncode == 3
    assert result.stderr.endswith("run it again: tmux\n")


@pytest.mark.skipif(os.getuid() != 0, reason="sudo is refused only where it made us root")
def test_under_sudo_it_refuses(tmp_path: Path) -> None:
    result = set_up(tmp_path, SUDO_UID="1000")
    assert result.returncode == 2
    assert "run this without sudo" in result.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root needs no sudo")
def test_without_root_and_sudo_it_gives_the_line_for_root(tmp_path: Path) -> None:
    result = set_up(tmp_path, "apt-get")
    assert result.returncode == 3
    assert "as root, run: apt-get install --no-install-recommends tmux" in result.stderr
