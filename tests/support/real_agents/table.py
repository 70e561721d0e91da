"""The moments as a table: what was told of each program, from where, and how soon.

    python -m tests.support.real_agents.table docs/agents.json docs/agents.md

writes the table of the kept moments into the page; `make docs` does it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.programs.fresh_agents import locked
from tests.support.real_agents.moments import Step
from tests.support.real_agents.programs import RealProgram
from tests.support.real_agents.watch import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment; without verdicts where it could not be `staged`, or where no exporter looked on."""

    program: RealProgram
    step: Step
    verdicts: tuple[Verdict, ...]
    staged: bool = True

    def in_words(self) -> str:
        """For who looks on."""
        told = [
            f"{each.seconds:.1f} s by {each.source}"
            if each.seconds is not None
            else each.instead or "nothing"
            for each in self.verdicts
        ]
        right = all(each.is_right for each in self.verdicts)
        waits = " WAITING THAT IS NONE" if any(each.false_waiting for each in self.verdicts) else ""
        return f"{'right' if right else 'WRONG'}: {', '.join(told)}{waits}"


def as_json(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """What is kept of the moments: no screen."""
    return [
        {
            "program": each.program.name,
            "package": _package(each.program.installed or each.program.program),
            "moment": each.step.name,
            "state": str(each.step.state),
            "reasons": [str(reason) for reason in each.step.reasons],
            "told": [
                {
                    "within": verdict.allowed,
                    "seconds": None if verdict.seconds is None else round(verdict.seconds, 1),
                    "source": verdict.source,
                    "instead": verdict.instead,
                    "false_waiting": verdict.false_waiting,
                    "right": verdict.is_right,
                }
                for verdict in each.verdicts
            ],
        }
        for each in moments
    ]


def keep(played: Sequence[dict[str, Any]], file: Path, programs: Sequence[str]) -> None:
    """Write what was played into `file`, a moment a line, in place of what it has of the same programs.

    What it has of others stays, unless they are none of `programs`, which is also the order.
    """
    earlier = json.loads(file.read_text()) if file.exists() else []
    now = {each["program"] for each in played}
    moments = [*(each for each in earlier if each["program"] not in now), *played]
    lines = [json.dumps(each) for name in programs for each in moments if each["program"] == name]
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def _package(program: str) -> str:
    each = locked()[program]
    return f"{each.package} {each.version}"


def table(moments: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row a moment."""
    lines = ["| program | moment | is | told by | at 5 s | at 1 s |", "| --- | --- | --- | --- | --- | --- |"]
    for each in moments:
        reasons = " or ".join(each["reasons"])
        state = f"{each['state']} ({reasons})" if reasons else each["state"]
        if not each["told"]:
            lines.append(f"| {each['program']} | {each['moment']} | {state} | could not be staged | | |")
            continue
        sources = dict.fromkeys(told["source"] for told in each["told"] if told["source"])
        cells = " | ".join(_cell(told) for told in each["told"])
        lines.append(f"| {each['program']} | {each['moment']} | {state} | {', '.join(sources)} | {cells} |")
    lines += ["", score(moments).in_words()]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Moments that were staged, those told `right` at each interval, and each `waiting` that was none."""

    staged: int
    right: tuple[int, ...]
    false: int

    @property
    def reached(self) -> bool:
        """Whether the goal is: 95 % of at least 60 moments, and no `waiting` that is none."""
        return self.staged >= 60 and not self.false and min(self.right) >= 0.95 * self.staged

    @property
    def is_perfect(self) -> bool:
        """Whether all of it was told right."""
        return not self.false and min(self.right) == self.staged

    def in_words(self) -> str:
        """For the page and for who looks on."""
        usual, quick = self.right
        return (
            f"{self.staged} moments were staged. Told right within 7 s at the default interval: {usual}; "
            f"within 3 s at 1 s: {quick}. `waiting` that was none: {self.false}."
        )


def score(moments: Sequence[Mapping[str, Any]]) -> Score:
    """Of moments as they are kept."""
    staged = [each["told"] for each in moments if each["told"]]
    return Score(
        staged=len(staged),
        right=tuple(sum(told[column]["right"] for told in staged) for column in (0, 1)),
        false=sum(each["false_waiting"] for told in staged for each in told),
    )


_MARK = "<!-- played: make agents -->"


def with_table(page: str, made: str) -> str:
    """The page with this table between its two marks."""
    before, _, after = page.split(_MARK)
    return f"{before}{_MARK}\n{made}\n{_MARK}{after}"


def _cell(told: Mapping[str, Any]) -> str:
    if told["false_waiting"]:
        return "**waiting**"
    if told["seconds"] is None:
        return f"**{told['instead'] or 'nothing'}**"
    return f"{told['seconds']} s" if told["right"] else f"**{told['seconds']} s**"


def write_page(moments: Path, page: Path) -> None:
    """Write the table of the kept moments into the page."""
    page.write_text(with_table(page.read_text(), table(json.loads(moments.read_text()))))


if __name__ == "__main__":
    write_page(*map(Path, sys.argv[1:]))
