"""An Explanation for a terminal and as plain data."""

from dataclasses import asdict
from typing import Any

from tmux_exporter.analysis.report.explained import ExplainedProcess, Explanation, Sums
from tmux_exporter.commands.views.text_table import UNKNOWN, columns, number, size, table
from tmux_exporter.facts.cgroups import CgroupPlace
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.process import ProcessId

_COLUMNS = columns("PID>", "NAME", "MEMORY>", "SHARE>", "CPU>", "FDS>", "THREADS>", "EVIDENCE")

_PART_COLUMNS = columns("PART", "PROCESSES>", "MEMORY>", "CPU>", "FDS>", "THREADS>", "WHAT")


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON-ready data; a repeated fact is a list."""
    facts: dict[str, list[str]] = {}
    for label, value in explanation.facts:
        facts.setdefault(label, []).append(value)
    return {
        "version": 1,
        "title": explanation.title,
        "facts": {label: values[0] if len(values) == 1 else values for label, values in facts.items()},
        "sums": asdict(explanation.sums),
        "parts": [asdict(part) for part in explanation.parts],
        "members": [asdict(member) for member in explanation.members],
    }


def as_text(explanation: Explanation) -> str:
    """The explanation as a page for a terminal."""
    width = max((len(label) for label, _ in explanation.facts), default=0)
    lines = [explanation.title, *(f"  {label:<{width}}  {value}" for label, value in explanation.facts)]
    if explanation.parts:
        parts = [(part.name, *_sums(part.sums), part.words) for part in explanation.parts]
        lines += ["", *table(_PART_COLUMNS, parts)]
    if explanation.members:
        rows = [_row(member) for member in explanation.members]
        if len(rows) > 1:
            count, memory, cpu, fds, threads = _sums(explanation.sums)
            rows.append(("", f"all {count}", memory, "", cpu, fds, threads, ""))
        lines += ["", *table(_COLUMNS, rows)]
    else:
        lines += ["", "  no living process"]
    return "\n".join(lines)


def bounds_words(process: ProcessId, place: CgroupPlace) -> str:
    """What a process is bound by in its cgroup, as by a throttle; empty without any but of tasks."""
    bounds = place.bounds
    words = (
        (bounds.memory_high, f"memory.high {size(bounds.memory_high)}"),
        (bounds.memory_max, f"memory.max {size(bounds.memory_max)}"),
        (bounds.cpu_percent, f"CPU {bounds.cpu_percent} %"),
    )
    told = [text for bound, text in words if bound is not None]
    if not told or not place.path:
        return ""
    if bounds.tasks_max is not None:
        told.append(f"tasks {bounds.tasks_max}")
    return f"process {process.pid}, in {visible_text(place.path[-1])}: {', '.join(told)}"


def _sums(sums: Sums) -> tuple[str, str, str, str, str]:
    memory, cpu = size(sums.memory_bytes), f"{sums.cpu_seconds:.1f}s"
    return str(sums.processes), memory, cpu, number(sums.open_fds), str(sums.threads)


def _row(member: ExplainedProcess) -> tuple[str, ...]:
    share = UNKNOWN if member.memory_ratio is None else f"{member.memory_ratio:.0%}"
    memory, cpu = size(member.memory_bytes), f"{member.cpu_seconds:.1f}s"
    fds, threads = number(member.open_fds), str(member.threads)
    return str(member.pid), member.name, memory, share, cpu, fds, threads, member.evidence
