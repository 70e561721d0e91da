"""Which processes of a tree a throttle holds, and which it spares; pure."""

import posixpath
from collections.abc import Mapping, Sequence

from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.remediation import Method
from tmux_exporter.facts.shells import POSIX_SHELLS
from tmux_exporter.remediator.decide.last_checks import ProcessContext, is_protected, is_tmux
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.policy import OptIn

MOST_PROCESSES = 256
"""More are not held: each takes a descriptor, and so many are rather a fork bomb."""


def members(
    table: ProcessTable,
    tree: Sequence[ProcessId],
    around: Mapping[ProcessId, ProcessContext],
    order: Order,
    *,
    uid: int,
    own: frozenset[int],
    pausing: bool,
) -> tuple[ProcessId, ...]:
    """What is held of a tree, its root first and parents before children; none where the root is spared.

    Left out are tmux, other users, the remediator and all above it, what a policy file protects, and what
    others can reach (unless the policy allows it). A pause also spares shells, the main process of an agent
    and what a shell runs as a job: its shell would take the terminal.
    """
    known = table.processes

    def is_held(process: Process) -> bool:
        context = around.get(process.id)
        reachable = context is None or context.reachable is not False
        if reachable and OptIn.LISTENING_SOCKET not in order.policy.allow:
            return False
        if process.uid != uid or process.id.pid in own or is_tmux(process):
            return False
        return not is_protected(process, order.policy.protected) and not (
            pausing and (process.id in spared or _is_shell(process) or _is_job(process, known))
        )

    spared = frozenset(order.target.processes[:1]) if order.method is Method.AGENT_PROCESS else frozenset()
    there = [known[each.pid] for each in tree if each.pid in known and known[each.pid].id == each]
    held = tuple(each.id for each in _parents_first(there) if each.alive and is_held(each))
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


def _is_shell(process: Process) -> bool:
    """Whether it is a shell, or may be one: its program cannot be read."""
    return process.exe is None or posixpath.basename(process.exe) in POSIX_SHELLS


def _is_job(process: Process, known: Mapping[int, Process]) -> bool:
    """Whether a shell with job control has started it: that shell sees it stop."""
    parent = known.get(process.ppid)
    return parent is not None and _is_shell(parent) and parent.tty != 0 and parent.pgid != process.pgid
