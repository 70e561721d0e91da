"""Policy files: what they mean, that those that are shipped and shown can be read, and their schema."""

import json
import os
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.support.processes.run_text import run_text
from tests.support.remediator.policies import HEAD, ORPHANS, SHIPPED, read, write
from tmux_exporter.base.errors import ConfigError
from tmux_exporter.commands.views.policy import PolicyView
from tmux_exporter.config.types import Records, Section
from tmux_exporter.facts.cgroups import PIDFD_MEND, CgroupPlace, ThrottleMeans
from tmux_exporter.facts.remediation import Action, Method, Mode, TargetKind
from tmux_exporter.facts.report import (
    AgentReport,
    LeakReport,
    PaneReport,
    SchedulerReport,
    ServerReport,
    Usage,
)
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.metrics.catalogue import BY_NAME
from tmux_exporter.remediator import service
from tmux_exporter.remediator.policies import json_schema, reference
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.document import DocumentDoc
from tmux_exporter.remediator.policies.load import ANY_MEANS, load
from tmux_exporter.remediator.policies.metrics import FIGURES, parse_number
from tmux_exporter.remediator.policies.policy import Breaker, NamePattern, OptIn, Policy, Protection

REPOSITORY = Path(__file__).parents[4]

EVERYTHING = """\
policies:
  - name: everything
    match: {kind: agent, program: [claude]}
    for: 1m
    actions:
      - {do: warn}
      - {do: snapshot}
      - {do: throttle, memory_high: 1GiB, lease: 5m}
      - {do: raise_fd_limit}
      - {do: stop, method: agent_process}
      - {do: kill}
    verify: {gone_within: 5s}
  - name: panes
    match: {kind: pane, history_bytes: 1MiB}
    for: 1m
    actions:
      - {do: save, max_bytes: 1MiB}
      - {do: clear_history}
      - {do: set_option, option: history-limit, value: 2000}
      - {do: close_dead_pane}
"""
"""Policies with every step that can be written."""

NOBODY = """\
  - name: nobody
    match: {kind: leaked_process, cmdline_sha256: []}
    for: 1m
    actions: [{do: warn}]
"""


def shipped() -> dict[str, Policy]:
    found = load(str(SHIPPED), os.getuid())
    return {each.name: each for each in found.policies}


def test_the_first_shipped_policy_is_the_built_in_one() -> None:
    first = next(iter(shipped().values()))
    assert replace(first, protected=Protection()) == ORPHANED_SCHEDULERS


def test_the_shipped_policies_end_nothing_but_orphans_without_a_person() -> None:
    for policy in shipped().values():
        if policy.name != ORPHANED_SCHEDULERS.name:
            assert policy.mode is not Mode.ENFORCE
            assert policy.stop is None or policy.stop.approvals == 1


