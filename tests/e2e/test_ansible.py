"""The role of docs/ansible.md, with its playbook as printed, on a second systemd of this machine."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.isolation.booted import Booted, booted
from tests.support.processes.run_text import run_text
from tests.support.programs.installed import WHEELS
from tests.support.programs.wheel import build_wheel

REPOSITORY = Path(__file__).parents[2]
PLACES = ("/etc", "/opt", "/usr/local/bin", "/run/tmux-exporter")
PORTS = {"alice": 10077, "bob": 10078}


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can boot a second systemd")
def test_the_role_installs_reloads_and_removes(tmp_path: Path) -> None:
    base, shared = tmp_path / "booted", tmp_path / "shared"
    base.mkdir()
    playbook = _lay_out(shared)
    checked = run_text(("ansible-playbook", "--syntax-check", str(playbook)), timeout=120)
    assert checked.returncode == 0, checked
    with booted(base, shared) as machine:
        for user in PORTS:
            assert machine.run("useradd", "-m", "-s", "/bin/bash", user).returncode in (0, 9)
        before = _files(machine)
        assert _play(machine, playbook) > 5
        for port in PORTS.values():
            assert "tmux_exporter_build_info{" in _get(machine, port, "/metrics")
        first = _pids(machine)

        assert _play(machine, playbook) == 0
        assert _pids(machine) == first

        playbook.write_text(playbook.read_text().replace("interval: 30s", "interval: 20s"))
        # The file, and the reload.
        assert _play(machine, playbook) == 2
        assert _pids(machine) == first
        assert "interval: 20s" in machine.run("cat", "/etc/tmux-exporter/bob.yml").stdout
        said = machine.run("journalctl", "-b", "-u", "tmux-exporter@bob", "-o", "cat").stdout
        assert "configuration applied" in said, said

        assert _play(machine, playbook, "-e", "tmux_exporter_state=absent") > 0
        assert _files(machine) == before
        assert not re.search(r":1007[78]\b", machine.run("ss", "-Hltn").stdout)
        assert _play(machine, playbook, "-e", "tmux_exporter_state=absent") == 0


def _lay_out(shared: Path) -> Path:
    """Role, playbook as printed, wheel and what it needs, where the machine has them."""
    folder = shared / "deploy" / "ansible"
    shutil.copytree(REPOSITORY / "deploy" / "ansible", folder)
    page = (REPOSITORY / "docs" / "ansible.md").read_text()
    (printed,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (folder / "site.yml").write_text(printed)
    (folder / "hosts").write_text("[agents]\nlocalhost ansible_connection=local\n")
    (shared / "dist").mkdir()
    build_wheel(shared / "dist")
    shutil.copytree(WHEELS, shared / "wheels")
    return folder / "site.yml"


def _play(machine: Booted, playbook: Path, *words: str) -> int:
    """How many changes a run of the playbook tells."""
    wheels = playbook.parents[2] / "wheels"
    offline = f'tmux_exporter_pip_arguments="--no-index --find-links {wheels}"'
    # In a folder of that machine: the one that nsenter starts in is this machine's.
    command = (
        "env",
        "-C",
        "/",
        "LC_ALL=C.UTF-8",
        "ANSIBLE_PIPELINING=1",
        "ANSIBLE_GATHERING=explicit",
        "ansible-playbook",
        "-i",
        str(playbook.parent / "hosts"),
    )
    done = machine.run(*command, "-e", offline, *words, str(playbook), timeout=600)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done
    (changed,) = re.findall(r"changed=(\d+)", done.stdout)
    return int(changed)


def _files(machine: Booted) -> set[str]:
    """All files of the places that the role may write to; systemd and useradd write to others."""
    listed = machine.run("find", *PLACES, "(", "-type", "f", "-o", "-type", "l", ")").stdout
    return set(listed.splitlines())


def _get(machine: Booted, port: int, path: str) -> str:
    return machine.run("curl", "-sf", "--retry", "5", "--retry-connrefused", f"127.0.0.1:{port}{path}").stdout


def _pids(machine: Booted) -> list[str]:
    units = [f"tmux-exporter@{user}" for user in PORTS]
    pids = machine.run("systemctl", "show", "-P", "MainPID", *units).stdout.split()
    assert len(pids) == len(PORTS)
    assert "0" not in pids
    return pids
