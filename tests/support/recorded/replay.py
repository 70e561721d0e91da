"""Recorded pages of `/metrics` as one small fixture, and the fixture as a test of promtool.

`python -m tests.support.recorded.replay FOLDER FIXTURE` makes the fixture of what `record_fleet` wrote: one
line for each series, its values every 15 s in promtool's writing. Times are counted from the beginning of the
recording, as promtool's clock is.
"""

import gzip
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.recorded.record_fleet import STEP

_TIMES = ("_timestamp_seconds", "_start_time_seconds")
_DROPPED = ("process_", "python_")
_KEPT = ("process_start_time_seconds",)

Series = dict[str, list[float | None]]


def pages(folder: Path) -> Iterator[tuple[float, str]]:
    """The time and the text of each page; an exporter that did not answer wrote none."""
    for path in sorted(folder.glob("*.gz")):
        head, _, page = gzip.decompress(path.read_bytes()).decode().partition("\n")
        yield float(head.removeprefix("# ")), page


def recorded(folder: Path) -> tuple[Series, int]:
    """Every series, one value a page, None where it was not there; and how many pages there are."""
    found: Series = {}
    began = None
    for number, (now, page) in enumerate(pages(folder)):
        began = now if began is None else began
        values = {'up{job="tmux", instance="a:1"}': float(bool(page))}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name.startswith(_DROPPED) and sample.name not in _KEPT:
                    continue
                labels = {"job": "tmux", "instance": "a:1", **sample.labels}
                shown = ", ".join(f'{name}="{value}"' for name, value in labels.items())
                value = sample.value - began if sample.name.endswith(_TIMES) else sample.value
                values[f"{sample.name}{{{shown}}}"] = value
        for name in found.keys() | values.keys():
            found.setdefault(name, [None] * number).append(values.get(name))
    return found, number + 1


def compact(values: list[float | None]) -> str:
    """Values in promtool's writing; a series that goes away is stale at once, as Prometheus marks it."""
    parts: list[str] = []
    for value, same in groupby(values):
        count = len(list(same))
        if value is None:
            parts += (["stale"] if parts else ["_"]) + ([f"_x{count - 1}"] if count > 1 else [])
        else:
            shown = f"{value:.9g}"
            parts.append(f"{shown}x{count - 1}" if count > 2 else " ".join([shown] * count))
    return " ".join(parts)


def write(folder: Path, fixture: Path) -> None:
    """Write the fixture of a recording."""
    series, _ = recorded(folder)
    text = "".join(f"{name}\t{compact(values)}\n" for name, values in sorted(series.items()))
    fixture.write_bytes(gzip.compress(text.encode(), mtime=0))


def as_test(
    fixture: Path, rules: list[Path], groups: list[str], checks: list[dict[str, Any]]
) -> dict[str, Any]:
    """A test of promtool that replays a fixture."""
    rows = (line.split("\t") for line in gzip.decompress(fixture.read_bytes()).decode().splitlines())
    series = [{"series": name, "values": values} for name, values in rows]
    case = {"interval": f"{STEP}s", "input_series": series, "promql_expr_test": checks}
    return {
        "rule_files": [str(path) for path in rules],
        "group_eval_order": groups,
        "evaluation_interval": f"{STEP}s",
        "tests": [case],
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
