"""Findings of `doctor`: both sides of each threshold, and a remedy for each."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.literals.report import UP, example_report
from tmux_exporter.analysis.doctor.findings import NEAR, Finding, Level, check_up
from tmux_exporter.analysis.doctor.recommended_settings import OPTIONS, SYSCTLS
from tmux_exporter.facts.cgroups import PIDFD_MEND, CgroupPlace, OomPolicy, ThrottleMeans
from tmux_exporter.facts.doctor import AgentTelemetry, Bound, Feature, LookAlike, Machine, WritableFolder
from tmux_exporter.facts.host import HostFacts
from tmux_exporter.facts.process import Problem, ProcessId, Unreadable
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import QueryFailure

TUNING = Path(__file__).parents[4] / "deploy" / "tuning"

MACHINE = Machine(
    system="Linux", kernel="6.12.0", tmux_path="/usr/bin/tmux", tmux_version="3.5a", locale="C.UTF-8",
    programs={"prometheus": "/usr/bin/prometheus", "alertmanager": "/usr/bin/alertmanager"},
    features=dict.fromkeys(Feature, True), sysctls={each.name: each.wanted for each in SYSCTLS},
    open_files=65_536, tasks=Bound(used=100, limit=1000),
    folders=(WritableFolder(path="/run/user/1000/tmux-exporter", problem=None),),
    options={"default": {each.name: str(each.wanted) for each in OPTIONS}}, claude_hooked=True,
)  # fmt: skip
SERVER = replace(UP, version="3.5a", open_fds=9, max_fds=1024)
CALM: Report = replace(
    example_report(), servers=(SERVER,), unreadable_processes={}, host=HostFacts(ptys=3, ptys_limit=4096)
)


def amiss(report: Report = CALM, machine: Machine = MACHINE) -> list[Finding]:
    return [each for each in check_up(report, machine) if each.level is not Level.FINE]


def only(report: Report = CALM, machine: Machine = MACHINE) -> Finding:
    (finding,) = amiss(report, machine)
    assert finding.mend
    assert "\n" not in finding.text + finding.mend
    return finding


def test_a_machine_that_lacks_nothing_gets_only_good_words() -> None:
    assert amiss() == []
    assert {each.subject for each in check_up(CALM, MACHINE)} >= {"tmux", "locale", "kernel", "limits"}


def test_tmux_that_is_missing_or_old() -> None:
    assert only(machine=replace(MACHINE, tmux_path=None, tmux_version=None)).level is Level.PROBLEM
    old = replace(CALM, servers=(replace(SERVER, version="3.0a"),))
    assert only(old, replace(MACHINE, tmux_version="3.0a")).level is Level.WARNING
    edge = replace(CALM, servers=(replace(SERVER, version="3.1c"),))
    assert amiss(edge, replace(MACHINE, tmux_version="3.1c")) == []


@pytest.mark.parametrize("version", ["next-3.8", "3.7-rc", "openbsd-7.8", ""])
def test_odd_versions_are_no_fault(version: str) -> None:
    report = replace(CALM, servers=(replace(SERVER, version=version or None),))
    assert amiss(report, replace(MACHINE, tmux_version=version or None)) == []


@pytest.mark.parametrize("failure", QueryFailure)
def test_a_server_that_does_not_answer_is_a_problem_with_its_reason(failure: QueryFailure) -> None:
    silent = replace(SERVER, up=False, problem=Problem(source="tmux", reason=failure))
    finding = only(replace(CALM, servers=(silent,)), replace(MACHINE, options={}))
    assert (finding.level, finding.subject) == (Level.PROBLEM, f"server {SERVER.server}")
    assert amiss(replace(CALM, servers=(replace(silent, ended=True),))) == []


def test_no_server_is_a_hint() -> None:
    assert only(replace(CALM, servers=())).level is Level.HINT


def test_a_server_of_another_version_than_the_program() -> None:
    assert "3.5a" in only(machine=replace(MACHINE, tmux_version="3.3a")).text


@pytest.mark.parametrize(("used", "count"), [(int(NEAR * 1000), 0), (int(NEAR * 1000) + 1, 1)])
def test_limits_are_told_when_they_are_near(used: int, count: int) -> None:
    bound = Bound(used=used, limit=1000)
    assert len(amiss(machine=replace(MACHINE, tasks=bound))) == count
    assert len(amiss(machine=replace(MACHINE, cgroup_tasks=bound))) == count
    assert len(amiss(replace(CALM, servers=(replace(SERVER, open_fds=used, max_fds=1000),)))) == count
    assert len(amiss(replace(CALM, host=HostFacts(ptys=used, ptys_limit=1000)))) == count
    assert len(amiss(replace(CALM, host=HostFacts(threads=used, threads_limit=1000)))) == count
    watched = HostFacts(inotify_instances=used, inotify_instances_limit=1000)
    assert len(amiss(replace(CALM, host=watched))) == count


def test_what_is_not_known_is_not_told() -> None:
    unknown = Machine(system="Linux", kernel="", tmux_path="/usr/bin/tmux", locale="C.utf8")
    assert {each.subject for each in amiss(replace(CALM, host=None), unknown)} == {"servers"}


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "de_DE.ISO-8859-1"])
def test_a_locale_without_utf8(locale: str) -> None:
    assert only(machine=replace(MACHINE, locale=locale)).subject == "locale"


@pytest.mark.parametrize("feature", Feature)
def test_each_feature_that_the_kernel_lacks(feature: Feature) -> None:
    finding = only(machine=replace(MACHINE, features={**MACHINE.features, feature: False}))
    assert finding.level is (Level.PROBLEM if feature is Feature.PIDFD else Level.HINT)


def test_whether_forks_can_be_followed() -> None:
    finding = only(
        machine=replace(MACHINE, fork_events_problem="the kernel refuses (Operation not permitted)")
    )
    assert (finding.level, finding.subject) == (Level.HINT, "lineage")
    assert "Operation not permitted" in finding.text
    assert not amiss(machine=replace(MACHINE, fork_events_problem=""))


def test_folders_and_processes_that_cannot_be_used() -> None:
    place = WritableFolder(path="/tmp/tmux-exporter-1000", problem="it belongs to uid 0")
    assert only(machine=replace(MACHINE, folders=(place,))).level is Level.PROBLEM
    assert only(replace(CALM, unreadable_processes={Unreadable.PERMISSION: 2})).level is Level.WARNING


def test_options_and_sysctls_that_are_as_good_or_better_are_left_alone() -> None:
    better = {
        option.name: str(option.wanted - 1 if option.at_most else option.wanted + 1) for option in OPTIONS
    }
    assert amiss(machine=replace(MACHINE, options={"default": better})) == []
    assert amiss(machine=replace(MACHINE, sysctls={each.name: each.wanted + 1 for each in SYSCTLS})) == []


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_is_worse(option: object) -> None:
    chosen = next(each for each in OPTIONS if each is option)
    worse = str(chosen.wanted + (1 if chosen.at_most else -1))
    finding = only(machine=replace(MACHINE, options={"default": {chosen.name: worse}}))
    assert finding.level is Level.HINT
    assert finding.mend.startswith(chosen.line)


@pytest.mark.parametrize("sysctl", SYSCTLS)
def test_a_sysctl_that_is_too_low(sysctl: object) -> None:
    chosen = next(each for each in SYSCTLS if each is sysctl)
    lower = {**MACHINE.sysctls, chosen.name: chosen.wanted - 1}
    assert chosen.name in only(machine=replace(MACHINE, sysctls=lower)).mend


def test_agents_that_fight_over_one_port() -> None:
    def telemetry(*ports: int) -> Machine:
        agents = tuple(
            AgentTelemetry(pid=place, otel_prometheus=True, otel_port=port)
            for place, port in enumerate(ports)
        )
        return replace(MACHINE, agents=agents)

    assert "9464" in only(machine=telemetry(9464, 9465, 9464)).text
    assert amiss(machine=telemetry(9464, 9465)) == []


def test_the_worst_comes_first() -> None:
    machine = replace(MACHINE, locale="C", tmux_path=None, open_files=1024)
    levels = [each.level for each in check_up(CALM, machine)]
    assert levels == sorted(levels, key=list(Level).index)
    assert levels[:3] == [Level.PROBLEM, Level.WARNING, Level.HINT]


@pytest.mark.parametrize(
    ("file", "wanted"),
    [("tmux.conf", [each.line for each in OPTIONS]), ("sysctl.conf", [each.line for each in SYSCTLS])],
)
def test_the_shipped_files_hold_the_same_lines(file: str, wanted: list[str]) -> None:
    lines = (TUNING / file).read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == wanted


SCOPE = "tmux-spawn-1.scope"
IN_SCOPE = CgroupPlace(path=("user.slice", SCOPE), owned=True)
IN_LOGIN = CgroupPlace(path=("user.slice", "session-4.scope"))


def test_what_a_throttle_can_use_here() -> None:
    assert amiss(machine=replace(MACHINE, throttle=ThrottleMeans(problem=""))) == []
    means = ThrottleMeans(problem="no systemd", mend="linger")
    lacking = only(machine=replace(MACHINE, throttle=means))
    assert (lacking.level, lacking.text, lacking.mend) == (Level.HINT, "no scope: no systemd", "linger")
    neither = ThrottleMeans(problem="no cgroup", mend="boot it", pause_problem="no pidfds")
    found = [(each.text, each.mend) for each in amiss(machine=replace(MACHINE, throttle=neither))]
    assert found == [("no scope: no cgroup", "boot it"), ("no pause: no pidfds", PIDFD_MEND)]
    places = {"default %1": IN_SCOPE, "default %2": IN_LOGIN}
    machine = replace(MACHINE, throttle=ThrottleMeans(problem=""), pane_places=places)
    stays, bare = amiss(machine=machine)
    assert stays.text.startswith("1 of 2 panes ") and "moved_for_good" in stays.mend
    assert "no scope of its own for 1 of 2 panes" in bare.text and "whole_pane" in bare.text


@pytest.mark.parametrize(
    ("policy", "count"), [(OomPolicy.STOP, 1), (OomPolicy.KILL, 1), (OomPolicy.CONTINUE, 0)]
)
def test_a_pane_that_ends_as_a_whole_for_memory(policy: OomPolicy, count: int) -> None:
    places = {"default %1": IN_SCOPE, "default %2": IN_LOGIN}
    machine = replace(MACHINE, pane_places=places, oom_policies={SCOPE: policy})
    found = amiss(machine=machine)
    assert len(found) == count
    for each in found:
        assert each.level is Level.WARNING and "1 of 2 panes" in each.text
        assert "OOMPolicy=continue" in each.mend and "daemon-reload" in each.mend


def test_a_program_that_behaves_like_an_agent() -> None:
    other = LookAlike(pane="%7", process=ProcessId(4711, 5), name="node nova", tty=1)
    found = only(machine=replace(MACHINE, look_alikes=(other,)))
    assert (found.level, found.subject) == (Level.HINT, "agents")
    assert "node nova in %7 (pid 4711)" in found.text and "@agent" in found.mend
