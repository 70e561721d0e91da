"""Processes that outlive their pane, and that a sample has seen in it."""

from tests.support.processes.started import is_gone
from tests.support.remediator.remediation import FLEET, Fleet
from tests.support.wait import wait_for
from tmux_exporter.remediator.loop import Remediator


def start_in_pane(fleet: Fleet, name: str, command: str) -> tuple[int, str]:
    """Run a command in a kernel session of its own below the shell of a pane; its pid and that pane."""
    pane = fleet.scene.shell(
        f"B=$B setsid sh -c 'echo $$ >$B/{name}.pid; exec {command}' >/dev/null 2>&1 </dev/null &",
        *("-t", "main:"),
        server=FLEET,
    )
    pid = fleet.scene.pid(f"{name}.pid")
    fleet._started.append(pid)
    return pid, pane


def close_pane(fleet: Fleet, pane: str) -> None:
    """Close a pane; its shell is gone then."""
    root = fleet.scene.root(pane, server=FLEET)
    fleet.tmux("kill-pane", "-t", pane)
    wait_for(lambda: is_gone(root), "the pane is gone")


def leave(fleet: Fleet, remediator: Remediator, *panes: str) -> None:
    """Let a sample see what runs in these panes, then close them."""
    remediator.cycle()
    for pane in panes:
        close_pane(fleet, pane)
    fleet.clock.advance(5)
    remediator.cycle()
