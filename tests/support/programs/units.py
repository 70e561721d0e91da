"""The systemd units that are shipped, and what stands in them."""

import configparser
import os
from pathlib import Path

from tests.support.processes.run_text import run_text

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
EXPORTER = UNITS / "tmux-exporter@.service"
REMEDIATOR = UNITS / "tmux-remediator@.service"


def is_of_user(unit: Path) -> bool:
    """Whether it is for a user's own manager: those of the system name their user."""
    return "@" not in unit.name


def service_of(unit: Path) -> configparser.SectionProxy:
    """Its section [Service], the last of several lines for a key."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    return parser["Service"]


def verified(unit: Path, home: Path) -> list[str]:
    """What systemd has to say against a unit as it stands there, for a user with that home."""
    manager = "--user" if is_of_user(unit) else "--system"
    done = run_text(
        ["systemd-analyze", manager, "verify", "--man=no", str(unit)],
        env={**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
    )
    return [line for line in done.stderr.splitlines() if unit.stem in line]
