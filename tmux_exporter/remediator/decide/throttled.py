"""Which processes of a tree a throttle holds, and which it spares; pure."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Method
from tmux_exporter.facts.shells import PROMPT_SHELLS
from tmux_exporter.remediator.decide.last_checks import ProcessContext, is_protected, is_tmux
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.policy import OptIn

MOST_PROCESSES = 256
"""More are not held: each takes a descriptor, and so many are rather a fork bomb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What one process of a tree is judged by."""

    order: Order
    contexts: Mapping[ProcessId, ProcessContext]
    known: Mapping[int, Process]
    uid: int
    own: frozenset[int]
    units: frozenset[str | None]


def is_reachable(process: Process, around: _Around) -> bool:
    """It has, or may have, a socket at which others reach it: a server in use."""
    context = around.contexts.get(process.id)
    reachable = context is None or context.reachable is not False
    return reachable and OptIn.LISTENING_SOCKET not in around.order.policy.allow


def is_of_another_user(process: Process, around: _Around) -> bool:
    """It runs as another user."""
    return process.uid != around.uid


def is_above_us(process: Process, around: _Around) -> bool:
    """It is the remediator or one of its ancestors."""
    return process.id.pid in around.own


def is_a_tmux(process: Process, _: _Around) -> bool:
    """Its name or program is tmux's."""
    return is_tmux(process)


def is_named(process: Process, around: _Around) -> bool:
    """A policy file protects it."""
    return is_protected(process, around.order.policy.protected)


def is_main(process: Process, around: _Around) -> bool:
    """It is the main process of an agent: a person may be typing into it."""
    order = around.order
    return order.method is Method.AGENT_PROCESS and process.id in order.target.processes[:1]


def is_shell(process: Process, _: _Around) -> bool:
    """It is a shell, or may be one: its program cannot be read."""
    return process.exe is None or posixpath.basename(process.exe) in PROMPT_SHELLS


def is_job(process: Process, around: _Around) -> bool:
    """A shell with job control has started it: that shell would see it stop, and take the terminal."""
    parent = around.known.get(process.ppid)
    return parent is not None and is_shell(parent, around) and parent.tty != 0 and parent.pgid != process.pgid


def is_elsewhere(process: Process, around: _Around) -> bool:
    """It is in another unit of systemd than its root: it would return to the wrong one, out of its bounds."""
    context = around.contexts.get(process.id)
    return context is None or context.unit not in around.units


SPARED = (is_reachable, is_of_another_user, is_above_us, is_a_tmux, is_named)
"""What every throttle spares."""

SPARED_BY_A_PAUSE = (is_main, is_shell, is_job)
"""What a pause spares besides."""


SPARED_BY_A_SCOPE = (is_elsewhere,)
"""What a scope spares besides."""


SPARED_BY_A_WHOLE_PANE = SPARED
"""What a throttle of a whole pane would have to spare, and cannot: where one is, the pane is left alone."""


def first_spared(
    table: ProcessTable,
    inside: frozenset[ProcessId],
    pane: ProcessId,
    around: Mapping[ProcessId, ProcessContext],
    order: Order,
    *,
    uid: int,
    own: frozenset[int],
) -> tuple[ProcessId, str] | None:
    """A process for which the pane is left alone whose scope has these `inside`, and why; None without one.

    `pane` is what tmux has started in it.
    """
    seen = _Around(order=order, contexts=around, known=table.processes, uid=uid, own=own, units=frozenset())
    for each in sorted(inside):
        process = table.find(each)
        if process is None or not process.alive:
            continue
        for spares in SPARED_BY_A_WHOLE_PANE:
            if spares(process, seen):
                return each, spares.__name__
        if not is_of_pane(process, inside, pane, table.processes):
            return each, is_of_pane.__name__
    return None


def is_of_pane(
    process: Process, inside: frozenset[ProcessId], pane: ProcessId, known: Mapping[int, Process]
) -> bool:
    """It descends from what tmux started in the pane, or from an orphan that the scope has kept."""
    for _ in inside:
        if process.id == pane:
            return True
        parent = known.get(process.ppid)
        if parent is None or parent.id not in inside:
            return parent is not None and _takes_orphans(parent)
        process = parent
    return False


def _takes_orphans(process: Process) -> bool:
    """Whether it is init, or the systemd of a user."""
    return process.id.pid == 1 or (process.ppid == 1 and process.comm == "systemd")


def members(
    table: ProcessTable,
    tree: Sequence[ProcessId],
    around: Mapping[ProcessId, ProcessContext],
    order: Order,
    *,
    uid: int,
    own: frozenset[int],
    pausing: bool,
    units: frozenset[str | None],
) -> tuple[ProcessId, ...]:
    """What is held of a tree, its root first and parents before children; none where the root is spared.

    `units` are those of systemd that a scope takes processes from.
    """
    seen = _Around(order=order, contexts=around, known=table.processes, uid=uid, own=own, units=units)
    spared = (*SPARED, *(SPARED_BY_A_PAUSE if pausing else SPARED_BY_A_SCOPE))
    there = [seen.known[each.pid] for each in tree if each.pid in seen.known]
    mine = _parents_first([each for each in there if each.id in tree])
    held = tuple(each.id for each in mine if each.alive and not any(spares(each, seen) for spares in spared))
    return held if tree[0] in held else ()


def _parents_first(tree: Sequence[Process]) -> list[Process]:
    """A tree level by level, its root first."""
    ordered: list[Process] = []
    level, below = list(tree[:1]), list(tree[1:])
    while level:
        ordered += level
        pids = {each.id.pid for each in level}
        level = [each for each in below if each.ppid in pids]
        below = [each for each in below if each.ppid not in pids]
    return ordered
