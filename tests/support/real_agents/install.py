"""Install agent programs from their registries, each into a folder of its own below a store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.real_agents.programs import RealProgram

STORE = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "tmux-exporter-agents"

_NODE = "node@22"
"""Some programs need a newer Node.js than the machine has; it is in the registry too."""


def install(program: RealProgram, store: Path) -> Path:
    """Install the program where it is not there; the folder of its commands."""
    folder = _folder(program.package, store)
    if not (folder / program.bin).exists():
        print(f"installing {program.package}", file=sys.stderr, flush=True)
        if program.registry == "npm":
            _npm(program.package, store)
        else:
            _pip(program, store)
    if program.registry == "npm" and not (_folder(_NODE, store) / "node").exists():
        _npm(_NODE, store)
    return folder


def installed(program: RealProgram, store: Path) -> Path | None:
    """The folder of its commands, None where no Python runs it. Raises FileNotFoundError with the mend."""
    folder = _folder(program.package, store)
    if not (folder / program.bin).exists():
        if (folder / "pip").exists():
            return None
        raise FileNotFoundError(
            f"{program.package} is not in {store}; run: python -m tests.support.real_agents --install"
        )
    if program.registry != "npm":
        return folder
    # Both commands in one folder, the newer Node.js before that of the machine.
    both = store / "bin" / program.name
    both.mkdir(parents=True, exist_ok=True)
    for source in (folder / program.bin, _folder(_NODE, store) / "node"):
        link = both / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return both


def _folder(package: str, store: Path) -> Path:
    root = store / package.replace("/", "+")
    return root / "bin" if "==" in package else root / "node_modules" / ".bin"


def _npm(package: str, store: Path) -> None:
    root = store / package.replace("/", "+")
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", root, package], check=True
    )


def _pip(program: RealProgram, store: Path) -> None:
    root = store / program.package.replace("/", "+")
    python = shutil.which(f"python{program.python}") or sys.executable
    made = subprocess.run([python, "-m", "venv", root], check=False)
    if made.returncode:
        # A shim of pyenv is there for versions that are not chosen.
        subprocess.run([sys.executable, "-m", "venv", root], check=True)
    done = subprocess.run([root / "bin" / "pip", "install", "--quiet", program.package], check=False)
    if done.returncode:
        # Some support no Python that this machine has: their moments are named as not staged.
        print(f"{program.package} cannot be installed for {python}", file=sys.stderr, flush=True)