def test_what_a_file_says_is_what_the_policy_holds(tmp_path: Path) -> None:
    text = (
        HEAD
        + """\
defaults:
  mode: recommend
  cooldown: 20m
  budget: {per_cycle: 2, per_hour: 3}
  max_match: {count: 7, percent: 30, few: 2}
  breaker: {failed_verifications: 4}
total: {per_cycle: 5, per_hour: 9}
protected: {comm: [sshd], exe: ['glob:/usr/sbin/*'], sessions: [prod], agents: ['glob:boss*'], servers: [x]}
policies:
  - name: big
    description: too big
    match: {kind: agent, program: [claude], servers: [default], state: [idle]}
    when: {any: [{metric: tmux_agent_memory_bytes, above: 4GiB, clear_below: 3GiB},
                 {metric: tmux_agent_cpu_seconds_total, rate_over: 5m, above: 54s/min, clear_below: 6s/min}]}
    for: 3m
    allow: [attached_session]
    actions:
      - {do: warn, via: [log], severity: critical}
      - {do: snapshot, what: [limits]}
      - do: stop
        after: 15m
        method: agent_process
        signal: INT
        grace: 30s
        approvals: {required: 1, expires: 2h}
      - {do: kill, after: 30s}
    verify: {gone_within: 10s}
    budget: {per_hour: 1}
    max_match: {on_exceed: recommend}
    breaker: {restarts_of_same_agent: 3, within: 2h}
"""
    )
    found = read(tmp_path, text)
    (policy,) = found.policies
    assert (found.per_cycle, found.per_hour) == (5, 9)
    assert (policy.name, policy.description, policy.mode) == ("big", "too big", Mode.RECOMMEND)
    assert policy.match.kind is TargetKind.AGENT
    assert policy.match.programs == ("claude",)
    assert policy.match.servers == (NamePattern("default"),)
    assert policy.match.agent_states == ("idle",)
    assert policy.when.one_is_enough
    memory, cpu = policy.when.conditions
    assert (memory.above, memory.clear_below, memory.rate_over) == (4 * 2**30, 3 * 2**30, None)
    assert (cpu.above, cpu.clear_below, cpu.rate_over) == (0.9, 0.1, 300.0)
    assert (policy.hold, policy.cooldown, policy.gone_within) == (180.0, 1200.0, 10.0)
    assert policy.allow == ("attached_session",)
    assert [rung.action for rung in policy.ladder] == ["warn", "snapshot", "stop", "kill"]
    assert (policy.ladder[0].via, policy.ladder[0].severity) == (("metric", "log"), "critical")
    assert policy.ladder[1].parts == ("limits",)
    stop, kill = policy.stop, policy.kill
    assert stop is not None and kill is not None
    assert (stop.method, stop.signal, stop.grace) == (Method.AGENT_PROCESS, "INT", 30.0)
    assert (stop.approvals, stop.approval_expires, kill.after) == (1, 7200.0, 30.0)
    assert (policy.per_cycle, policy.per_hour, policy.per_target_per_hour) == (2, 1, 2)
    assert (policy.max_match, policy.max_match_ratio, policy.max_match_few) == (7, 0.3, 2)
    assert policy.on_exceed == "recommend"
    assert policy.breaker == Breaker(
        failed_verifications=4, regret_window=1200.0, restarts=3, restarts_within=7200.0
    )
    assert policy.protected == Protection(
        comm=("sshd",),
        exe=(NamePattern("/usr/sbin/*", glob=True),),
        servers=(NamePattern("x"),),
        sessions=(NamePattern("prod"),),
        agents=(NamePattern("boss*", glob=True),),
    )


def test_without_a_word_of_its_own_a_policy_is_careful(tmp_path: Path) -> None:
    (policy,) = read(tmp_path, HEAD + ORPHANS).policies
    assert policy.mode is Mode.OBSERVE
    assert (policy.per_cycle, policy.per_hour, policy.per_target_per_hour) == (1, 6, 2)
    assert (policy.max_match, policy.max_match_ratio, policy.on_exceed) == (10, 0.25, "abort")
    assert (policy.warmup, policy.cooldown, policy.max_age, policy.remaining) == (300, 600, 30, 30)
    assert policy.match.states == (SchedulerState.DANGLING,)


def test_each_value_is_in_the_digest(tmp_path: Path) -> None:
    first = read(tmp_path, HEAD + ORPHANS)
    assert first.digest == read(tmp_path, HEAD + "# a remark\n" + ORPHANS).digest
    for old, new in (("5m\n", "6m\n"), ("after: 3s", "after: 4s"), ("[dangling]", "[immortal]")):
        assert read(tmp_path, HEAD + ORPHANS.replace(old, new)).digest != first.digest


@pytest.mark.parametrize(
    ("glob", "fitting", "other"),
    [("prod-*", "prod-1", "my-prod-1"), ("a?c", "abc", "abbc"), ("*x*", "\nx\n", "y"), ("a.c", "a.c", "abc")],
)
def test_a_pattern_fits_the_whole_name(glob: str, fitting: str, other: str) -> None:
    pattern = NamePattern(glob, glob=True)
    assert pattern.fits(fitting) and not pattern.fits(other)
    assert NamePattern(glob).fits(glob) and not NamePattern(fitting).fits(other)


def test_each_figure_is_in_the_catalogue_and_in_the_report() -> None:
    of = {
        TargetKind.AGENT: AgentReport,
        TargetKind.PANE: PaneReport,
        TargetKind.SERVER: ServerReport,
        TargetKind.SCHEDULER: SchedulerReport,
        TargetKind.LEAKED_PROCESS: LeakReport,
    }
    for name, figure in FIGURES.items():
        assert name in BY_NAME or figure.is_age
        first, _, rest = figure.path.partition(".")
        assert first in {each.name for each in fields(of[figure.kind])}
        assert not rest or rest in {each.name for each in fields(Usage)}
        assert (
            figure.is_age
            or figure.is_counter == (BY_NAME[name].kind == "counter")
            or figure.kind
            in (
                TargetKind.SCHEDULER,
                TargetKind.LEAKED_PROCESS,
            )
        )


