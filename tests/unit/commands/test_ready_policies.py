"""The policies that come with the code: each short, without a remark, and listed by its own words."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tmux_exporter.base.errors import UsageError
from tmux_exporter.cli.remediator import cli
from tmux_exporter.commands.views.ready_policies import ReadyPolicy, called, listed_json, ready_policies
from tmux_exporter.facts.remediation import Action, Mode
from tmux_exporter.remediator.policies.load import load

MOST_LINES = 10
READY = ready_policies()


def test_there_is_one_for_each_thing_that_people_ask_for() -> None:
    assert [each.name for each in READY] == [
        "agent-memory", "dead-panes", "detached-history", "duplicate-schedulers", "idle-agents",
        "left-servers", "open-files", "orphaned-schedulers", "runaway-leaks",
    ]  # fmt: skip


@pytest.mark.parametrize("ready", READY, ids=lambda each: each.name)
def test_each_is_one_policy_of_at_most_ten_lines(ready: ReadyPolicy, tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text(ready.text)
    (tmp_path / "policy.yml").chmod(0o600)
    (policy,) = load(str(tmp_path / "policy.yml"), os.getuid()).policies
    assert (policy.name, policy.mode, policy.description) == (ready.name, ready.mode, ready.description)
    lines = ready.text.partition("policies:\n")[2].splitlines()
    assert len(lines) <= MOST_LINES and ready.text.startswith("# ")


@pytest.mark.parametrize("ready", READY, ids=lambda each: each.name)
def test_each_says_in_its_first_lines_what_it_ends_without_asking(ready: ReadyPolicy, tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text(ready.text)
    (tmp_path / "policy.yml").chmod(0o600)
    (policy,) = load(str(tmp_path / "policy.yml"), os.getuid()).policies
    closes = any(rung.action is Action.CLOSE_DEAD_PANE for rung in policy.ladder)
    ends = policy.stop is not None and not policy.stop.approvals and policy.mode is Mode.ENFORCE
    said = "without asking" in ready.text.partition("apiVersion")[0]
    assert said is (closes or ends)


def test_they_run_together(tmp_path: Path) -> None:
    for each in READY:
        (tmp_path / f"{each.name}.yml").write_text(each.text)
        (tmp_path / f"{each.name}.yml").chmod(0o600)
    assert len(load(str(tmp_path), os.getuid()).policies) == len(READY)


def test_the_command_lists_them_and_prints_one() -> None:
    done = CliRunner().invoke(cli, ["policies"])
    assert done.exit_code == 0
    rows = done.output.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [each.name for each in READY]
    done = CliRunner().invoke(cli, ["policies", "agent-memory"])
    assert done.output == called("agent-memory", READY).text
    shown = json.loads(CliRunner().invoke(cli, ["policies", "--json"]).output)
    assert shown == json.loads(listed_json(READY))


def test_a_name_that_is_none_is_told_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="did you mean agent-memory"):
        called("agent-memry", READY)
    with pytest.raises(UsageError, match="there are agent-memory, dead-panes"):
        called("everything", READY)
