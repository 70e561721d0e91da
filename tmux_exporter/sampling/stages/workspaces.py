"""Stage: the disk space of the folders that agents work in and log to."""

from collections.abc import Iterable, Mapping

from tmux_exporter.analysis.agents.log_folders import log_folder
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import ProcessId, ProcessTable
from tmux_exporter.facts.workspaces import WorkspaceKind, Workspaces
from tmux_exporter.sampling.stages.protocols import LeakDetailSource, WorkspaceSource


class WorkspaceStage:
    """Asks for the folders of this user's agents where that is wanted (`metrics.workspaces`)."""

    def __init__(self, source: WorkspaceSource | None, details: LeakDetailSource | None) -> None:
        self._source = source
        self._details = details
        self._asked = False

    def observe(
        self, table: ProcessTable, agents: Iterable[Agent], *, wanted: bool
    ) -> Mapping[ProcessId, Workspaces]:
        """What is known of the folders of each agent, by its process."""
        if self._source is None or self._details is None or not (wanted or self._asked):
            return {}
        self._asked = wanted
        own = {
            agent.process: agent
            for agent in agents
            if wanted and table.processes[agent.process.pid].uid == table.uid
        }
        places: dict[ProcessId, list[tuple[WorkspaceKind, str]]] = {}
        for process, folder in self._details.folders(own).items():
            places[process] = [(WorkspaceKind.WORK, folder)]
            if log := log_folder(own[process].program, folder):
                places[process].append((WorkspaceKind.LOG, log))
        known = self._source.read({folder for each in places.values() for _, folder in each})
        return {
            process: {
                (kind, label_text(known[folder].worktree)): known[folder]
                for kind, folder in each
                if folder in known
            }
            for process, each in places.items()
        }
