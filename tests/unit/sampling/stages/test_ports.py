"""On which ports agents listen, and how often they are asked."""

from collections.abc import Iterable

from tests.support.literals.scripted import Harmless
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sampling.stages.ports import FRESH_SECONDS, PortStage

ROOT, SERVER, WORKER, HIDDEN = (ProcessId(pid, 1) for pid in (201, 202, 203, 204))
AGENT = Agent(
    name="a", pane=PaneKey(ProcessId(100, 1), "%0"), process=ROOT, program="claude", version="", role="",
    reason="", members=frozenset({ROOT, SERVER, WORKER, HIDDEN}),
)  # fmt: skip


class Details(Harmless):
    """`asked` is how often somebody asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.known = {SERVER: frozenset({8080, 3000}), WORKER: frozenset({8080}), ROOT: frozenset[int]()}

    def ports(self, processes: Iterable[ProcessId]) -> dict[ProcessId, frozenset[int]]:
        self.asked += 1
        return {each: self.known[each] for each in processes if each in self.known}


def test_each_process_that_listens_counts_once_a_minute() -> None:
    details = Details()
    stage = PortStage(details)
    found = stage.observe([AGENT], 100.0, wanted=True)
    assert found == {ROOT: {"3000": 1, "8080": 2}}
    details.known = {}
    assert stage.observe([AGENT], 99.0 + FRESH_SECONDS, wanted=True) == found
    assert stage.observe([AGENT], 100.0 + FRESH_SECONDS, wanted=True) == {ROOT: {}}
    assert details.asked == 2


def test_only_the_lowest_ports_are_told() -> None:
    details = Details()
    details.known = {SERVER: frozenset(range(9000, 9100)), WORKER: frozenset({80})}
    (ports,) = PortStage(details).observe([AGENT], 0.0, wanted=True).values()
    assert list(ports) == ["80", *(str(port) for port in range(9000, 9019))]


def test_nobody_is_asked_by_default() -> None:
    details = Details()
    assert PortStage(details).observe([AGENT], 0.0, wanted=False) == {}
    assert details.asked == 0
