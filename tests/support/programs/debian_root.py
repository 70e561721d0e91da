"""Clean Debian 12 and 13 to install into: each a folder, where commands run by chroot.

    python -m tests.support.programs.debian_root

builds our packages and what the tests of them install, while there is a network: `make check` does it before
its tests, which have none. What could not be made is said on stderr and in .venv/debian/SUITE.problem, which
the test of that suite shows.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes.run_text import run_text
from tests.support.programs.wheel import build_wheel

REPOSITORY = Path(__file__).parents[3]
PLACE = REPOSITORY / ".venv" / "debian"
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""And the Python of each."""

_LATER = ("pipx", "python3-venv", "man-db", "bash-completion", "ca-certificates")
"""What is installed there beside our package and what that needs."""

_ENTER = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot {} "$0" "$@"'
_USER = "someone"
_SECONDS = 1800


class DebianRoot:
    """One of them, unpacked into a folder that is not there yet. Mounts are seen by its commands only."""

    def __init__(self, suite: str, folder: Path) -> None:
        problem = PLACE / f"{suite}.problem"
        assert not problem.exists(), problem.read_text()
        base = PLACE / f"{suite}.tar"
        assert base.exists(), "python -m tests.support.programs.debian_root makes it, and `make check` does"
        self.suite, self.folder = suite, folder
        folder.mkdir()
        folder.chmod(0o755)
        run_text(("tar", "-xf", base, "-C", folder, "--exclude=./dev/*"), check=True, timeout=600)
        self.ok("useradd", "-m", "-s", "/bin/bash", _USER)
        self.home = Path("/home", _USER)

    def command(self, *words: str, user: bool = False) -> Sequence[str]:
        """A command in there, as root or as the ordinary user."""
        options = f"--userspec={_USER}:{_USER}" if user else ""
        return ("unshare", "-m", "sh", "-c", _ENTER.format(options), str(self.folder), *words)

    def environ(self, user: bool) -> Mapping[str, str]:
        """What a login gives."""
        home = str(self.home) if user else "/root"
        private = {"XDG_RUNTIME_DIR": home, "TMUX_TMPDIR": home} if user else {}
        path = f"{home}/.local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": home, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **private}

    def ok(self, *words: str, user: bool = False, **environ: str) -> str:
        """What a command prints that succeeds."""
        done = run_text(
            self.command(*words, user=user), env={**self.environ(user), **environ}, timeout=_SECONDS
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """A command of the ordinary user that runs on; all that it says goes into the log."""
        with log.open("wb") as stream:
            command = self.command(*words, user=True)
            return subprocess.Popen(command, env=self.environ(True), stdout=stream, stderr=stream)

    def apt(self, *words: str) -> str:
        """apt-get, with what has been downloaded."""
        quiet = ("-qq", "-y", "--no-install-recommends", "--no-download")
        return self.ok("apt-get", *quiet, "-o", "APT::Sandbox::User=root", *words)

    def files(self) -> set[str]:
        """Every path in there but logs, caches and temporary ones."""
        away = ("./dev/", "./proc/", "./tmp/", "./run/", "./home/", "./var/log/", "./var/cache/")
        listed = run_text(("find", ".", "-xdev"), cwd=self.folder, check=True, timeout=300).stdout
        return {each[1:] for each in listed.splitlines() if not each.startswith(away)}


def package(suite: str) -> Path:
    """Our package for that suite, of the tree as it is."""
    found = sorted(PLACE.glob(f"*~{'deb12' if suite == 'bookworm' else 'deb13'}_all.deb"))
    assert len(found) == 1, f"no package for {suite}: python -m tests.support.programs.debian_root builds it"
    return found[0]


def _make(suite: str, python: str) -> None:
    built = _run(REPOSITORY / "deploy" / "deb" / "build", suite, PLACE).strip()
    needs = _run("dpkg-deb", "-f", built, "Depends").strip()
    download = (
        f"apt-get -qq -y --no-install-recommends --download-only satisfy '{needs}, {', '.join(_LATER)}'"
    )
    base = PLACE / f"{suite}.tar"
    if not base.exists() or base.with_suffix(".needs").read_text() != needs:
        keep = ("--skip=cleanup/apt", f'--customize-hook=chroot "$1" {download}')
        _run("mmdebstrap", "-q", "--variant=minbase", *keep, suite, base)
        base.with_suffix(".needs").write_text(needs)
    wheels, ours = PLACE / f"{suite}-wheels", PLACE / "wheel"
    shutil.rmtree(ours, ignore_errors=True)
    ours.mkdir()
    wheel = build_wheel(ours)
    if not wheels.exists():
        of = [f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in (28, 17)]
        pip = (
            sys.executable,
            "-m",
            "pip",
            "-q",
            "download",
            "--only-binary=:all:",
            f"--python-version={python}",
        )
        _run(*pip, *of, "-d", wheels, "pip", "setuptools", "wheel", wheel)
    shutil.copy(wheel, wheels)


def _run(*command: str | Path) -> str:
    done = run_text(command, timeout=_SECONDS)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr[-1000:]}")
    return done.stdout


def main() -> None:
    """Make all of them that are not there; packages always."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for suite, python in SUITES.items():
        problem = PLACE / f"{suite}.problem"
        problem.unlink(missing_ok=True)
        if os.getuid() != 0:
            continue
        try:
            _make(suite, python)
        except (OSError, subprocess.SubprocessError) as error:
            problem.write_text(str(error))
            print(f"{suite}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
