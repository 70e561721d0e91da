"""docs/exactness.md from the results."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.exactness.measure import INTERVALS, WAYS
from bench.exactness.workloads import WORKLOADS, Figure, Group, Workload

_HEAD = """\
# How exact the figures are

What is told of a session, beside what the kernel charged to a cgroup with exactly its processes. Three
exporters run at a time, with a sample every 1, 5 and 15 s; a cell has their errors in percent. They are read
a minute after the work. Of orphans there is also how much the session says that it lacks (told), if anything.
Open descriptors are counted one by one; of written bytes it is known how many.

`python -m bench.exactness` measures this and writes the page. It needs root, which makes the cgroups; with
`python -m bench.exactness --as NAME` an ordinary user runs tmux and the exporters.

"""
_WAYS = {
    "own": "the pane has a cgroup of its own, with the name that tmux gives it from 3.4 on with systemd",
    "nameless": "the same, but only its members tell whose it is, not its name",
    "shared": "strangers are in the pane's cgroup, so that only processes tell",
    "events": "the same, with the kernel's fork events (`processes.lineage: true`)",
}
_GOALS: Mapping[Group, Mapping[str, float | None]] = {
    Group.WAITED: {"own": 0.01, "shared": 0.01, "events": 0.01},
    Group.MOVED: {"own": 0.01, "shared": 0.01, "events": 0.01},
    Group.ORPHANS: {"own": 0.02, "nameless": 0.02, "shared": None, "events": 0.10},
    Group.SHORT_ORPHANS: {"own": 0.02, "nameless": 0.02, "shared": None, "events": None},
    Group.MEMORY: {"own": 0.03, "shared": 0.03, "events": 0.03},
    Group.FDS: {"own": 0.0, "shared": 0.0, "events": 0.0},
    Group.IO: {"own": 0.01, "shared": 0.01, "events": 0.01},
}
"""The largest error that is wanted; None: what is caught is only told, and the pane says that it is short."""


def page(result: Mapping[str, Any]) -> str:
    """The whole page; `result` is by place."""
    sources = Path(__file__).with_name("sources.txt").read_text("utf-8")
    return _HEAD + sources + "\n".join(_lines(result)) + "\n"


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    for name, what in _WAYS.items():
        yield f"- **{name}**: {what}."
    yield from ("", "## The worst of each kind", "")
    yield from _table(("where", "kind", "way", "goal", "worst", "of", ""), _worst(result))
    for place, found in result.items():
        world = found["world"]
        yield from ("", f"## {place}", "")
        yield (
            f"Linux {world['kernel']}, {world['tmux']}, {world['cpus']} processors, revision "
            f"{world['revision']}, load at the start {world['load1']:.1f}."
            + (f" {100 * world['work']:g} % of the work." if world.get("work", 1) != 1 else "")
            + (f" Exporters with `{world['settings']}`." if world.get("settings") else "")
        )
        for way in _measured(found):
            if left_out := found[way]["left_out"]:
                missing = (f"{name} (needs {', '.join(needs)})" for name, needs in left_out.items())
                yield from ("", f"Left out of *{way}*: {'; '.join(missing)}.")
        for group in Group:
            yield from ("", f"### {place}: {group}", "")
            heads = (f"{way}, {'/'.join(map(str, INTERVALS))} s" for way in _measured(found))
            yield from _table(("workload", "", "truth", *heads), _rows(found, group))


def _measured(found: Mapping[str, Any]) -> list[str]:
    return [way.name for way in WAYS if way.name in found]


def _of(group: Group) -> list[Workload]:
    return [each for each in WORKLOADS if each.group is group]


def _by_name(found: Mapping[str, Any], way: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found[way]["rows"]}


def _rows(found: Mapping[str, Any], group: Group) -> Iterator[tuple[str, ...]]:
    for workload in _of(group):
        rows = [_by_name(found, way).get(workload.name) for way in _measured(found)]
        truth = next((row["truth"] for row in rows if row), None)
        if truth is not None:
            cells = (_cell(row, group) if row else "" for row in rows)
            yield (f"`{workload.name}`", workload.what, _amount(workload.figure, truth), *cells)


def _cell(row: Mapping[str, Any], group: Group) -> str:
    errors = " ".join(map(_percent, row["error"]))
    if group not in (Group.ORPHANS, Group.SHORT_ORPHANS) or not any(row.get("told", ())):
        return errors
    return f"{errors} (told {' '.join(f'{100 * each:.0f}' for each in row['told'])})"


def _worst(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for place, found in result.items():
        for group in Group:
            for way in _measured(found):
                rows = _by_name(found, way)
                errors = {
                    f"`{each.name}` at {interval} s": error
                    for each in _of(group)
                    if each.name in rows
                    for interval, error in zip(INTERVALS, rows[each.name]["error"], strict=True)
                }
                if not errors:
                    continue
                name, error = max(errors.items(), key=lambda item: abs(item[1]))
                goal = _GOALS[group][way]
                met = "" if goal is None else "reached" if abs(error) <= goal else "**missed**"
                told = "" if goal is None else f"≤ {100 * goal:g} %"
                yield place, group, way, told, f"{_percent(error)} %", name, met


def _percent(error: float) -> str:
    return f"{100 * error:+.1f}" if abs(error) < 10 else f"{100 * error:+,.0f}"


def _amount(figure: Figure, value: float) -> str:
    if figure is Figure.CPU:
        return f"{value:.2f} s"
    if figure is Figure.FDS:
        return f"{value:g}"
    return f"{value / (1 << 20):.1f} MiB"


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    heads = tuple(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
