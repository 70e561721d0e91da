"""Parse values of a policy file. Every error is one sentence with the fix."""

from enum import StrEnum

from tmux_exporter.config.parsers import fitting, parse_label, shown
from tmux_exporter.config.types import Choice, Duration, ListOf, Text
from tmux_exporter.remediator.policies.policy import NamePattern

LONGEST_PATTERN = 128
MOST_STARS = 4
DAY = 86400.0

WAIT = Duration(at_least=0, at_most=30 * DAY)
WINDOW = Duration(at_least=1, at_most=30 * DAY)
LABEL = Text(what="text", parser=parse_label)


class Version(StrEnum):
    """The language that a file is written in."""

    V1 = "tmux-exporter/v1"


class DocumentKind(StrEnum):
    """What a file is."""

    POLICIES = "RemediationPolicies"


class Grammar(StrEnum):
    """Which scripts of schedulers: only those that are sleep and send-keys and nothing else."""

    PURE = "pure"


parse_name = fitting(r"[a-z][a-z0-9-]{0,63}", "is no name; use a-z, 0-9 and '-', a letter first, at most 64")
"""A policy's name, a label in /metrics."""


def parse_pattern(text: str) -> str:
    """A label, or `glob:` and a pattern with `*` and `?`. Raises ValueError with the mend."""
    glob = text.removeprefix("glob:")
    if glob == text:
        if set(text) & set("*?"):
            raise ValueError(f"{shown(text)} is a name; write 'glob:{text}' for a pattern")
        return parse_label(text)
    if not glob.strip("*?"):
        raise ValueError(f"{shown(text)} fits everything; name something in it, or leave the key out")
    if len(glob) > LONGEST_PATTERN or glob.count("*") > MOST_STARS or set(glob) & set("[]"):
        raise ValueError(
            f"{shown(text)} is no pattern; use '*' at most {MOST_STARS} times and '?', no brackets, "
            f"at most {LONGEST_PATTERN} characters"
        )
    return text


PATTERNS = ListOf(item=Text(what="name, or `glob:` and a pattern", parser=parse_pattern))


def patterns(texts: tuple[str, ...]) -> tuple[NamePattern, ...]:
    """What `parse_pattern` has accepted, as values."""
    return tuple(NamePattern(text.removeprefix("glob:"), glob=text.startswith("glob:")) for text in texts)


parse_hash = fitting("[0-9a-f]{64}", "is no SHA-256; write 64 hexadecimal digits, as check-config shows")
"""The SHA-256 of a command line, in hex."""


def parse_comm(text: str) -> str:
    """The name of a process, as `ps -o comm` shows it. Raises ValueError with the mend."""
    if not 1 <= len(text.encode()) <= 15:
        raise ValueError(f"{shown(text)} is longer than a process's name is; write its first 15 bytes")
    return text


def choices(of: type[StrEnum]) -> ListOf:
    """A list of members of a closed list."""
    return ListOf(item=Choice(of=of))
