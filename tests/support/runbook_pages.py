"""What stands in the runbooks for people to run: commands and queries."""

import re
from pathlib import Path

from tests.support.alert_files import RUNBOOKS

PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")

PROGRAMS = (
    *("amtool", "cat", "curl", "journalctl", "jq", "kill", "loginctl", "ls", "prlimit", "promtool", "ps"),
    *("py-spy", "systemctl", "timeout", "tmux", "tmux-exporter", "tmux-remediator"),
)
"""Whatever a command may begin with."""

_INLINE = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")


def blocks(page: Path, language: str) -> list[str]:
    """The code of a page in one language; a command that stands in its text is a block too."""
    text = page.read_text()
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found + (_INLINE.findall(text) if language == "sh" else [])


def commands(page: Path) -> list[str]:
    """Each line that is to be run."""
    return [line for block in blocks(page, "sh") for line in block.strip().split("\n")]


def queries(page: Path) -> list[str]:
    """Each query for Prometheus."""
    return blocks(page, "promql")
