"""What `make up`, `make test` and `make check` say on a machine where they cannot set themselves up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text

ROOT = Path(__file__).parents[2]
NEEDS_NOTHING = "SERVERS=no does without Prometheus and Alertmanager: it needs none of this\n"
LONG = (
    "systemd openssl victoria-metrics curl jq procps chromium chromium-driver "
    "redis-server expect sudo faketime postgresql nagios4-core rsyslog rsyslog-elasticsearch "
    "zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql podman runc catatonit mmdebstrap npm zsh fish "
    "mandoc groff man-db debhelper lintian dbus-user-session ansible-core"
)
TOOLS = ("sh", "dirname", "id", "cat", "cksum")


def set_up(
    tmp_path: Path,
    *tools: str,
    purpose: str = "run",
    uid: int | None = None,
    sudo: Path | None = None,
    words: tuple[str, ...] = (),
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """Run `deploy/setup` in a copy of the checkout's top, with only these programs to be found.

    `uid` is what `id` tells, where it is not to be the truth; `sudo` the program of that name; `words`
    follow the purpose.
    """
    checkout = tmp_path / "checkout"
    (checkout / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "setup", checkout / "deploy" / "setup")
    shutil.copy(ROOT / "pyproject.toml", checkout / "pyproject.toml")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    for tool in (*TOOLS, *tools):
        (programs / tool).symlink_to(shutil.which(tool) or "/bin/true")
    if uid is not None:
        (programs / "id").unlink()
        (programs / "id").write_text(f"#!/bin/sh\necho {uid}\n")
        (programs / "id").chmod(0o755)
    if sudo is not None:
        (programs / "sudo").symlink_to(sudo)
    return run_text(
        [programs / "sh", checkout / "deploy" / "setup", purpose, *words],
        env={"PATH": str(programs), **environ},
    )


def test_without_apt_it_says_exactly_what_to_install(tmp_path: Path) -> None:
    result = set_up(tmp_path)
    assert result.returncode == 3
    wanted = "tmux prometheus prometheus-alertmanager"
    assert result.stderr == (
        f"setup: no apt here; install these yourself and run it again: {wanted}\n"
        "setup: make up SERVERS=no does without Prometheus and Alertmanager: it needs tmux\n"
    )
    assert not (tmp_path / "checkout" / ".venv").exists()


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    result = set_up(tmp_path, "tmux", "prometheus")
    assert result.returncode == 3
    assert "run it again: prometheus-alertmanager\n" in result.stderr
    assert result.stderr.endswith(NEEDS_NOTHING)


def test_only_the_long_tests_need_another_store_and_what_runbooks_use(tmp_path: Path) -> None:
    there = ("tmux", "prometheus", "prometheus-alertmanager")
    for purpose, wanted in (("test", "systemd openssl"), ("check", LONG)):
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


def test_without_root_and_sudo_it_gives_the_line_for_root(tmp_path: Path) -> None:
    result = set_up(tmp_path, "apt-get", uid=1000)
    assert result.returncode == 3
    setup = tmp_path / "checkout" / "deploy" / "setup"
    assert result.stderr.splitlines() == [
        "setup: not root and no sudo, and apt is to install: tmux prometheus prometheus-alertmanager",
        "setup: make up SERVERS=no does without Prometheus and Alertmanager: it needs tmux",
        f"setup: as root, run: {setup} run packages",
    ]
    # It would start two servers on all interfaces.
    assert "apt-get install" not in result.stderr


def test_without_root_and_sudo_the_servers_can_still_be_left_out(tmp_path: Path) -> None:
    result = set_up(tmp_path, "apt-get", uid=1000, SERVERS="no")
    setup = tmp_path / "checkout" / "deploy" / "setup"
    assert result.stderr.splitlines() == [
        "setup: not root and no sudo, and apt is to install: tmux",
        f"setup: as root, run: SERVERS=no {setup} run packages",
    ]


def test_a_sudo_that_refuses_ends_with_what_can_be_done_without(tmp_path: Path) -> None:
    (tmp_path / "sudo").write_text("#!/bin/sh\necho 'me is not in the sudoers file' >&2\nexit 1\n")
    (tmp_path / "sudo").chmod(0o755)
    result = set_up(tmp_path, "tmux", "apt-get", uid=1000, sudo=tmp_path / "sudo")
    assert result.returncode == 3
    assert result.stderr.endswith(NEEDS_NOTHING)


def test_root_installs_what_is_missing_and_makes_no_environment(tmp_path: Path) -> None:
    done = set_up(tmp_path, "tmux", "prometheus", "prometheus-alertmanager", words=("packages",), uid=0)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "checkout" / ".venv").exists()
