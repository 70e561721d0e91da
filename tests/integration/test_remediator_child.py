"""What `up` tells of the remediator beside it: real processes that write what a remediator writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tmux_exporter.commands.up_children.prometheus import Child
from tmux_exporter.commands.up_children.remediator import NAME, WOULD, follow

FIRST = {"message": WOULD, "shell": 11, "sleep": 12, "server": "demo", "session": "work", "seconds_left": 185}
SECOND = {"message": WOULD, "shell": 21, "sleep": 22, "server": "", "session": "", "seconds_left": None}


def told_of(tmp_path: Path, lines: list[str], status: int) -> list[str]:
    """What is told of a program that writes these lines and ends with this status."""
    log = tmp_path / "remediator.log"
    program = f"import sys\nfor each in {lines!r}:\n    print(each, flush=True)\nsys.exit({status})"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=output)
    told: list[str] = []
    follow(Child(name=NAME, log=log, process=process), told.append)
    return told


def test_each_scheduler_is_told_of_once(tmp_path: Path) -> None:
    records = [{"message": "started"}, FIRST, SECOND, FIRST, {"message": "left alone", "shell": 31}]
    assert told_of(tmp_path, [json.dumps(each) for each in records], 0) == [
        "  The remediator, which only observes, would end shell 11 and sleep 12:\n"
        "    a scheduler that has no target any more (server demo, made in session work, due in 3 min)",
        "  The remediator, which only observes, would end shell 21 and sleep 22:\n"
        "    a scheduler that has no target any more (server ?, its session is gone)",
    ]


@pytest.mark.parametrize(
    ("status", "last", "wanted"),
    [
        (0, "tmux-remediator: fine", []),
        (2, "tmux-remediator: one runs", ["  No remediator of its own: one runs"]),
        (3, "no tmux", ["  remediator ended with status 3: no tmux (log: {log})"]),
    ],
)
def test_its_end_is_reported_unless_asked_for(
    tmp_path: Path, status: int, last: str, wanted: list[str]
) -> None:
    log = tmp_path / "remediator.log"
    assert told_of(tmp_path, [last], status) == [each.format(log=log) for each in wanted]
