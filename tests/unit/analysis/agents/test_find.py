"""Finding agents in literal process trees: members of an agent, and processes that are none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.literals.agents import find_agents
from tests.support.literals.listings import listing, process, server_view, table, tmux_view
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import Listing, PaneKey

NODE = "/usr/bin/node"
CLAUDE = "/home/u/.local/share/claude/versions/2.1.197"
MARK = {"CLAUDECODE": "1"}


def _fleet(**options: str) -> Listing:
    """Session `orc` with two windows; the panes' own processes are 100 and 200."""
    listed = listing({"orc": ["Claude-Agent", "Shell"]})
    first, second = listed.panes
    return replace(
        listed,
        panes=(
            replace(
                first, pid=100, agent_option=options.get("agent", ""), role_option=options.get("role", "")
            ),
            replace(second, pid=200),
        ),
    )


def _shell(pid: int = 100, environ: Mapping[str, str] | None = None) -> Process:
    return process(pid, 90, ["-bash"], exe="/usr/bin/bash", environ=environ)


def _find(
    processes: Sequence[Process],
    *,
    fleet: Listing | None = None,
    escaped: Mapping[int, Evidence] | None = None,
    elsewhere: Mapping[int, PaneKey | OwnerKind] | None = None,
    names: AgentNames | None = None,
) -> tuple[Agent, ...]:
    """All processes belong to pane %0 by their tree, but for the `escaped` and those `elsewhere`."""
    listed = fleet or _fleet()
    owners: dict[ProcessId, Owner] = {}
    for each in processes:
        place = (elsewhere or {}).get(each.id.pid, PaneKey(listed.server, "%0"))
        kind = place if isinstance(place, OwnerKind) else OwnerKind.PANE
        owners[each.id] = Owner(
            kind=kind,
            evidence=(escaped or {}).get(each.id.pid, Evidence.TREE),
            reason="",
            server=listed.server,
            pane=PaneKey(listed.server, "%0") if isinstance(place, OwnerKind) else place,
        )
    view = tmux_view(server_view(listed))
    return find_agents(table(*processes), owners, view, SIGNATURES, names or AgentNames())


def _shape(agents: Sequence[Agent]) -> list[tuple[str, int, list[int]]]:
    return [
        (agent.program, agent.process.pid, sorted(member.pid for member in agent.members)) for agent in agents
    ]


def test_an_agent_with_all_its_facts() -> None:
    tree = [_shell(), process(101, 100, ["claude"], exe=CLAUDE), process(102, 101, ["git", "status"])]
    (agent,) = _find(tree, fleet=_fleet(role="engineer\x1b"))
    assert agent == Agent(
        name="Claude-Agent", pane=PaneKey(_fleet().server, "%0"), process=ProcessId(101, 2_000),
        program="claude", version="2.1.197", role="engineer\\033", reason="argv[0] is claude",
        members=frozenset({ProcessId(101, 2_000), ProcessId(102, 2_000)}), programs=(ProcessId(101, 2_000),),
    )  # fmt: skip


def test_an_agent_may_be_its_panes_own_process() -> None:
    assert _shape(_find([process(100, 90, ["claude"], exe=CLAUDE)])) == [("claude", 100, [100])]


def test_launchers_and_relaunches_are_one_agent() -> None:
    npx = [
        _shell(),
        process(101, 100, ["npm exec @openai/codex"], exe=NODE),
        process(102, 101, ["sh", "-c", "codex"], exe="/usr/bin/dash"),
        process(103, 102, ["node", "/x/bin/codex"], exe=NODE),
        process(104, 103, ["/x/codex-linux-x64/vendor/codex/codex"]),
        process(105, 104, ["rg"]),
    ]
    assert _shape(_find(npx)) == [("codex", 103, [103, 104, 105])]
    gemini = [
        _shell(),
        process(101, 100, ["node", "/usr/local/bin/gemini"], exe=NODE),
        process(102, 101, [NODE, "--max-old-space-size=1", "/usr/local/bin/gemini"], exe=NODE),
    ]
    assert _shape(_find(gemini)) == [("gemini", 101, [101, 102])]