@pytest.mark.parametrize(("text", "value"), [("20", 20.0), ("0.8", 0.8), ("80%", 0.8), ("0", 0.0)])
def test_numbers(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text", ["", "%", "1e3", "-1", ".5", "5.", "1.2.3", "inf", "nan", "0x1", "١", "1" * 13]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number; write one such as 20"):
        parse_number(text)


def test_the_schema_is_that_of_the_loader() -> None:
    assert SHIPPED.with_name("policies.schema.json").read_text() == json_schema.render(), "run `make docs`"


def test_the_page_is_that_of_the_loader() -> None:
    assert (REPOSITORY / "docs" / "policies.md").read_text() == reference.render(), "run `make docs`"


def test_the_schema_knows_every_key() -> None:
    def keys_of(of: type[object]) -> set[str]:
        found = set()
        for each in fields(of):  # type: ignore[arg-type]
            found.add(each.name.removesuffix("_"))
            kind = each.metadata["setting"].kind
            if isinstance(kind, Records | Section):
                found |= keys_of(kind.of)
        return found

    def keys_in(schema: object) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(keys_in, schema))
        if not isinstance(schema, dict):
            return set()
        own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
        return own.union(*map(keys_in, schema.values()))

    assert keys_in(json.loads(json_schema.render())) == keys_of(DocumentDoc)


def test_check_config_shows_what_each_is_for(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tmux_exporter.cli.remediator", "check-config")
    done = run_text((*command, str(SHIPPED)), check=True)
    line = next(each for each in done.stdout.splitlines() if "agent-memory" in each)
    assert line.split()[1:4] == ["recommend", "agent", "3m"]
    assert "stop after 15m by a person, kill after 30s" in line
    done = run_text((*command, "--json", str(SHIPPED)), check=True)
    shown = json.loads(done.stdout)
    assert [each["sha256"] for each in shown["policies"]] == [each.digest for each in shipped().values()]
    wrong = write(tmp_path, HEAD + ORPHANS.replace("for: 5m", "for: 5"))
    failed = run_text((*command, str(wrong)))
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == f"{wrong}:6:10: file.policies[0].for: '5' has no unit; write 5s or 5m\n"


def test_an_action_of_every_kind_can_be_written(tmp_path: Path) -> None:
    policies = read(tmp_path, HEAD + EVERYTHING).policies
    assert {rung.action for each in policies for rung in each.ladder} == set(Action)
    save, _, limit, _ = policies[1].ladder
    assert (save.max_bytes, limit.value) == (2**20, 2000)


HELD = "      - {do: throttle, memory_high: 1GiB, lease: 5m}\n"
NO_SCOPE = ThrottleMeans(problem="no systemd", mend="linger")
NO_PAUSE = ThrottleMeans(problem="", pause_problem="no pidfds")
NEITHER = replace(NO_SCOPE, pause_problem="no pidfds")
PIDFDS = f"no pidfds (mend: {PIDFD_MEND})"


def test_a_throttle_that_this_machine_cannot_hold_is_named_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + EVERYTHING)
    found = load(str(path), os.getuid(), NO_SCOPE)
    line = path.read_text().splitlines().index(HELD.rstrip("\n")) + 1
    words = "this machine cannot hold this throttle: no systemd (mend: linger); or add pause: true"
    assert found.unable == (f"{path}:{line}:9: policy 'everything': {words}",)
    assert service._able(found, enforce=False) is found
    with pytest.raises(ConfigError) as refused:
        service._able(found, enforce=True)
    assert refused.value.problems == found.unable
    assert replace(found, unable=()).digest == found.digest
    assert load(str(path), os.getuid()).unable == ()


