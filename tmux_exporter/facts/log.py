"""Facts about the log lines of our programs."""

from enum import StrEnum


class LogOutcome(StrEnum):
    """What came of a log line (closed list, a label)."""

    WRITTEN = "written"
    LOST = "lost"
