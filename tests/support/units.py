"""The systemd units that are shipped, and what stands in them."""

import configparser
from pathlib import Path

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
EXPORTER = UNITS / "tmux-exporter.service"
REMEDIATOR = UNITS / "tmux-remediator@.service"


def service_of(unit: Path) -> configparser.SectionProxy:
    """Its section [Service], the last of several lines for a key."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    return parser["Service"]
