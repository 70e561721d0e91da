"""The workloads of exactness are scripts that a shell takes; the page has a row for each."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.exactness.__main__ import _add
from bench.exactness.page import page
from bench.exactness.shapes import SHAPES
from bench.exactness.workloads import WORKLOADS, Figure, Group
from tests.support.processes.run_text import run_text
from tmux_exporter.metrics.catalogue import FAMILIES


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.name)
def test_a_shell_takes_every_script(workload: Any) -> None:
    script = workload.scaled(0.02)
    done = run_text(["sh", "-n"], input=script)
    assert (done.returncode, done.stderr) == (0, "")
    assert "@" not in script.replace("a@b", "")


def test_so_much_of_the_work_is_done_once() -> None:
    by_name = {each.name: each for each in WORKLOADS}
    assert "-lt 120 ]" in by_name["true"].scaled(0.02)
    # A loop of what is less work is done as often.
    assert "-lt 60 ]" in (python := by_name["python"].scaled(0.02))
    assert "range(20000)" in python


def test_results_of_another_pass_replace_their_rows_and_no_others(tmp_path: Path) -> None:
    world = {"kernel": "6.12", "tmux": "tmux 3.5a", "cpus": 2, "revision": "abc", "load1": 0.5}
    rows = [{"name": name, "truth": 4.0, "error": [0.0, 0.0, 0.0]} for name in ("make", "git")]
    better = [{"name": "git", "truth": 9.0, "error": [0.0, 0.0, 0.0]}]

    def found(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"world": world, "own": {"rows": rows, "left_out": {}}}

    before = {"v1": found(rows), "v2": found(rows)}
    _add(tmp_path, before, {"v2": found(better), "v3": found(better)})
    written = json.loads((tmp_path / "exactness.json").read_text())
    assert [each["truth"] for place in written.values() for each in place["own"]["rows"]] == [4, 4, 4, 9, 9]
    assert "## v3" in (tmp_path / "exactness.md").read_text()


def test_names_are_unique_and_every_shape_is_run() -> None:
    names = [each.name for each in WORKLOADS]
    assert len(names) == len(set(names)) >= 40
    assert set(SHAPES) <= set(names)
    assert {each.group for each in WORKLOADS} == set(Group)


def _result(**errors: list[float]) -> dict[str, Any]:
    rows = [
        {"name": each.name, "truth": 4.0, "error": errors.get(each.name, [0.0, 0.0, 0.0])}
        for each in WORKLOADS
    ]
    world = {"kernel": "6.18", "tmux": "tmux 3.5a", "cpus": 2, "revision": "abc", "load1": 0.5}
    left_out = {"npm": ["npm"]}
    return {"cgroup v2, root": {"world": world, "shared": {"rows": rows, "left_out": left_out}}}


def test_the_page_has_every_workload_and_says_what_is_missed() -> None:
    text = page(_result(make=[0.0, -0.2, 0.001], double_fork=[-0.9, -0.95, -1.0]))
    for each in WORKLOADS:
        assert f"| `{each.name}` | {each.what} |" in text
    assert "| `make` | make -j4 with 300 C files | 4.00 s | +0.0 -20.0 +0.1 |" in text
    assert "| a parent waits | shared | ≤ 1 % | -20.0 % | `make` at 5 s | **missed** |" in text
    assert "| panes are moved and renamed | shared | ≤ 1 % | +0.0 % |" in text
    # What has no goal is told, and neither reached nor missed.
    assert "| orphans that live shorter | shared |  | -100.0 % | `double_fork` at 15 s |  |" in text
    assert "Left out of *shared*: npm (needs npm)." in text


def test_the_page_says_of_orphans_what_their_session_tells_as_missing() -> None:
    result = _result(sh_c=[-0.5, -0.6, -0.7])
    for row in result["cgroup v2, root"]["shared"]["rows"]:
        row["told"] = [0.4, 0.5, 0.6] if row["name"] in ("sh_c", "make") else [0.0, 0.0, 0.0]
    text = page(result)
    assert "| -50.0 -60.0 -70.0 (told 40 50 60) |" in text
    assert "| `make` | make -j4 with 300 C files | 4.00 s | +0.0 +0.0 +0.0 |" in text


def test_figures_name_metrics_of_a_session() -> None:
    names = {each.name for each in FAMILIES}
    assert {f"tmux_session_{each}" for each in Figure} <= names
