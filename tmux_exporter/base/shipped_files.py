"""The files that come with the code: below `shipped/` in an installation, in their places in a checkout."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tmux_exporter.base.errors import CannotSeeError

_PACKAGE = Path(__file__).parents[1]
_FOLDER = "shipped"


def shipped(kind: str) -> dict[str, str]:
    """The files of one kind (`units`, `boards`, …), by their path below it.

    Raises CannotSeeError if the installation is incomplete.
    """
    installed = _PACKAGE / _FOLDER / kind
    found = dict(_below(installed) if installed.is_dir() else _in_checkout(kind))
    if not found:
        raise CannotSeeError(
            f"this installation has no {kind}: {installed} is missing; install tmux-exporter again"
        )
    return dict(sorted(found.items()))


def _in_checkout(kind: str) -> Iterator[tuple[str, str]]:
    """What the table of `pyproject.toml`, by which the wheel is made, would put there."""
    root = _PACKAGE.parent
    try:
        with (root / "pyproject.toml").open("rb") as stream:
            hatch = tomllib.load(stream)["tool"]["hatch"]
        table: dict[str, str] = hatch["build"]["targets"]["wheel"]["force-include"]
    except (OSError, KeyError):
        return
    for source, target in table.items():
        below = Path(target).relative_to(Path(_PACKAGE.name, _FOLDER))
        if below.parts[0] != kind:
            continue
        place, path = Path(*below.parts[1:]), root / source
        if path.is_dir():
            yield from ((str(place / name), text) for name, text in _below(path))
        else:
            yield str(place), path.read_text(encoding="utf-8")


def _below(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_text(encoding="utf-8")
