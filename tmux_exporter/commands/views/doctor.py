"""The findings of `doctor` for a terminal and as plain data."""

import json
import textwrap
from collections.abc import Iterable, Sequence

from tmux_exporter.analysis.doctor.findings import Finding, Level

_MARKS = {Level.PROBLEM: ("✗", 31), Level.WARNING: ("!", 33), Level.HINT: ("·", 36), Level.FINE: ("✓", 32)}
_GREY = 90
_COLUMN = 20
"""The longest subject that stands beside its text: servers elsewhere have long paths."""


def as_json(findings: Sequence[Finding]) -> str:
    """A versioned object with one entry a finding."""
    rows = [
        {"subject": each.subject, "level": each.level, "text": each.text, "mend": each.mend}
        for each in findings
    ]
    return json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False)


def as_text(findings: Sequence[Finding], width: int, *, color: bool) -> str:
    """One finding a paragraph, what mends it below it and never broken, so that it can be copied.

    The same of several subjects is said once, below all of them; below its subject, too, where that is long.
    """
    place = max((len(each.subject) for each in findings if len(each.subject) <= _COLUMN), default=0)
    lines = []
    for same in _alike(findings):
        each, subjects = same[0], list(dict.fromkeys(one.subject for one in same))
        mark, hue = _MARKS[each.level]
        beside = len(subjects) == 1 and len(each.subject) <= place
        room = place + 4 if beside else 4
        words = textwrap.wrap(each.text, max(width - room, 30)) or [""]
        first, *more = [f"{each.subject:<{place}}  {words.pop(0)}"] if beside else subjects
        lines.append(f"{_styled(mark, hue, color)} {first}")
        lines += [f"  {one}" for one in more]
        lines += [" " * room + rest for rest in words]
        if each.mend:
            lines.append(" " * room + _styled(f"→ {each.mend}", _GREY, color))
    amiss = sum(each.level in (Level.PROBLEM, Level.WARNING) for each in findings)
    hints = sum(each.level is Level.HINT for each in findings)
    lines += ["", f"{_count(amiss, 'thing')} to mend, {_count(hints, 'hint')}"]
    return "\n".join(lines)


def _alike(findings: Sequence[Finding]) -> Iterable[list[Finding]]:
    """The findings in their order, with each the later ones that say the same of something else."""
    found: dict[tuple[Level, str, str], list[Finding]] = {}
    for each in findings:
        found.setdefault((each.level, each.text, each.mend), []).append(each)
    return found.values()


def found_something(findings: Sequence[Finding]) -> bool:
    """Whether something does not work or may soon not; hints alone are no reason to fail a script."""
    return any(each.level in (Level.PROBLEM, Level.WARNING) for each in findings)


def _styled(text: str, hue: int, color: bool) -> str:
    return f"\x1b[{hue}m{text}\x1b[0m" if color else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
