"""What the tests of containers build on: a base image, and wheels for its Python.

    python -m tests.support.programs.container_base

makes them where they are missing; `make check` does it before its tests, which have no network. The base is
Debian as its mirrors have it, with the packages of the Containerfile downloaded: apt finds them offline.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLACE = ROOT / ".venv" / "containers"
SUITE, PYTHON = "trixie", "3.13"
PACKAGES = ("python3-venv", "tmux")
MAKE = "python -m tests.support.programs.container_base"
_SECONDS = 1200


def base() -> tuple[Path, Path]:
    """The archive of the base image and the folder of wheels."""
    assert os.getuid() == 0, "podman runs here as root only: in a test's namespaces it has no user namespaces"
    for program, package in (("podman", "podman"), ("runc", "runc"), ("catatonit", "catatonit")):
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/libexec/podman")
        assert path, f"apt-get install {package}: `make check` does it"
    assert _made() == _wanted(), MAKE
    return PLACE / "base.tar", PLACE / "wheels"


def _wanted() -> str:
    return f"1 {SUITE} {PYTHON} {PACKAGES} {_requirements()}"


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"]["web"]
    return [*project["project"]["dependencies"], *optional, *project["build-system"]["requires"]]


def _made() -> str:
    stamp = PLACE / ".made-for"
    return stamp.read_text() if stamp.is_file() else ""


def main() -> None:
    """Make both anew where they are not those of this checkout."""
    if _made() == _wanted():
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    install = "apt-get -qq install -y --no-install-recommends --download-only"
    _run(
        *("mmdebstrap", "--quiet", "--variant=apt", "--skip=cleanup/apt"),
        # Without a network it would ask again and again.
        """--customize-hook=echo 'Acquire::Retries "0";' >"$1"/etc/apt/apt.conf.d/90offline""",
        f'--customize-hook=chroot "$1" {install} {" ".join(PACKAGES)}',
        *(SUITE, str(PLACE / "base.tar")),
    )
    download = (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download")
    binary = ("--python-version", PYTHON, "--only-binary", ":all:", "--dest", str(PLACE / "wheels"))
    _run(*download, *binary, *_requirements())
    (PLACE / ".made-for").write_text(_wanted())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS)


if __name__ == "__main__":
    os.umask(0o022)
    try:
        main()
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"CONTAINERS ARE NOT TESTED: {error}\n")
