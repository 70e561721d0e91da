"""What a command cost, its budgets, and the reports of both: text, Markdown, JUnit, JSON; pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from xml.sax.saxutils import escape, quoteattr

from tmux_exporter.commands.views.text_table import size, span

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A process that was still there at the end, outside of every pane; `name` is that of its program."""

    pid: int
    name: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a command with all that it started, what has left its tree included.

    `exit_code` is as a shell shows it. `peak_memory_bytes` is the largest sum that was seen, None where it
    ended before one could be; `cpu_seconds` is the kernel's own account.
    """

    command: tuple[str, ...]
    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None
    peak_processes: int
    tmux_servers_left: int
    leaks: tuple[Left, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The most that a command may cost; None is no bound."""

    memory: int | None = None
    cpu: float | None = None
    time: float | None = None
    leaks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of the report: `within` is None where it has no budget, or is not known."""

    name: str
    shown: str
    budget: str = ""
    within: bool | None = None


def lines(cost: Cost, budgets: Budgets) -> list[Line]:
    """The figures beside their budgets."""
    left = ", ".join(f"{each.name} ({each.pid})" for each in cost.leaks)
    left_over = f"{len(cost.leaks)}{f': {left}' if left else ''}"
    measured = "not seen" if cost.peak_memory_bytes is None else size(cost.peak_memory_bytes)
    return [
        _line("peak memory", cost.peak_memory_bytes, measured, budgets.memory, size),
        _line("CPU", cost.cpu_seconds, f"{cost.cpu_seconds:.1f} s", budgets.cpu, span),
        _line("time", cost.seconds, f"{cost.seconds:.1f} s", budgets.time, span),
        _line("left over", len(cost.leaks), left_over, budgets.leaks, str),
        Line(name="processes at once", shown=str(cost.peak_processes)),
        Line(name="tmux servers that still run", shown=str(cost.tmux_servers_left)),
    ]


def _line(name: str, value: float | None, shown: str, most: float | None, words: object) -> Line:
    if most is None:
        return Line(name=name, shown=shown)
    told = words(most) if callable(words) else ""
    return Line(name=name, shown=shown, budget=str(told), within=None if value is None else value <= most)


def status(cost: Cost, told: Iterable[Line]) -> int:
    """The exit code: the command's, and 1 only where that is 0 and a budget was passed."""
    return cost.exit_code or int(any(each.within is False for each in told))


def as_text(told: Iterable[Line]) -> str:
    """Lines for a log."""
    return "\n".join(f"tmux-exporter run: {_words(each)}" for each in told)


def _words(line: Line) -> str:
    verdict = {None: f", budget {line.budget}, not judged", True: f", within {line.budget}"}
    beyond = verdict.get(line.within, f", MORE THAN THE BUDGET of {line.budget}")
    return f"{line.name} {line.shown}{beyond if line.budget else ''}"


def as_markdown(cost: Cost, told: Iterable[Line]) -> str:
    """A table for the summary of a pipeline."""
    marks = {None: "", True: "within", False: "**exceeded**"}
    rows = [f"| {each.name} | {_cell(each.shown)} | {each.budget} | {marks[each.within]} |" for each in told]
    head = f"### Cost of `{_cell(' '.join(cost.command))}` (exit code {cost.exit_code})"
    return "\n".join((head, "", "| | used | budget | |", "| --- | --- | --- | --- |", *rows, "", ""))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("`", "'").split())


def as_junit(cost: Cost, told: Iterable[Line]) -> str:
    """One test case for the command and one for each budget."""
    cases = [_case("command", f"exit code {cost.exit_code}", failed=cost.exit_code != 0)]
    cases += [_case(each.name, _words(each), failed=each.within is False) for each in told if each.budget]
    failures = sum("<failure" in each for each in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" time="{cost.seconds:.3f}"'
    head = f'<testsuite name="tmux-exporter run" {counts}>'
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>", ""))


def _case(name: str, words: str, *, failed: bool) -> str:
    inner = (
        f"<failure message={quoteattr(_xml(words))}/>"
        if failed
        else f"<system-out>{escape(_xml(words))}</system-out>"
    )
    return f'  <testcase classname="tmux-exporter run" name={quoteattr(name)}>{inner}</testcase>'


def _xml(text: str) -> str:
    """Without what XML 1.0 has no way to write."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def as_json(cost: Cost, budgets: Budgets, told: Iterable[Line]) -> str:
    """The same as data; null is not known, or no budget."""
    document: Mapping[str, object] = {
        "version": VERSION,
        **asdict(cost),
        "budgets": asdict(budgets),
        "exceeded": [each.name for each in told if each.within is False],
    }
    return json.dumps(document, indent=2) + "\n"
