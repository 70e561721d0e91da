"""The bench runs from beginning to end at its smallest size. What it measures is never asserted here."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_quick_run_writes_page_results_and_picture(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", "--quick", "--out", str(tmp_path)]
    done = run_text(command, cwd=REPOSITORY, timeout=560)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "performance.json").read_text())
    (fleet,) = result["fleets"]
    # A world of its own: only the fleet, what is beside it, and the exporters.
    assert 5 * 7 + 50 <= fleet["processes"] < 5 * 7 + 50 + 30
    assert fleet["tools_in_a_window"] >= 1
    for phase in ("rest", "active", "churn"):
        assert all(len(windows) == 1 for windows in fleet[phase].values())
        assert all(used > 0 for windows in fleet[phase].values() for used in windows)
    assert set(result["accuracy"]) == {"w1", "w2", "w3", "w4"}
    assert result["memory"]["cost"]["counted_mib"] > 150
    assert result["lives"]["panes"] == 100
    assert all(used > 0 for used in result["readers"]["ms"].values())
    assert result["cockpit"]["useful_ms"] >= result["cockpit"]["paint_ms"] > 0
    assert result["cockpit"]["history_kib"] > 10
    assert result["growth"]["series_of_a_session"] > 10
    assert result["growth"]["forked"]["ms"] > 0
    assert result["growth"]["burst"]["mib"]["largest"] > 10
    assert result["spending"]["ms"]["on"]["large"]["longest"] > 0
    page = (tmp_path / "performance.md").read_text()
    assert "## Goals" in page
    assert (tmp_path / "images" / "performance.svg").read_text().startswith("<svg")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_exactness_of_a_few_workloads_is_measured_against_cgroups(tmp_path: Path) -> None:
    names = "heap,descriptors,jobs"
    command = [sys.executable, "-m", "bench.exactness", "--ways", "shared", "--only", names]
    done = run_text([*command, "--out", str(tmp_path)], cwd=REPOSITORY, timeout=560)
    assert done.returncode == 0, done.stderr
    (place,) = json.loads((tmp_path / "exactness.json").read_text()).values()
    errors = {row["name"]: row["error"] for row in place["shared"]["rows"]}
    assert sorted(errors) == sorted(names.split(","))
    assert all(abs(error) <= 0.03 for row in errors.values() for error in row)
    assert "| `heap` | a block of 100 MiB |" in (tmp_path / "exactness.md").read_text()
