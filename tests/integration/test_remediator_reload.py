"""SIGHUP makes a remediator that runs read its policies again; a second one is refused."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.remediator.policies import HEAD, write
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_STATUS
from tmux_exporter.sources.own.remediator_status import parse_status

POLICIES = (
    HEAD
    + """\
policies:
  - name: orphans
    mode: recommend
    match: {kind: scheduler, state: [dangling]}
    for: 5m
    actions:
      - {do: stop, after: 5m, method: scheduler_pair, approvals: {required: 1}}
    verify: {gone_within: 5s}
"""
)
RUN = (sys.executable, "-m", "tmux_exporter.cli.remediator", "run", "--interval", "300ms")


class Running:
    """A remediator that runs with folders of its own."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.environ = {
            **os.environ,
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_RUNTIME_DIR": str(base / "run"),
            "TMUX_TMPDIR": str(base),
        }
        self.policies = write(base, POLICIES)
        self.command = (*RUN, "--policy", str(self.policies), "--server", f"none{os.getpid()}")
        with (base / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command, env=self.environ, stderr=log)
        wait_for(lambda: "started" in self.log(), "it runs")

    def log(self) -> str:
        return (self.base / "log").read_text()

    def hang_up(self, words: str) -> None:
        """Send SIGHUP; it says these words anew."""
        count = self.log().count(words)
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count(words) > count, f"it says {words}: {self.log()}")

    def has_them_as_they_are(self) -> bool:
        """Whether the exporter is told that the policies in use are those of the file."""
        told = self.base / "run" / "tmux-exporter" / REMEDIATOR_STATUS
        wait_for(told.exists, "it tells of its first cycle")
        return parse_status(told.read_bytes()).reload_successful

    def records(self) -> list[dict[str, object]]:
        path = self.base / "state" / "tmux-exporter" / REMEDIATOR_AUDIT
        return [json.loads(line) for line in path.read_bytes().splitlines()]


@contextmanager
def running(base: Path) -> Iterator[Running]:
    made = Running(base)
    try:
        yield made
        made.process.terminate()
        assert made.process.wait(60) == 0
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait(60)


@pytest.fixture
def remediator(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "run").mkdir(mode=0o700)
    with running(tmp_path) as made:
        yield made


def test_policies_are_read_again_and_a_mistake_changes_nothing(remediator: Running) -> None:
    write(remediator.base, POLICIES.replace("for: 5m", "for: five"))
    remediator.hang_up("policies refused, the ones before stay in use")
    assert "'five' is not a duration" in remediator.log()
    wait_for(lambda: not remediator.has_them_as_they_are(), "the refusal is told")
    remediator.policies.unlink()
    remediator.hang_up("policies refused, the ones before stay in use")
    assert "this has no effect" not in remediator.log()
    first = "  - name: renamed"
    renamed = POLICIES.replace("  - name: orphans", first).replace(
        "kind: scheduler, state: [dangling]", "kind: leaked_process, cmdline_sha256: []"
    )
    renamed = renamed.replace("scheduler_pair", "leaked_process")
    write(remediator.base, renamed)
    remediator.hang_up("policies applied")
    wait_for(lambda: 'msg="this has no effect"' in remediator.log(), "it says what has no effect")
    line = 1 + renamed.splitlines().index(first)
    assert f"{remediator.policies}:{line}:5: policy 'renamed' matches nothing" in remediator.log()
    wait_for(remediator.has_them_as_they_are, "what was applied is told")
    assert remediator.process.poll() is None
    told = [(each["kind"], each["policies"]) for each in remediator.records()]
    assert told == [("start", ["orphans"]), ("reload", ["renamed"])]


def test_a_second_one_is_refused_in_one_line_with_the_mend(remediator: Running) -> None:
    second = run_text(remediator.command, env=remediator.environ, timeout=120)
    holder = f"a remediator already runs: pid {remediator.process.pid}, which observes; "
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert f"{holder}end that one first" in second.stderr


def test_it_ends_with_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    log = tmp_path / "log"
    environ = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
        os.execve(sys.executable, [*RUN, "--server", "none"], environ)
    wait_for(lambda: log.exists() and "started" in log.read_text(), "it runs")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
