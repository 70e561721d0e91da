"""The packages and pipx in a clean Debian 12 and 13: what is installed works, what is removed is gone."""

import os
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages.markdown import all_blocks
from tests.support.pages.page_trials import INSTALL
from tests.support.processes.run_text import run_text
from tests.support.programs.debian_root import PLACE, SUITES, DebianRoot, package
from tests.support.programs.installed import ended
from tests.support.wait import wait_for
from tmux_exporter import __version__

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

TAB = "COMP_WORDS=(tmux-exporter lea) COMP_CWORD=1; _tmux_exporter_completion tmux-exporter; echo $COMPREPLY"
"""What bash does at Tab, once it has loaded what completes."""


INSTALL_LINES = [line for block in all_blocks("sh") if block.page == INSTALL for line in block.commands()]


def line(begins: str) -> str:
    """The one line of docs/install.md that begins so, as root types it."""
    (found,) = [each for each in INSTALL_LINES if each.startswith(begins)]
    return found.removeprefix("sudo ")


def test_no_line_of_the_page_is_run_nowhere() -> None:
    # The first one is run before the tests, where there is a network.
    run = ("deploy/deb/build", "sudo apt", "man ", "pipx install", "pipx ensure", "mkdir", "ln -s", "eval")
    assert [line(begins) for begins in run] == [each.removeprefix("sudo ") for each in INSTALL_LINES]


@pytest.fixture(scope="module", params=SUITES)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    if os.getuid() != 0:
        pytest.skip("a Debian of its own is made and entered by root only")
    made = DebianRoot(request.param, tmp_path_factory.mktemp("debian") / "root")
    yield made
    shutil.rmtree(made.folder)


def listening() -> set[str]:
    """Where anything listens in this network namespace."""
    tables = [Path("/proc/net", name).read_text() for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()]
    return {words[1] for words in lines if words[3] == "0A"}


def sees_a_session(root: DebianRoot, log: Path) -> None:
    """An ordinary user's session is in /metrics, and the remediator that `up` starts observes."""
    root.ok("tmux", "-f", "/dev/null", "new-session", "-d", "-s", "work", "exec sleep 20000", user=True)
    up = root.start(log, "tmux-exporter", "up", "--no-servers", "--web.listen-address", "127.0.0.1:0")
    try:

        def metrics() -> str:
            found = re.search(r"metrics +(http://\S+)", log.read_text())
            return urllib.request.urlopen(f"{found[1]}?fresh=1").read().decode() if found else ""

        wait_for(lambda: 'session="work"' in metrics() and "tmux_remediator_up 1.0" in metrics(), "seen", 120)
    finally:
        status = ended(up, signal.SIGINT)
        root.ok("tmux", "kill-server", user=True)
    assert status == 0, log.read_text()


def test_the_package_works_and_its_purge_leaves_nothing(root: DebianRoot, tmp_path: Path) -> None:
    deb = package(root.suite)
    run_text(("lintian", "--allow-root", "--fail-on", "error,warning", deb), check=True, timeout=600)
    needs = run_text(("dpkg-deb", "-f", deb, "Depends"), check=True).stdout.strip()
    root.apt("satisfy", f"{needs}, man-db, bash-completion")
    before, open_before = root.files(), listening()
    (root.folder / "dist").mkdir()
    shutil.copy(deb, root.folder / "dist")
    mark = "deb12" if root.suite == "bookworm" else "deb13"
    root.ok("bash", "-c", f"{line('sudo apt install').replace('deb13', mark)} -y")
    shutil.rmtree(root.folder / "dist")
    assert listening() == open_before
    new = root.files() - before
    assert [path for path in new if path.startswith(("/etc/", "/var/")) and "/dpkg/info/" not in path] == []

    assert root.ok("tmux-exporter", "--version", user=True) == f"tmux-exporter {__version__}\n"
    sees_a_session(root, tmp_path / "up.log")
    assert "EXIT STATUS" in root.ok(*line("man ").split(), user=True)
    assert "EXIT STATUS" in root.ok("man", "tmux-remediator", user=True)
    loading = ". /usr/share/bash-completion/bash_completion; _completion_loader tmux-exporter"
    assert root.ok("bash", "-c", f"{loading}; {TAB}", user=True) == "leaks\n"
    root.ok("tmux-exporter", "export", "boards", "--out", f"{root.home}/boards", user=True)
    assert "ExecStart=/usr/bin/tmux-exporter serve" in root.ok(
        "cat", "/usr/lib/systemd/user/tmux-exporter.service"
    )
    for shared in ("rules/alerting/agents.yml", "boards/fleet.json", "policies/policies.yml"):
        root.ok("test", "-s", f"/usr/share/tmux-exporter/{shared}")
    # Modules of Debian's where its versions do, ours nowhere else.
    script = "import click, rich, tmux_exporter; print(click.__file__, rich.__file__, tmux_exporter.__file__)"
    debians, rich, ours = root.ok("/usr/lib/tmux-exporter/bin/python3", "-c", script, user=True).split()
    assert debians.startswith("/usr/lib/python3/dist-packages/") and rich.startswith("/usr/lib/python3/")
    assert ours.startswith("/usr/lib/tmux-exporter/")

    # Enabled by an administrator, and left so.
    wants = root.folder / "etc" / "systemd" / "system" / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "tmux-remediator@someone.service").symlink_to("/usr/lib/systemd/system/tmux-remediator@.service")
    root.apt("purge", "tmux-exporter")
    assert listening() == open_before
    assert root.files() - before <= {"/etc/systemd/system/multi-user.target.wants"}
    assert before - root.files() == set()


def test_pipx_installs_the_wheel_with_what_belongs_to_it(root: DebianRoot, tmp_path: Path) -> None:
    root.apt("satisfy", "tmux, pipx, python3-venv, man-db, bash-completion")
    wheels = root.folder / "wheels"
    shutil.copytree(PLACE / f"{root.suite}-wheels", wheels)
    (wheel,) = wheels.glob("tmux_exporter-*.whl")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    assert line("pipx install") == "pipx install ."
    root.ok("pipx", "install", f"/wheels/{wheel.name}", user=True, **offline)
    root.ok(*line("pipx ensurepath").split(), user=True)
    assert root.ok("tmux-exporter", "--version", user=True) == f"tmux-exporter {__version__}\n"
    sees_a_session(root, tmp_path / "up.log")
    if root.suite == "bookworm":
        for begins in ("mkdir", "ln -s"):
            root.ok("bash", "-c", line(begins), user=True)
    for program in ("tmux-exporter", "tmux-remediator"):
        assert "EXIT STATUS" in root.ok("man", program, user=True)
    assert root.ok("bash", "-c", f"{line('eval')}; {TAB}", user=True) == "leaks\n"
    root.ok("pipx", "uninstall", "tmux-exporter", user=True)
    assert not (root.folder / "home" / "someone" / ".local" / "bin" / "tmux-exporter").is_symlink()