def test_the_version_comes_from_whichever_process_of_the_program_shows_it() -> None:
    launcher = process(101, 100, ["node", "/usr/local/bin/claude"], exe=NODE)
    (agent,) = _find([_shell(), launcher, process(102, 101, ["claude"], exe=CLAUDE)])
    assert (agent.process.pid, agent.version) == (101, "2.1.197")
    newer = process(102, 101, ["claude"], exe=CLAUDE.replace("2.1.197", "2.2.0"))
    (agent,) = _find([_shell(), process(101, 100, ["claude"], exe=CLAUDE), newer])
    assert agent.version == "2.1.197"


def test_a_subagent_of_the_same_program_is_part_of_its_parent() -> None:
    tree = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(102, 101, ["bash", "-c", "claude -p x"]),
        process(103, 102, ["claude", "-p", "x"], exe=CLAUDE),
        process(104, 103, ["rg"]),
    ]
    assert _shape(_find(tree)) == [("claude", 101, [101, 102, 103, 104])]


def test_two_programs_in_one_pane_are_two_agents_and_share_no_process() -> None:
    nested = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(102, 101, ["codex", "exec", "x"]),
        process(103, 102, ["rg"]),
        process(104, 101, ["git"]),
        process(105, 102, ["claude", "-p", "y"], exe=CLAUDE),
    ]
    assert _shape(_find(nested)) == [("claude", 101, [101, 104]), ("codex", 102, [102, 103, 105])]
    agents = _find([_shell(), process(101, 100, ["claude"], exe=CLAUDE), process(102, 100, ["aider"])])
    assert _shape(agents) == [("claude", 101, [101]), ("aider", 102, [102])]
    assert [agent.name for agent in agents] == ["Claude-Agent", "Claude-Agent#2"]


def test_two_of_one_program_side_by_side_are_two() -> None:
    tree = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(102, 100, ["claude", "-p", "x"], exe=CLAUDE, start=3_000),
    ]
    assert _shape(_find(tree)) == [("claude", 101, [101]), ("claude", 102, [102])]


ESCAPED = {110: Evidence.ENVIRONMENT, 111: Evidence.ENVIRONMENT}


def test_an_orphan_that_carries_the_agents_marker_belongs_to_it_with_its_children() -> None:
    tree = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(110, 1, ["bash", "-c", "sleep 9; x"], environ=MARK, start=3_000),
        process(111, 110, ["sleep", "9"], environ={}, start=3_000),
    ]
    assert _shape(_find(tree, escaped=ESCAPED)) == [("claude", 101, [101, 110, 111])]


@pytest.mark.parametrize(
    ("orphan", "escaped", "shell"),
    [
        # No marker, another program's, or one that cannot be read.
        (process(110, 1, ["vite"], environ={}, start=3_000), ESCAPED, {}),
        (process(110, 1, ["vite"], environ={"GEMINI_CLI": "1"}, start=3_000), ESCAPED, {}),
        (replace(process(110, 1, ["vite"], start=3_000), environ=None), ESCAPED, {}),
        # The whole pane has it: the tmux server was started by an agent.
        (process(110, 1, ["vite"], environ=MARK, start=3_000), ESCAPED, MARK),
        # A shell's own child, whatever it inherited.
        (process(110, 100, ["vite"], environ=MARK, start=3_000), {}, {}),
        # Older than the agent.
        (process(110, 1, ["vite"], environ=MARK, start=1_000), ESCAPED, {}),
        # Daemons are shared by all agents of the program.
        (process(110, 1, ["claude", "daemon"], environ=MARK, start=3_000), ESCAPED, {}),
    ],
)
def test_other_orphans_are_nobodys(
    orphan: Process, escaped: Mapping[int, Evidence], shell: Mapping[str, str]
) -> None:
    tree = [_shell(environ=shell), process(101, 100, ["claude"], exe=CLAUDE), orphan]
    assert _shape(_find(tree, escaped=escaped)) == [("claude", 101, [101])]


