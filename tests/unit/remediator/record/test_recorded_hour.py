"""No false alarm: an hour of a real fleet in which much happens, and one in which nothing does, played again.

`tests/support/recorded/record_fleet.py` says what happened in them. The machine had two cores and was
fully busy with other work in that hour: that its CPU is told is right.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.alerts.files import GROUPS, REPOSITORY, RULES, run
from tests.support.recorded.replay import as_test

RECORDED = REPOSITORY / "tests" / "fixtures" / "replay"
BUSY = [("TmuxHostCpuHigh", level, "") for level in ("critical", "emergency", "warning")]
DUE = {
    "calm": [("Watchdog", "", ""), *BUSY],
    "demo": [
        ("Watchdog", "", ""),
        *BUSY,
        # A fifth of the operations failed for ten minutes.
        ("TmuxOperationErrors", "critical", ""),
        ("TmuxOperationErrors", "emergency", ""),
        ("TmuxOperationErrors", "warning", ""),
        # Two schedulers for a session that is gone, and what became of them after 54 and 57 minutes.
        ("TmuxSchedulerDangling", "", "demo"),
        ("TmuxSchedulerMissed", "", "demo"),
        # The hang of three minutes; that of half a minute is none.
        ("TmuxServerNotAnswering", "", "demo"),
    ],
}


def replayed(tmp_path: Path, name: str, checks: list[dict[str, Any]]) -> tuple[int, str]:
    """What promtool says of a recorded hour under all rules."""
    file = tmp_path / "replay.json"
    file.write_text(json.dumps(as_test(RECORDED / f"{name}.gz", RULES, GROUPS, checks)))
    return run("promtool", "test", "rules", file)


def fired(due: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Whatever fired at any time within the hour, and nothing else."""
    labels = ("alertname", "threshold", "server")
    shown = [
        ", ".join(f'{label}="{value}"' for label, value in zip(labels, each, strict=True) if value)
        for each in due
    ]
    return {
        "expr": 'group by (alertname, threshold, server) (count_over_time(ALERTS{alertstate="firing"}[2h]))',
        "eval_time": "65m",
        "exp_samples": [{"labels": f"{{{each}}}", "value": 1} for each in shown],
    }


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(DUE))
def test_in_a_recorded_hour_only_what_was_due_fires(tmp_path: Path, name: str) -> None:
    status, output = replayed(tmp_path, name, [fired(DUE[name])])
    assert status == 0, output


@pytest.mark.long
def test_an_alarm_that_was_not_due_is_noticed(tmp_path: Path) -> None:
    status, output = replayed(tmp_path, "calm", [fired(DUE["calm"][1:])])
    assert status == 1
    assert "Watchdog" in output
