"""Counters and figures of real processes in real panes."""

from pathlib import Path

import pytest

from tests.support.scenes.scene import Scene, key
from tests.support.wait import wait_for
from tmux_exporter.analysis.cpu.counters import GroupCounters
from tmux_exporter.analysis.report.usage import usage
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.report import Usage
from tmux_exporter.facts.tmux import PaneKey

BURN = (
    "mkfifo $B/go\nread line <$B/go\n"
    "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo 1 >$B/burnt; read line <$B/go) &\n"
)
"""Waits for a word, then starts a child that counts to 200,000 and waits again."""


def members(scene: Scene, pane: PaneKey) -> list[Process]:
    return [scene.process(id_.pid) for id_, owner in scene.owners.items() if owner.pane == pane]


def session_of(scene: Scene, pane: PaneKey) -> str:
    (listing,) = [view.listing for view in scene.view.servers if view.listing]
    return {each.id: each.session_id for each in listing.panes}[pane.pane]


def charge(scene: Scene, accounts: GroupCounters[PaneKey | str], pane: PaneKey) -> Usage:
    """Take a sample, charge the pane and its session for it, and tell what the pane costs."""
    scene.look()
    found = members(scene, pane)
    session = session_of(scene, pane)
    accounts.observe(scene.table, {each.id: frozenset({pane, session}) for each in found})
    return usage(found, accounts.totals(pane), scene.table.start_time)


def test_what_a_pane_burns_is_counted_from_0_and_stays_with_the_session_it_was_burnt_in(scene: Scene) -> None:
    server = scene.start()
    scene.tmux("new-session", "-d", "-s", "other", "sleep 3600")
    pane = key(server, scene.shell(BURN, "-t", "main:"))
    accounts = GroupCounters[PaneKey | str]()
    shell = scene.root(pane.pane)
    children = Path(f"/proc/{shell}/task/{shell}/children")
    wait_for((scene.base / "go").exists, "the script goes on")
    wait_for(lambda: not children.read_text(), "mkfifo has ended, and the script waits")
    first = charge(scene, accounts, pane)
    assert (first.cpu_seconds_total, first.processes, first.process_tree_depth) == (0.0, 1, 1)

    (scene.base / "go").write_text("burn\n")
    wait_for((scene.base / "burnt").exists, "the child has counted")
    before = session_of(scene, pane)
    second = charge(scene, accounts, pane)
    burner = scene.process(scene.child(scene.root(pane.pane)))
    # The child is new: all it has used counts, and its parent has used next to nothing.
    assert burner.cpu_ticks > 0
    assert 0 <= second.cpu_seconds_total - burner.cpu_ticks / scene.table.clock_ticks_per_second <= 0.05
    assert (second.processes, second.process_tree_depth) == (2, 2)

    scene.tmux("join-pane", "-d", "-s", pane.pane, "-t", "other:")
    third = charge(scene, accounts, pane)
    after = session_of(scene, pane)
    assert before != after
    assert third.cpu_seconds_total >= second.cpu_seconds_total
    assert accounts.totals(before).cpu_seconds == second.cpu_seconds_total
    moved = accounts.totals(before).cpu_seconds + accounts.totals(after).cpu_seconds
    assert moved == pytest.approx(third.cpu_seconds_total)


def test_the_figures_of_a_pane_are_those_of_proc(scene: Scene) -> None:
    pane = key(scene.start(), scene.shell("sleep 300 & echo $! >$B/child.pid"))
    pids = (scene.root(pane.pane), scene.pid("child.pid"))
    comms = [Path(f"/proc/{pid}/comm") for pid in pids]
    wait_for(lambda: all(comm.read_text() == "sleep\n" for comm in comms), "both sleep")
    statuses = [Path(f"/proc/{pid}/status") for pid in pids]

    def memory_of() -> list[dict[str, int]]:
        return [
            {name: int(rest.split()[0]) * 1024 for name, _, rest in rows if rest.endswith("kB")}
            for rows in ([row.partition(":") for row in path.read_text().splitlines()] for path in statuses)
        ]

    # A program that still loads its libraries grows: only figures between two equal readings are compared.
    def charged_while_still() -> tuple[Usage, list[dict[str, int]]] | None:
        memory = memory_of()
        found = charge(scene, GroupCounters[PaneKey | str](), pane)
        return (found, memory) if memory_of() == memory else None

    found, memory = wait_for(charged_while_still, "a reading while both keep their memory")

    def total(field: str) -> int:
        return sum(each[field] for each in memory)

    assert found.memory_bytes == total("RssAnon") + total("RssShmem")
    assert found.anonymous_memory_bytes == total("RssAnon")
    assert found.swap_memory_bytes == total("VmSwap")
    assert found.open_fds == sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    assert (found.processes, found.threads, found.process_tree_depth) == (2, 2, 2)
    assert (found.read_bytes_total, found.written_bytes_total) == (0, 0)
