"""What a throttle holds of a tree: each decoy is spared, and the rest of its tree is held."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import process, table
from tests.support.remediator.orders import HARMLESS, single_order
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.remediation import Method
from tmux_exporter.remediator.decide import throttled
from tmux_exporter.remediator.decide.last_checks import ProcessContext
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import NamePattern, OptIn, Protection

CLAUDE = process(600, 590, ["claude"], exe="/usr/bin/claude")
TOOL = process(700, 600, ["node", "tool.js"], exe="/usr/bin/node")
CHILD = process(701, 700, ["node", "worker.js"], exe="/usr/bin/node")
GRANDCHILD = process(702, 701, ["node", "more.js"], exe="/usr/bin/node")
UID = TOOL.uid
POLICY = replace(
    ORPHANED_SCHEDULERS,
    protected=Protection(comm=("postgres",), exe=(NamePattern("/opt/*", glob=True),)),
)

SHELL = replace(CHILD, exe="/usr/bin/bash")
ANY_THROTTLE = {
    "another_user": replace(CHILD, uid=UID + 1),
    "tmux": replace(CHILD, comm="tmux: server"),
    "tmux_by_its_program": replace(CHILD, exe="/usr/bin/tmux"),
    "protected_by_its_name": replace(CHILD, comm="postgres"),
    "protected_by_its_program": replace(CHILD, exe="/opt/build/cc1"),
    "a_zombie": replace(CHILD, state="Z", threads=1),
}
A_PAUSE = {
    "a_shell": SHELL,
    "a_shell_of_another_kind": replace(CHILD, exe="/usr/bin/fish"),
    "a_program_that_cannot_be_read": replace(CHILD, exe=None),
}


def held(
    *tree: Process,
    pausing: bool,
    allow: tuple[OptIn, ...] = (),
    reachable: dict[int, bool | None] | None = None,
    unit: str = "",
) -> tuple[int, ...]:
    """The pids that are held of a tree, with a tool as its root."""
    order = single_order(replace(POLICY, allow=allow), Method.AGENT_PROCESS, CLAUDE.id)
    known = table(CLAUDE, *tree)
    around = {each.id: HARMLESS for each in tree}
    for pid, value in (reachable or {}).items():
        around[known.processes[pid].id] = ProcessContext(unit="", reachable=value)
    if CHILD.id in around:
        around[CHILD.id] = around[CHILD.id]._replace(unit=unit)
    own = frozenset({4242})
    found = throttled.members(
        known,
        [each.id for each in tree],
        around,
        order,
        uid=UID,
        own=own,
        pausing=pausing,
        units=frozenset({""}),
    )
    return tuple(each.pid for each in found)


def test_a_tree_is_held_parents_first() -> None:
    assert held(TOOL, GRANDCHILD, CHILD, pausing=True) == (700, 701, 702)


@pytest.mark.parametrize("name", [*ANY_THROTTLE, *A_PAUSE])
def test_a_pause_spares(name: str) -> None:
    decoy = (ANY_THROTTLE | A_PAUSE)[name]
    assert held(TOOL, decoy, GRANDCHILD, pausing=True) == (700, 702)
    assert held(replace(decoy, ppid=600), GRANDCHILD, pausing=True) == (), "nor is it held as a root"


@pytest.mark.parametrize("name", ANY_THROTTLE)
def test_bounds_spare(name: str) -> None:
    assert held(TOOL, ANY_THROTTLE[name], GRANDCHILD, pausing=False) == (700, 702)


def test_bounds_hold_shells_of_the_tree() -> None:
    assert held(TOOL, SHELL, GRANDCHILD, pausing=False) == (700, 701, 702)


def test_the_main_process_of_an_agent_is_never_paused() -> None:
    assert held(CLAUDE, TOOL, pausing=True) == ()
    assert held(CLAUDE, TOOL, pausing=False) == (600, 700)


@pytest.mark.parametrize("pausing", [True, False])
def test_a_server_in_use_is_spared_unless_the_policy_allows_it(*, pausing: bool) -> None:
    for reachable in (True, None):
        assert held(TOOL, CHILD, pausing=pausing, reachable={701: reachable}) == (700,)
    allow = (OptIn.LISTENING_SOCKET,)
    assert held(TOOL, CHILD, pausing=pausing, allow=allow, reachable={701: True}) == (700, 701)


def test_what_is_in_another_unit_is_not_moved() -> None:
    """One that a tool has started with `systemd-run --scope`, say."""
    assert held(TOOL, CHILD, GRANDCHILD, pausing=False, unit="run-r1.scope") == (700, 702)
    assert held(TOOL, CHILD, GRANDCHILD, pausing=True, unit="run-r1.scope") == (700, 701, 702)


def test_what_was_not_looked_at_is_spared() -> None:
    order = single_order(POLICY, Method.AGENT_PROCESS, CLAUDE.id)
    found = throttled.members(
        table(CLAUDE, TOOL), [TOOL.id], {}, order, uid=UID, own=frozenset(), pausing=False, units=frozenset()
    )
    assert found == ()


def test_the_remediator_itself_is_spared() -> None:
    ours = replace(CHILD, id=ProcessId(4242, CHILD.id.start_ticks))
    assert held(TOOL, ours, pausing=False) == (700,)


def test_a_job_of_a_shell_is_not_paused_for_its_shell_would_take_the_terminal() -> None:
    shell = replace(SHELL, tty=34816, pgid=701)
    job = replace(GRANDCHILD, tty=34816, pgid=702)
    assert held(TOOL, shell, job, pausing=True) == (700,)
    assert held(TOOL, shell, replace(job, pgid=701), pausing=True) == (700, 702), "no job control"
    assert held(TOOL, shell, job, pausing=False) == (700, 701, 702)


def test_a_reused_pid_is_not_held() -> None:
    order = single_order(POLICY, Method.AGENT_PROCESS, CLAUDE.id)
    other = ProcessId(TOOL.id.pid, TOOL.id.start_ticks + 1)
    found = throttled.members(
        table(CLAUDE, TOOL),
        [other],
        {other: HARMLESS},
        order,
        uid=UID,
        own=frozenset(),
        pausing=False,
        units=frozenset(),
    )
    assert found == ()


SH = process(590, 500, ["bash"], exe="/usr/bin/bash")
SERVER = process(500, 1, ["tmux"], exe="/usr/bin/tmux")
INIT = process(1, 0, ["init"], exe="/sbin/init")
MANAGER = replace(process(400, 1, ["systemd", "--user"], exe="/lib/systemd/systemd"), comm="systemd")
LEFT = process(720, 400, ["node", "left.js"], exe="/usr/bin/node")


def first_spared(
    *inside: Process, outside: tuple[Process, ...] = (), allow: tuple[OptIn, ...] = (), reachable: int = 0
) -> tuple[int, str] | None:
    """What a pane is left alone for, whose scope has its shell, its agent, a tool and these."""
    members = {each.id.pid: each for each in (SH, CLAUDE, TOOL, *inside)}
    known = table(*members.values(), SERVER, INIT, MANAGER, *outside)
    around = {each.id: HARMLESS for each in members.values()}
    if reachable:
        around[members[reachable].id] = ProcessContext(unit="", reachable=True)
    found = throttled.first_spared(
        known, frozenset(around), SH.id, around,
        single_order(replace(POLICY, allow=allow), Method.AGENT_PROCESS, CLAUDE.id),
        uid=UID, own=frozenset({4242}),
    )  # fmt: skip
    return None if found is None else (found[0].pid, found[1])


def test_a_pane_is_held_with_its_shell_and_what_it_has_left_behind() -> None:
    assert first_spared(CHILD, LEFT, replace(GRANDCHILD, ppid=720)) is None
    assert first_spared(replace(LEFT, ppid=1)) is None
    assert first_spared(replace(CHILD, state="Z", threads=1, uid=UID + 1)) is None, "it has ended"


STRANGERS = {
    "is_of_another_user": (ANY_THROTTLE["another_user"], ()),
    "is_a_tmux": (ANY_THROTTLE["tmux"], ()),
    "is_named": (ANY_THROTTLE["protected_by_its_name"], ()),
    "is_above_us": (replace(CHILD, id=ProcessId(4242, CHILD.id.start_ticks)), ()),
    "is_of_pane": (replace(LEFT, ppid=580), (process(580, 500, ["bash"], exe="/usr/bin/bash"),)),
}
"""What is left alone, and what lives outside of the scope: the last one was moved in from another pane."""


@pytest.mark.parametrize("name", STRANGERS)
def test_a_pane_is_left_alone_where_something_else_is_in_its_scope(name: str) -> None:
    stranger, outside = STRANGERS[name]
    assert first_spared(stranger, outside=outside) == (stranger.id.pid, name)


def test_a_pane_with_a_server_in_use_is_left_alone_unless_the_policy_allows_it() -> None:
    assert first_spared(CHILD, reachable=701) == (701, "is_reachable")
    assert first_spared(CHILD, reachable=701, allow=(OptIn.LISTENING_SOCKET,)) is None


def test_a_pane_is_left_alone_whose_processes_cannot_be_told() -> None:
    assert first_spared(replace(LEFT, ppid=99_999)) == (720, "is_of_pane")