def test_a_subagent_that_lost_its_parent_is_still_its_agents() -> None:
    tree = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(110, 1, ["claude", "-p", "x"], exe=CLAUDE, environ=MARK, start=3_000),
    ]
    assert _shape(_find(tree, escaped=ESCAPED)) == [("claude", 101, [101, 110])]
    assert _shape(_find([_shell(), tree[2]], escaped=ESCAPED)) == [("claude", 110, [110])]


def test_of_two_agents_the_orphan_is_the_later_ones() -> None:
    tree = [
        _shell(),
        process(101, 100, ["claude"], exe=CLAUDE),
        process(102, 100, ["claude"], exe=CLAUDE, start=2_500),
        process(103, 100, ["claude"], exe=CLAUDE, start=4_000),
        process(110, 1, ["vite"], environ=MARK, start=3_000),
    ]
    assert _shape(_find(tree, escaped=ESCAPED))[1] == ("claude", 102, [102, 110])


def test_a_daemon_below_an_agent_is_its_own_and_alone_is_none() -> None:
    server = process(102, 101, ["codex", "app-server"], exe="/usr/local/bin/codex")
    tree = [_shell(), process(101, 100, ["codex"], exe="/usr/local/bin/codex"), server]
    assert _shape(_find(tree)) == [("codex", 101, [101, 102])]
    assert _find([_shell(), replace(server, ppid=100)]) == ()


def test_only_living_processes_of_listed_panes_count() -> None:
    agent = process(101, 100, ["claude"], exe=CLAUDE)
    assert _find([_shell(), replace(agent, state="Z")]) == ()
    fleet = _fleet()
    for place in (OwnerKind.LEAKED, OwnerKind.SERVER, OwnerKind.OTHER, PaneKey(fleet.server, "%77")):
        assert _find([_shell(), agent], elsewhere={101: place}) == ()
    (found,) = _find([_shell(), agent], elsewhere={101: PaneKey(fleet.server, "%1")})
    assert found.pane.pane == "%1"
    assert find_agents(table(agent), {}, tmux_view(server_view(fleet)), SIGNATURES, AgentNames()) == ()


def test_the_option_declares_an_agent_of_a_program_nobody_knows() -> None:
    tree = [_shell(), process(101, 100, ["my-agent"]), process(102, 101, ["git"]), process(110, 1, ["x"])]
    escaped = {110: Evidence.ENVIRONMENT}
    (agent,) = _find(tree, fleet=_fleet(agent="bot"), escaped=escaped)
    assert (agent.name, agent.program, agent.process.pid) == ("bot", "other", 100)
    assert sorted(member.pid for member in agent.members) == [100, 101, 102]
    assert _find(tree, fleet=_fleet(agent="  ")) == ()
    assert _find(tree[1:], fleet=_fleet(agent="bot")) == ()
    no_pid = _fleet(agent="bot")
    no_pid = replace(no_pid, panes=(replace(no_pid.panes[0], pid=None, dead=True), no_pid.panes[1]))
    assert _find(tree, fleet=no_pid) == ()


def test_the_option_only_names_an_agent_that_is_known_anyway() -> None:
    (agent,) = _find([_shell(), process(101, 100, ["claude"], exe=CLAUDE)], fleet=_fleet(agent="bot"))
    assert (agent.name, agent.program, agent.process.pid) == ("bot", "claude", 101)


def test_parents_that_form_a_circle_end_no_sample() -> None:
    circle = [process(101, 102, ["node", "x.js"], exe=NODE), process(102, 101, ["claude"], exe=CLAUDE)]
    assert _shape(_find(circle)) == [("claude", 102, [101, 102])]


def test_names_last_from_sample_to_sample() -> None:
    names = AgentNames()
    tree = [_shell(), process(101, 100, ["claude"], exe=CLAUDE)]
    assert _find(tree, names=names)[0].name == "Claude-Agent"
    renamed = _fleet()
    renamed = replace(renamed, windows=(replace(renamed.windows[0], name="Dev"), renamed.windows[1]))
    assert _find(tree, names=names, fleet=renamed)[0].name == "Claude-Agent"
    assert _find(tree, fleet=renamed)[0].name == "Dev"
