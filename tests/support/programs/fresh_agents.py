"""Coding agents as they install, by the versions of tests/fixtures/agents/lock.toml, and how each is started.

    python -m tests.support.programs.fresh_agents FOLDER

installs what is missing there; `make check` does it before its tests, which have no network. What could not
be installed is said loudly on stderr and in FOLDER/NAME.problem, which the test of that program shows.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOCK = Path(__file__).parents[2] / "fixtures" / "agents" / "lock.toml"
PLACE = Path(__file__).parents[3] / ".venv" / "agents"
LOADER = "/lib64/ld-linux-x86-64.so.2"
_SECONDS = 1200


class InstallError(Exception):
    """Why a program is not installed."""


class RegistryAwayError(InstallError):
    """The registry does not answer, or lacks the package: no fault of ours."""


@dataclass(frozen=True, kw_only=True)
class Locked:
    """One package. `scripts`: its install scripts run. `program`: its name in our table, where it is another.

    `options` are pip's.
    `titled`: it writes a title over its arguments, and with them goes the path that tells its version.
    """

    name: str
    registry: str
    package: str
    version: str
    sum: str
    command: str
    arguments: str = ""
    scripts: bool = True
    agent: bool = True
    titled: bool = False
    least_python: Sequence[int] = ()
    options: Sequence[str] = ()
    program: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """The folder of its commands, in the folder that it was installed to."""
        return Path("bin") if self.registry == "PyPI" else Path("node_modules", ".bin")


def locked() -> dict[str, Locked]:
    """The lock, by the names of the programs."""
    return {name: Locked(name=name, **row) for name, row in tomllib.loads(LOCK.read_text()).items()}


def install(each: Locked, place: Path) -> None:
    """Install one package into `place`/NAME; what comes has to be that of the lock. Raises InstallError."""
    folder = place / each.name
    done = folder / ".done"
    wanted = f"{each.package} {each.version} {each.sum}"
    if done.is_file() and done.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = _pip(each, folder) if each.registry == "PyPI" else _npm(each, folder)
    if found != each.sum:
        raise InstallError(f"the package is {found}, and the lock says {each.sum}")
    done.write_text(wanted)


def _npm(each: Locked, folder: Path) -> str:
    if shutil.which("npm") is None:
        raise InstallError("npm is missing: apt-get install npm")
    scripts = () if each.scripts else ("--ignore-scripts",)
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    _run("npm", "install", *quiet, *scripts, "--prefix", folder, f"{each.package}@{each.version}")
    tree = json.loads((folder / "node_modules" / ".package-lock.json").read_text())
    return str(tree["packages"][f"node_modules/{each.package}"]["integrity"])


def _pip(each: Locked, folder: Path) -> str:
    names = (f"python3.{minor}" for minor in range(each.least_python[1], 14))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    paths = (
        sys.executable,
        *filter(None, map(shutil.which, names)),
        *map(str, sorted(pyenv.glob("versions/3.1[2-9].*/bin/python"))),
    )
    able = (path for path in paths if _python_of(path) >= tuple(each.least_python))
    if (python := next(able, None)) is None:
        raise InstallError(f"Python {'.'.join(map(str, each.least_python))} is missing")
    _run(python, "-m", "venv", folder)
    report = folder / "report.json"
    pip = (folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--report", report)
    _run(*pip, *each.options, f"{each.package}=={each.version}")
    (own,) = (one for one in json.loads(report.read_text())["install"] if one["requested"])
    return str(own["download_info"]["archive_info"]["hash"])


def _python_of(python: str) -> tuple[int, ...]:
    ask = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return tuple(map(int, answer.stdout.split()))


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip())[-600:]
        away = ("ENOTFOUND", "ECONN", "ETIMEDOUT", "EAI_AGAIN", "E404", "ETARGET", "No matching distribution")
        kind = RegistryAwayError if any(word in done.stderr for word in away) else InstallError
        raise kind(words.replace("\n", " | "))


def ways(each: Locked, place: Path) -> Iterator[tuple[str, str]]:
    """Three ways to start a program: names as in the table of evidence, and what to type."""
    folder = place / each.name
    link = folder / each.bin / each.command
    # Debian's node is too old for some of them.
    path = [place / other / "node_modules" / ".bin" for other in ("bun", "node")]
    words = [
        f"PATH={':'.join(map(str, path))}:$PATH",
        *(f"{key}={value}" for key, value in each.environ.items()),
    ]
    start = f"export {' '.join(words)}; exec"
    yield "bin", f"{start} {link} {each.arguments}"
    if each.registry == "PyPI":
        yield "python", f"{start} {folder}/bin/python {link} {each.arguments}"
        yield (
            "pipx",
            f"mkdir -p ~/.local/bin; ln -s {link} ~/.local/bin; "
            f"{start} ~/.local/bin/{each.command} {each.arguments}",
        )
        return
    yield "bunx", f"cd {folder}; {start} bunx --no-install {each.command}"
    real = link.resolve()
    with real.open("rb") as program:
        native = program.read(4) == b"\x7fELF"
    yield ("ldso", f"{start} {LOADER} {real}") if native else ("node", f"{start} node {real}")


def main() -> None:
    """Install everything that is missing; what could not be is said."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    place.mkdir(parents=True, exist_ok=True)
    for name, each in locked().items():
        problem = place / f"{name}.problem"
        problem.unlink(missing_ok=True)
        try:
            install(each, place)
        except (InstallError, subprocess.TimeoutExpired) as error:
            away = isinstance(error, (RegistryAwayError, subprocess.TimeoutExpired))
            problem.write_text(f"{'away' if away else 'failed'}: {error}")
            sys.stderr.write(f"AGENTS: {name} IS NOT TESTED, {each.package} {each.version}: {error}\n")


if __name__ == "__main__":
    os.umask(0o022)
    main()
