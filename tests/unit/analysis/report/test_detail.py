from dataclasses import replace

from tests.support.literals.facts import process, table
from tests.support.literals.report import example_report, leak, pane
from tests.unit.analysis.report.test_explain import (
    AGENT,
    CLAUDE,
    OTHER,
    SERVER,
    SHELL,
    STRANGER,
    VIEW,
    snapshot,
)
from tmux_exporter.analysis.report import detail as module
from tmux_exporter.analysis.report.detail import detail
from tmux_exporter.facts.agents import AgentState, AgentStatus, Clue, StateSource, TrackedAgent
from tmux_exporter.facts.detail import Detail, Wanted
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.owner import Evidence

TOOL = process(210, 201, argv=("node", "hunter2"), anonymous_bytes=9000, shared_memory_bytes=0)
LOST = process(400, 1, argv=("vite",))
BELOW = process(401, 400, argv=("esbuild",))
SHOWN = replace(
    snapshot(table(SERVER, OTHER, SHELL, CLAUDE, TOOL, STRANGER, LOST, BELOW)),
    agents=(replace(AGENT, members=frozenset({CLAUDE.id, TOOL.id})),),
    tracked_agents=(
        TrackedAgent(
            server="default",
            session="work",
            name="lead",
            up=True,
            status=AgentStatus(
                state=AgentState.WORKING,
                since=1.0,
                source=StateSource.HOOK,
                why="its hook said so",
                passed=(Clue(source=StateSource.PANE_TEXT, why="nothing known is drawn"),),
            ),
        ),
    ),
)
REPORT = replace(
    example_report(),
    panes=(pane("default", "work", "%0", 1), pane("other", "work", "%1", 1)),
    agents=(replace(example_report().agents[0], process=CLAUDE.id),),
    leaks=(replace(leak("default", "work", LeakKind.DEV_SERVER, pid=400), process=LOST.id),),
)


def told(**names: object) -> Detail:
    found = detail(Wanted(**names), SHOWN, REPORT)  # type: ignore[arg-type]
    assert found is not None
    return found


def pids(found: Detail) -> list[int]:
    return [each.figures.process.pid for each in found.processes]


def test_an_agent_has_its_tree_its_pane_and_the_clues_that_did_not_decide() -> None:
    found = told(server="default", session="work", agent="lead")
    assert pids(found) == [210, 201]
    assert [each.figures.parent for each in found.processes] == [201, 200]
    assert {each.evidence for each in found.processes} == {Evidence.TREE}
    assert [each.pane for each in found.panes] == ["%0"]
    assert found.clues == ((StateSource.PANE_TEXT, None),)


def test_a_session_a_pane_and_a_server_have_what_runs_in_them() -> None:
    assert pids(told(server="default", session="work")) == [210, 201, 200]
    assert pids(told(server="default", pane="%0")) == [210, 201, 200]
    assert pids(told(server="other", session="work")) == []
    assert pids(told(server="default")) == [100]


def test_a_process_is_shown_only_where_it_is_a_leak_or_a_scheduler() -> None:
    assert pids(told(pid=400)) == [400, 401]
    for other in (300, 201, 9999):
        assert detail(Wanted(pid=other), SHOWN, REPORT) is None


def test_what_is_not_there_has_no_detail() -> None:
    for names in (
        Wanted(server="default", session="gone"),
        Wanted(server="default", session="work", agent="gone"),
        Wanted(server="default", pane="%1"),
        Wanted(server="gone"),
    ):
        assert detail(names, SHOWN, REPORT) is None


def test_of_many_the_largest_are_shown() -> None:
    many = tuple(
        process(1000 + each, 200, argv=("x",), anonymous_bytes=each, shared_memory_bytes=0)
        for each in range(module.MOST + 5)
    )
    crowd = snapshot(table(SERVER, SHELL, CLAUDE, *many), VIEW)
    found = detail(Wanted(server="default", session="work"), crowd, REPORT)
    assert found is not None
    assert (len(found.processes), found.left_out) == (module.MOST, 7)
    assert max(pids(found)) == 1000 + module.MOST + 4
