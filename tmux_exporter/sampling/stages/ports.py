"""Stage: the TCP ports on which agents listen."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.sampling.stages.protocols import LeakDetailSource

FRESH_SECONDS = 60.0
_MOST = 20


class PortStage:
    """Asks the processes of agents once a minute, where that is wanted (`metrics.ports`)."""

    def __init__(self, details: LeakDetailSource | None) -> None:
        self._details = details
        self._due = 0.0
        self._found: Mapping[ProcessId, Mapping[str, int]] = {}

    def observe(
        self, agents: Iterable[Agent], now: float, *, wanted: bool
    ) -> Mapping[ProcessId, Mapping[str, int]]:
        """How many processes of each agent listen on each port, the lowest ports only, by its process."""
        if self._details is None or not wanted:
            self._due, self._found = 0.0, {}
        elif now >= self._due:
            self._due = now + FRESH_SECONDS
            self._found = {each.process: self._ports(each, self._details) for each in agents}
        return self._found

    @staticmethod
    def _ports(agent: Agent, details: LeakDetailSource) -> Mapping[str, int]:
        found = Counter(port for ports in details.ports(agent.members).values() for port in ports)
        return {str(port): found[port] for port in sorted(found)[:_MOST]}
