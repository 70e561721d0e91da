"""The product as a user has it: a wheel of this tree in an empty environment, and an ordinary user's home."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.isolation.leftovers import end_carrying
from tests.support.processes.run_text import run_text
from tests.support.programs.wheel import build_wheel

WHEELS = Path(__file__).parents[3] / ".venv" / "wheels"

FIRST_UID = 50_000
"""Where we are root: somebody who is nobody here, and nobody else's test either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Runs what is installed in `bin`; where the tests are root's, as a user who is nobody else."""

    bin: Path
    home: Path
    environ: dict[str, str]
    prefix: tuple[str, ...]

    @property
    def runtime(self) -> Path:
        return Path(self.environ["XDG_RUNTIME_DIR"])

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A command to its end, started in the home; `tmux-exporter` is the installed one."""
        return run_text(
            (*self.prefix, *words), env=self.environ, cwd=self.home, stdin=subprocess.DEVNULL, timeout=timeout
        )

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """A command that runs on; all that it says goes into the log."""
        with log.open("wb") as stream:
            return subprocess.Popen(
                (*self.prefix, *words), env=self.environ, cwd=self.home, stdout=stream, stderr=stream
            )


@contextmanager
def installation() -> Iterator[Installed]:
    """An environment with the wheel and what it says that it needs; afterwards all of it is gone."""
    base = Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))
    base.chmod(0o755)
    try:
        # That of the tests may lie in somebody's home, where the user may not go.
        system = next(each for each in ("/usr/bin/python3", sys.executable) if shutil.which(each))
        _checked(system, "-m", "venv", str(base / "venv"))
        wheel = build_wheel(base)
        assert WHEELS.is_dir(), "deploy/setup check downloads what the wheel needs"
        install = ("-m", "pip", "install", "-q", "--no-index", "--find-links", str(WHEELS), str(wheel))
        _checked(str(base / "venv" / "bin" / "python"), *install)
        yield _for_somebody(base)
    finally:
        end_carrying("TMUX_TMPDIR", str(base / "home"))
        shutil.rmtree(base, ignore_errors=True)


def _for_somebody(base: Path) -> Installed:
    root = os.getuid() == 0
    uid = FIRST_UID + os.getpid() % 10_000 if root else os.getuid()
    home = base / "home"
    for folder in (home, home / "run"):
        folder.mkdir(mode=0o700)
        if root:
            os.chown(folder, uid, uid)
    return Installed(
        bin=base / "venv" / "bin",
        home=home,
        environ={
            # What a login gives, and what tells our own processes from all others.
            "PATH": f"{base / 'venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TMUX_TMPDIR": str(home),
            "XDG_RUNTIME_DIR": str(home / "run"),
        },
        prefix=("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups") if root else (),
    )


def _checked(*words: str) -> None:
    done = run_text(words, timeout=400)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def ended(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """How a process ends once it is asked to."""
    process.send_signal(number)
    return process.wait(60)
