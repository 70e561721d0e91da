"""From figures to what a monitoring plugin prints: status, one line, performance data; pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from tmux_exporter.commands.check.ranges import Range

MOST_BYTES = 8000
"""Nagios keeps 8 KiB of what a plugin prints."""

_CUT = "what else there is does not fit here: give --server, --session or --agent"
_NOT_IN_LABELS = re.compile(r"[%='|\\\x00-\x1f\x7f]")


class Status(IntEnum):
    """The exit codes of monitoring plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_RANK = (Status.OK, Status.UNKNOWN, Status.WARNING, Status.CRITICAL)
"""Of several the last one counts: what is known to be bad goes before what is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One value of one thing. `unit` is empty, `s`, `%`, `B` or `c`; `words` say the value to a person.

    `chosen`: the ranges of the command line hold for it, in place of its own. A value of None is not known.
    """

    label: str
    value: float | None
    unit: str = ""
    words: str = ""
    chosen: bool = False
    warning: Range | None = None
    critical: Range | None = None

    @property
    def status(self) -> Status:
        """What its ranges make of it; a figure without ranges is for graphs and judged by nobody."""
        if self.value is None:
            return Status.UNKNOWN
        if self.critical and self.critical.alerts(self.value):
            return Status.CRITICAL
        return Status.WARNING if self.warning and self.warning.alerts(self.value) else Status.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The status, and what is printed: one line, then the lines of what is not well."""

    status: Status
    text: str


def judge(subject: str, figures: Sequence[Figure], *, calm: str, unseen: Iterable[str] = ()) -> Verdict:
    """Judge the figures of a subject. `calm` is said where all is well, `unseen` is what cannot be seen."""
    troubles = [(Status.UNKNOWN, words) for words in unseen]
    troubles += [(each.status, _words(each)) for each in figures if each.status is not Status.OK]
    # A stable sort: the worst of the same status stays in front.
    troubles.sort(key=lambda each: -_RANK.index(each[0]))
    status = troubles[0][0] if troubles else Status.OK
    first = troubles[0][1] if troubles else calm
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Verdict(
        status=status,
        text=_fitting(
            f"{title(subject, status)} - {_plain(first)}{more}",
            [f"{each.name}: {_plain(words)}" for each, words in troubles] if len(troubles) > 1 else [],
            [_performance(each, each.value) for each in figures if each.value is not None],
        ),
    )


def title(subject: str, status: Status) -> str:
    """`TMUX MEMORY OK`."""
    return f"TMUX {subject.upper()} {status.name}"


def unknown(subject: str, words: str) -> Verdict:
    """Nothing is known but why."""
    return Verdict(status=Status.UNKNOWN, text=f"{title(subject, Status.UNKNOWN)} - {_plain(words)}")


def _words(figure: Figure) -> str:
    if figure.value is None:
        return f"{figure.label}: not known"
    status = figure.status
    broken = figure.critical if status is Status.CRITICAL else figure.warning
    shown = figure.words or f"{_number(figure.value)}{'' if figure.unit == 'c' else figure.unit}"
    return f"{figure.label}: {shown} ({status.name.lower()} at {broken.text if broken else ''})"


def _performance(figure: Figure, value: float) -> str:
    label = _NOT_IN_LABELS.sub(lambda each: f"%{ord(each[0]):02X}", figure.label)
    ranges = [each.text if each else "" for each in (figure.warning, figure.critical)]
    return f"'{label}'={_number(value)}{figure.unit};{';'.join((*ranges, '0'))}"


def _number(value: float) -> str:
    """Digits and at most one point: neither exponent nor thousands."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _plain(text: str) -> str:
    """A text on one line without a bar, behind which performance data would begin."""
    return " ".join(text.replace("|", "/").split())


def _fitting(first: str, lines: list[str], performance: list[str]) -> str:
    """As much of it as a monitor keeps: the first line, then performance data, then lines."""
    left = MOST_BYTES - _size(first) - _size(_CUT) - 2
    kept = []
    for part in (*performance, *lines):
        left -= _size(part) + 1
        if left < 0:
            break
        kept.append(part)
    shown, below = kept[: len(performance)], kept[len(performance) :]
    head = f"{first} | {' '.join(shown)}" if shown else first
    cut = [_CUT] if len(kept) < len(performance) + len(lines) else []
    return "\n".join((head, *below, *cut))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))
