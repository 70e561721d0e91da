"""The findings of `doctor` for a terminal and as plain data."""

import json
import textwrap
from collections.abc import Sequence

from tmux_exporter.analysis.checkup import Finding, Level

_MARKS = {
    Level.PROBLEM: ("✗", 31),
    Level.WARNING: ("!", 33),
    Level.HINT: ("·", 36),
    Level.FINE: ("✓", 32),
}
_GREY = 90


def as_json(findings: Sequence[Finding]) -> str:
    """A versioned object with one entry a finding."""
    rows = [
        {"subject": each.subject, "level": each.level, "text": each.text, "mend": each.mend}
        for each in findings
    ]
    return json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False)


def as_text(findings: Sequence[Finding], width: int, *, color: bool) -> str:
    """One finding a paragraph, what mends it below it and never broken, so that it can be copied."""
    place = max((len(each.subject) for each in findings), default=0)
    lines = []
    for each in findings:
        mark, hue = _MARKS[each.level]
        head = f"{each.subject:<{place}}  "
        words = textwrap.wrap(each.text, max(width - place - 4, 30)) or [""]
        lines.append(f"{_styled(mark, hue, color)} {head}{words[0]}")
        lines += [" " * (place + 4) + rest for rest in words[1:]]
        if each.mend:
            lines.append(" " * (place + 4) + _styled(f"→ {each.mend}", _GREY, color))
    amiss = sum(each.level in (Level.PROBLEM, Level.WARNING) for each in findings)
    hints = sum(each.level is Level.HINT for each in findings)
    lines += ["", f"{_count(amiss, 'thing')} to mend, {_count(hints, 'hint')}"]
    return "\n".join(lines)


def found_something(findings: Sequence[Finding]) -> bool:
    """Whether something does not work or may soon not; hints alone are no reason to fail a script."""
    return any(each.level in (Level.PROBLEM, Level.WARNING) for each in findings)


def _styled(text: str, hue: int, color: bool) -> str:
    return f"\x1b[{hue}m{text}\x1b[0m" if color else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
