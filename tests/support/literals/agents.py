"""The agents of one sample, found from nothing."""

from collections.abc import Mapping, Sequence

from tmux_exporter.analysis.agents.find import AgentFacts, AgentFinder
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.signatures import Signature
from tmux_exporter.config import AgentSettings
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView


def find_agents(
    table: ProcessTable,
    owners: Mapping[ProcessId, Owner],
    view: TmuxView,
    signatures: Sequence[Signature],
    names: AgentNames,
    *,
    settings: AgentSettings | None = None,
) -> tuple[Agent, ...]:
    """Every agent in the listed panes, oldest first; `names` keeps names between samples."""
    members: dict[PaneKey, list[Process]] = {}
    for process in table.processes.values():
        owner = owners.get(process.id)
        if owner and owner.kind is OwnerKind.PANE and owner.pane and process.alive:
            members.setdefault(owner.pane, []).append(process)
    return AgentFinder(names).find(
        AgentFacts(
            view=view,
            owners=owners,
            members=members,
            changed=members,
            tmux_changed=True,
            signatures=signatures,
            settings=settings or AgentSettings(),
        )
    )
