"""Bring a runnable tmux of another Debian release: `python -m tests.versions.get_tmux 3.5a 3.8`.

apt resolves and downloads tmux with all its libraries from the archive that this machine is already set up
with, in a folder of its own: nothing is installed, the machine's apt state is neither used nor changed, no
root is needed. A program built for a newer C library than this machine's runs under that library's own
loader; the kernel then takes the loader for the program (/proc/PID/exe).
"""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.processes.run_text import run_text

RELEASES = {"3.1c": "bullseye", "3.3a": "bookworm", "3.5a": "trixie", "3.7c": "forky", "3.8": "sid"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_WRAPPER = """#!/bin/sh
exec {loader} --library-path {libraries} {tmux} "$@"
"""


class GetTmuxError(Exception):
    """No such tmux here; one line that says why and what would help."""


def get_tmux(version: str) -> Path:
    """The path of a program that behaves as `tmux` of this version; fetched at most once."""
    if version not in RELEASES:
        raise GetTmuxError(f"tmux {version} is not among the versions tested: {', '.join(RELEASES)}")
    if shutil.which("tmux") and tmux_version(installed_tmux()) == version:
        return installed_tmux()
    folder = _cache() / version
    program = folder / "tmux"
    if not program.exists():
        _fetch(version, folder)
    return program


def installed_tmux() -> Path:
    """The tmux of PATH."""
    installed = shutil.which("tmux")
    if not installed:
        raise GetTmuxError("tmux is not installed: apt-get install tmux")
    return Path(installed)


def tmux_version(program: Path) -> str:
    """What `tmux -V` says, its last word: some builds print their own name first."""
    result = run_text([program, "-V"])
    return result.stdout.split()[-1] if result.stdout.split() else ""


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tmux-exporter" / "tmux-versions"


def _run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    result = run_text(command, cwd=cwd, env={**os.environ, **(env or {})})
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise GetTmuxError(f"{Path(command[0]).name} {command[1]} failed: {said[-1] if said else 'no word'}")
    return result.stdout


def _archive() -> str:
    """The address of the Debian archive that apt uses here, out of apt's own understanding of its sources."""
    if not shutil.which("apt-get"):
        raise GetTmuxError("no apt-get: other tmux versions are fetched on Debian only")
    targets = _run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    for line in targets.splitlines():
        address, release, component = line.split(maxsplit=2)
        if component == "main" and release in {
            *RELEASES.values(),
            "oldstable",
            "stable",
            "testing",
            "unstable",
        }:
            return address
    raise GetTmuxError(
        "apt has no Debian archive here: add one with component main to /etc/apt/sources.list.d"
    )


def _fetch(version: str, folder: Path) -> None:
    release = RELEASES[version]
    archive = _archive()
    if not KEYRING.exists():
        raise GetTmuxError(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{version}-") as temporary:
        place = Path(temporary)
        packages = _download(place, f"deb [signed-by={KEYRING}] {archive} {release} main\n")
        (place / "result").mkdir()
        root = place / "result" / "root"
        for package in packages:
            _run("dpkg-deb", "-x", package, root)
        program = place / "result" / "tmux"
        if tmux_version(root / "usr/bin/tmux") == version:
            program.symlink_to("root/usr/bin/tmux")
        else:
            # The wrapper names the final place, where the finished folder arrives in one step.
            program.write_text(_wrapper(root, folder / "root"))
            program.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        (place / "result").rename(folder)
    got = tmux_version(folder / "tmux")
    if got != version:
        shutil.rmtree(folder)
        raise GetTmuxError(f"Debian {release} has tmux {got or 'that does not run here'}, not {version}")


def _download(place: Path, sources: str) -> list[Path]:
    """Download tmux and all that it depends on for a machine on which nothing is installed."""
    (place / "sources.list").write_text(sources)
    (place / "status").touch()
    for name in ("lists/partial", "archives/partial"):
        (place / name).mkdir(parents=True)
    options = {
        "Dir::State::Lists": place / "lists", "Dir::State::Status": place / "status",
        "Dir::State::Extended_states": place / "extended_states", "Dir::Cache": place,
        "Dir::Etc::SourceList": place / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
        "Acquire::Languages": "none", "APT::Sandbox::User": "", "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true",
    }  # fmt: skip
    flags = [f"-o{name}={value}" for name, value in options.items()]
    _run("apt-get", "update", "-qq", "--error-on=any", *flags)
    _run("apt-get", "install", "-qq", "--download-only", "--yes", *flags, "tmux")
    return sorted((place / "archives").glob("*.deb"))


def _wrapper(root: Path, final: Path) -> str:
    loaders = [
        path for path in root.glob("**/ld-linux*.so.*") if path.resolve().is_relative_to(root.resolve())
    ]
    if not loaders:
        raise GetTmuxError("the downloaded C library has no loader that is known here")
    folders = {path.parent for path in root.glob("**/*.so.*") if re.match(r"lib\w+|ld-", path.name)}
    libraries = ":".join(str(final / folder.relative_to(root)) for folder in sorted(folders))
    return _WRAPPER.format(
        loader=shlex.quote(str(final / loaders[0].relative_to(root))),
        libraries=shlex.quote(libraries),
        tmux=shlex.quote(str(final / "usr/bin/tmux")),
    )


def main() -> int:
    """Print `VERSION: PROGRAM` for each version asked for, all of them without arguments."""
    parser = argparse.ArgumentParser(description="Bring runnable tmux versions of other Debian releases.")
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help=f"of {', '.join(RELEASES)}; all if none"
    )
    try:
        for version in parser.parse_args().versions or RELEASES:
            print(f"{version}: {get_tmux(version)}", flush=True)
    except GetTmuxError as error:
        print(f"get_tmux: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
