"""Which folders are measured for agents, and what becomes of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from tests.support.literals.facts import UID, process, table
from tests.support.literals.scripted import Harmless
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.facts.workspaces import Workspace, WorkspaceKind
from tmux_exporter.sampling.stages.workspaces import WorkspaceStage

WORK = WorkspaceKind.WORK
FIRST, SECOND, FOREIGN = process(201), process(202), process(203, uid=UID + 1)
TABLE = replace(table(FIRST, SECOND, FOREIGN), uid=UID)
FOLDERS = {FIRST.id: "/home/me/my.repo", SECOND.id: "/home/me/side", FOREIGN.id: "/home/other"}


def agent(process: ProcessId, program: str) -> Agent:
    return Agent(
        name=program, pane=PaneKey(ProcessId(100, 1), "%0"), process=process, program=program, version="",
        role="", reason="", members=frozenset({process}),
    )  # fmt: skip


AGENTS = (agent(FIRST.id, "claude"), agent(SECOND.id, "aider"), agent(FOREIGN.id, "claude"))


class Details(Harmless):
    def folders(self, processes: Iterable[ProcessId]) -> dict[ProcessId, str]:
        return {each: FOLDERS[each] for each in processes}


class Disk:
    """What is known of folders; `asked` is what was asked for, each time."""

    def __init__(self) -> None:
        self.known: Mapping[str, Workspace] = {}
        self.asked: list[set[str]] = []

    def read(self, folders: Collection[str]) -> Mapping[str, Workspace]:
        self.asked.append(set(folders))
        return {each: self.known[each] for each in folders if each in self.known}


def test_the_folders_of_this_users_agents_are_measured() -> None:
    disk = Disk()
    log = "~/.claude/projects/-home-me-my-repo"
    disk.known = {
        "/home/me/side": Workspace(bytes=5, worktree="feature-x"),
        log: Workspace(bytes=7),
        "/home/other": Workspace(bytes=9),
    }
    stage = WorkspaceStage(disk, Details())
    found = stage.observe(TABLE, AGENTS, wanted=True)
    assert found == {
        FIRST.id: {(WorkspaceKind.LOG, ""): Workspace(bytes=7)},
        SECOND.id: {(WORK, "feature-x"): Workspace(bytes=5, worktree="feature-x")},
    }, "a folder that was not walked wholly has no figure"
    assert disk.asked == [{"/home/me/my.repo", log, "/home/me/side"}]


def test_nothing_is_asked_for_by_default_and_after_it_the_source_is_told_once() -> None:
    disk = Disk()
    stage = WorkspaceStage(disk, Details())
    for wanted in (False, True, False, False):
        assert stage.observe(TABLE, (), wanted=wanted) == {}
    assert disk.asked == [set(), set()]
