"""`tmux-remediator` as a process of its own, with the folders that an environment names."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_PLAN, REMEDIATOR_STATUS
from tmux_exporter.facts.remediation import Action, ActionOutcome, PolicyStatus
from tmux_exporter.sources.own.remediator_status import parse_status

PROGRAM = (sys.executable, "-m", "tmux_exporter.cli.remediator")

Actions = dict[tuple[Action, ActionOutcome], int]


def command(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of it to its end."""
    return run_text((*PROGRAM, *arguments), env=environ, timeout=120)


class RemediatorProcess:
    """`tmux-remediator run`; its log is a file of JSON lines."""

    def __init__(self, environ: Mapping[str, str], log: Path, *arguments: str) -> None:
        self._log = log
        self.state = Path(environ["XDG_STATE_HOME"]) / "tmux-exporter"
        self._status = Path(environ["XDG_RUNTIME_DIR"]) / "tmux-exporter" / REMEDIATOR_STATUS
        self._status.unlink(missing_ok=True)
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                (*PROGRAM, "run", "--log.format", "json", *arguments), stderr=stream, env=environ
            )

    def text(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def log(self) -> list[dict[str, Any]]:
        """Its log, line by line, without a last line that is not whole."""
        return [json.loads(line) for line in self.text().rpartition("\n")[0].splitlines()]

    def policies(self) -> dict[str, PolicyStatus]:
        """What it tells the exporter of each policy; nothing before its first cycle."""
        try:
            status = parse_status(self._status.read_bytes())
        except FileNotFoundError:
            return {}
        return {each.policy: each for each in status.policies}

    def cycles(self) -> float:
        """A figure that grows with each cycle."""
        return parse_status(self._status.read_bytes()).cycle_at

    def audit(self, policy: str, kind: str) -> list[dict[str, Any]]:
        """The records of one kind that are of a policy."""
        path = self.state / REMEDIATOR_AUDIT
        lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
        records = [json.loads(line) for line in lines]
        return [each for each in records if (each["kind"], each.get("policy")) == (kind, policy)]

    @property
    def plan(self) -> Path:
        """The plan that it keeps."""
        return self.state / REMEDIATOR_PLAN

    def wait(self, condition: Callable[[], object], what: str, timeout: float = 60.0) -> None:
        """Wait as long as it runs; what it has written stands in the failure."""
        try:
            wait_for(lambda: condition() or self.process.poll() is not None, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None
        assert self.process.poll() is None, f"it ended with status {self.process.returncode}\n{self.text()}"

    def end(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)
