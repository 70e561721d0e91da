"""Policy files of the tests."""

import os
from pathlib import Path

import pytest

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.remediator.policies.load import load
from tmux_exporter.remediator.policies.policy import PolicySet

SHIPPED = Path(__file__).parents[3] / "deploy" / "policies.yml"

HEAD = "apiVersion: tmux-exporter/v1\nkind: RemediationPolicies\n"

ORPHANS = """\
policies:
  - name: orphans
    match: {kind: scheduler, state: [dangling]}
    for: 5m
    actions:
      - {do: warn}
      - {do: stop, after: 5m, method: scheduler_pair}
      - {do: kill, after: 3s}
    verify: {gone_within: 5s}
"""
"""A policy file is HEAD and this; the policy's own lines begin with the fourth."""


def write(folder: Path, text: str, name: str = "policies.yml") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def read(folder: Path, text: str) -> PolicySet:
    return load(str(write(folder, text)), os.getuid())


def problems(folder: Path, text: str) -> tuple[str, ...]:
    """What is wrong with a file, without its path."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(str(path), os.getuid())
    return tuple(line.removeprefix(f"{path}:") for line in caught.value.problems)


def asking(name: str, state: str) -> str:
    """A file with one policy that recommends, and whose stop a person has to approve."""
    text = ORPHANS.replace("orphans", name).replace("[dangling]", f"[{state}]")
    asks = text.replace("method: scheduler_pair}", "method: scheduler_pair, approvals: {required: 1}}")
    return f"{HEAD}defaults: {{mode: recommend, warmup: 0s}}\n{asks}"