@pytest.mark.parametrize(
    ("throttle", "means", "said"),
    [
        ("memory_high: 1GiB, pause: true", NO_SCOPE, ()),
        ("memory_high: 1GiB, pause: true", NO_PAUSE, ()),
        ("memory_high: 1GiB", NO_PAUSE, ()),
        ("memory_high: 1GiB", NEITHER, ("no systemd (mend: linger)",)),
        ("memory_high: 1GiB, pause: true", NEITHER, (f"no systemd (mend: linger); {PIDFDS}",)),
        ("pause: true", NO_SCOPE, ()),
        ("pause: true", NO_PAUSE, (PIDFDS,)),
    ],
)
def test_a_throttle_is_named_only_where_no_kind_that_it_allows_is_possible(
    tmp_path: Path, throttle: str, means: ThrottleMeans, said: tuple[str, ...]
) -> None:
    path = write(tmp_path, HEAD + EVERYTHING.replace("memory_high: 1GiB", throttle))
    unable = load(str(path), os.getuid(), means).unable
    assert tuple(each.partition("cannot hold this throttle: ")[2] for each in unable) == said


def test_check_config_says_which_kinds_of_throttle_are_possible_here(tmp_path: Path) -> None:
    pausing = EVERYTHING.replace("memory_high: 1GiB", "memory_high: 1GiB, pause: true")
    found = read(tmp_path, HEAD + pausing)
    lines = PolicyView(policies=found, means=NO_SCOPE).as_table().splitlines()
    assert lines[-3:] == [
        "throttle by scope: not here: no systemd; mend: linger",
        "throttle by pause: a keeper can stop and continue processes (pause: true)",
        "policy 'everything': pauses here instead of holding its bounds",
    ]
    for means in (ANY_MEANS, NO_PAUSE, NEITHER):
        assert "pauses here" not in PolicyView(policies=found, means=means).as_table()
    assert json.loads(PolicyView(policies=found, means=NEITHER).as_json())["throttle"] == {
        "scope": {"possible": False, "problem": "no systemd", "mend": "linger"},
        "pause": {"possible": False, "problem": "no pidfds", "mend": PIDFD_MEND},
    }
    alone = read(tmp_path, HEAD + "policies:\n" + NOBODY)
    assert "throttle by" not in PolicyView(policies=alone, means=NEITHER).as_table()


def test_a_throttle_that_could_not_return_what_it_moves_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + EVERYTHING)
    login = CgroupPlace(path=("user.slice", "session-4.scope"))
    mine = CgroupPlace(path=("user.slice", "tmux-spawn-1.scope"), owned=True)
    (words,) = service.no_return_words(found, {"default %1": login, "default %2": mine})
    assert words.startswith("policy 'everything': what is throttled in 1 of 2 panes cannot return")
    assert list(service.no_return_words(found, {"default %2": mine})) == []
    allowed = replace(found, policies=tuple(replace(each, allow=tuple(OptIn)) for each in found.policies))
    assert list(service.no_return_words(allowed, {"default %1": login})) == []
    whole = read(tmp_path, HEAD + EVERYTHING.replace("lease: 5m", "whole_pane: true, lease: 5m"))
    (words,) = service.no_return_words(whole, {"default %1": login, "default %2": mine})
    assert words.startswith("policy 'everything': tmux has made no scope of its own for 1 of 2 panes")


def test_what_has_no_effect_is_named_with_its_place_and_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + EVERYTHING + NOBODY)
    found = load(str(path), os.getuid())
    said = {
        int(where.removeprefix(f"{path}:").partition(":")[0]): text
        for where, _, text in (each.partition(": ") for each in found.remarks)
    }
    lines = path.read_text().splitlines()
    (other,) = [number for number, text in said.items() if "matches nothing" in text]
    assert lines[other - 1].strip() == "- name: nobody"
    assert len(said) == 1
    assert replace(found, remarks=()).digest == found.digest


def test_what_is_shipped_has_an_effect_as_a_whole() -> None:
    assert load(str(SHIPPED), os.getuid()).remarks == ()


def test_check_config_warns_of_what_has_no_effect(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + EVERYTHING + NOBODY)
    loaded = service.read_policies(str(path), os.getuid())
    remarks = (*loaded.remarks, *loaded.unable)
    command = (sys.executable, "-m", "tmux_exporter.cli.remediator", "check-config", "--json", str(path))
    done = run_text(command, check=True)
    assert remarks
    assert done.stderr.splitlines() == [f"warning: {each}" for each in remarks]
    assert json.loads(done.stdout)["warnings"] == list(remarks)
