"""The audit as a person reads it: what fits, the verdict, and a reader that leaves early."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.ecs import ecs_line
from tests.support.processes.run_text import run_text
from tmux_exporter.base.paths import REMEDIATOR_AUDIT
from tmux_exporter.commands.views.audit import AuditView, Wanted, load
from tmux_exporter.remediator.record.audit import Audit

COMMAND = (sys.executable, "-m", "tmux_exporter.cli.remediator", "audit")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An audit with two acts of two policies; the second has no outcome yet."""
    folder = tmp_path / "tmux-exporter"
    folder.mkdir(mode=0o700)
    audit = Audit(folder / REMEDIATOR_AUDIT, uid=os.getuid(), clock=ManualClock())
    audit.record("start", policy="orphans")
    audit.record("intent", policy="orphans", processes=[[500, 1], [501, 1]])
    audit.record("outcome", of=2, actions=[["stop", "done"]])
    audit.record("intent", policy="doubles", processes=[[600, 1], [601, 1]])
    audit.close()
    return folder / REMEDIATOR_AUDIT


def numbers(view: AuditView) -> list[int]:
    return [line.record["seq"] for line in view.lines if line.record]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [1, 2, 3, 4]), (Wanted(kind="intent"), [2, 4]), (Wanted(policy="orphans"), [1, 2, 3]),
        (Wanted(policy="orphans", kind="outcome"), [3]), (Wanted(pid=500), [2, 3]), (Wanted(pid=501), [2, 3]),
        (Wanted(pid=600), [4]), (Wanted(pid=1), []), (Wanted(last=2), [3, 4]), (Wanted(pid=500, last=1), [3]),
        (Wanted(kind="other"), []),
    ],
)  # fmt: skip
def test_only_what_fits_is_shown(path: Path, wanted: Wanted, found: list[int]) -> None:
    assert numbers(load(path).only(wanted)) == found


def test_a_torn_line_is_shown_unless_something_else_is_asked_for(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"seq": 5')
    view = load(path)
    assert len(view.only(Wanted()).lines) == 5
    assert [line.record for line in view.only(Wanted(last=1)).lines] == [None]
    assert numbers(view.only(Wanted(kind="intent"))) == [2, 4]


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text(
        [*COMMAND, *arguments], env={**os.environ, "XDG_STATE_HOME": str(path.parents[1])}, timeout=30
    )


def test_verify_says_in_one_line_whether_the_chain_is_whole(path: Path) -> None:
    whole = run(path, "--verify")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == "4 records, 1 to 4; the chain is whole\n"
    path.write_bytes(path.read_bytes().replace(b'"done"', b'"gone"'))
    broken = run(path, "--verify")
    assert (broken.returncode, broken.stdout) == (1, "4 records, 1 to 4; faults, see above: 1\n")
    assert broken.stderr == f"{path}: line 4: it does not continue line 3\n"


def test_the_command_shows_what_was_asked_for_and_says_so_where_that_is_nothing(path: Path) -> None:
    told = json.loads(run(path, "--pid", "501", "--json").stdout)
    assert [each["seq"] for each in told["records"]] == [2, 3]
    assert len(run(path, "--kind", "intent").stdout.splitlines()) == 3
    none = run(path, "--policy", "other")
    assert (none.returncode, none.stdout) == (0, "nothing of that is on record: 4 lines of others\n")
    assert run(path, "--pid", "0").returncode == 2


def test_each_record_is_a_line_of_the_elastic_common_schema(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"seq": 5')
    told = run(path, "--format", "ecs")
    assert (told.returncode, told.stderr) == (1, f"{path}: line 5: torn\n")
    lines = [ecs_line(each) for each in told.stdout.splitlines()]
    assert [(each["event.sequence"], each["event.action"]) for each in lines] == [
        (1, "start"), (2, "intent"), (3, "outcome"), (4, "intent")
    ]  # fmt: skip
    assert {each["service.name"] for each in lines} == {"tmux-remediator"}
    assert [each["message"] for each in lines[:3]] == ["start orphans", "intent orphans", "outcome stop done"]
    labels = lines[1]["labels"]
    assert isinstance(labels, dict)
    assert (labels["policy"], labels["processes"]) == ("orphans", "[[500, 1], [501, 1]]")


def test_a_reader_that_leaves_early_is_no_error(path: Path) -> None:
    audit = Audit(path, uid=os.getuid(), clock=ManualClock())
    for _ in range(400):
        audit.record("start", policy="orphans", words="x" * 600)
    audit.close()
    environ = {**os.environ, "XDG_STATE_HOME": str(path.parents[1])}
    with subprocess.Popen([*COMMAND, "--json"], env=environ, stdout=-1, stderr=-1) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        words = process.stderr.read()
    assert (process.returncode, words) == (0, b"")
