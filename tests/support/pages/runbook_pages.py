"""The commands that stand in the runbooks for people to run."""

from pathlib import Path

from tests.support.alerts.files import RUNBOOKS
from tests.support.pages.markdown import REPOSITORY, blocks, words

PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")

PROGRAMS = (
    *("amtool", "cat", "curl", "df", "du", "exec", "grep", "journalctl", "jq", "kill", "loginctl", "ls"),
    *("prlimit", "promtool", "ps", "sort", "tail", "uniq"),
    *("py-spy", "systemctl", "timeout", "tmux", "tmux-exporter", "tmux-remediator"),
)
"""Whatever a command may begin with."""


def commands(page: Path) -> list[str]:
    """Each line that is to be run; a command that stands in its text is one too."""
    page = page.relative_to(REPOSITORY)
    return [line for block in blocks(page) if block.language == "sh" for line in block.commands()] + [
        each.text for each in words(page) if each.text.split(maxsplit=1)[0] in PROGRAMS and " " in each.text
    ]
