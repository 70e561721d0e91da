"""Agent markers: when a session id ties a process to a pane, and everything that prevents it."""

from collections.abc import Mapping

import pytest

from tests.support.literals.agents import find_agents
from tests.support.literals.facts import (
    answering,
    pane,
    pane_key,
    process,
    silent,
    table,
    tmux_environ,
    tmux_server,
)
from tests.support.literals.facts import tmux_view as view_of
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey, TmuxView

ID = "01234567-89ab-cdef-0123-456789abcdef"
OTHER_ID = "11234567-89ab-cdef-0123-456789abcdef"
MARKER = {"CLAUDE_CODE_SESSION_ID": ID}
SERVER = tmux_server(100)
SHELL = process(110, 100, environ=tmux_environ(100, "%1"))
OTHER_SHELL = process(120, 100, environ=tmux_environ(100, "%2"))
AGENT = process(130, 110, argv=("claude",), exe="/bin/claude", environ=tmux_environ(100, "%1"))
TOOL = process(140, 130, environ=tmux_environ(100, "%1") | MARKER)
ORPHAN = process(300, environ=MARKER)
PANE_1 = pane_key(SERVER, "%1")
BOTH = view_of(answering(SERVER, pane("%1", 110), pane("%2", 120)))
ONLY_2 = view_of(answering(SERVER, pane("%2", 120)))
SILENT = view_of(silent(SERVER, pane("%1", 110), pane("%2", 120)))
THERE = (SERVER, SHELL, OTHER_SHELL, AGENT, TOOL)
LEFT = (SERVER, OTHER_SHELL)
TIED = (OwnerKind.PANE, Evidence.AGENT_MARKER, PANE_1)
LEAKED = (OwnerKind.LEAKED, Evidence.AGENT_MARKER, PANE_1)

Memory = Mapping[ProcessId, Owner]


def look(
    *processes: Process, view: TmuxView = BOTH, memory: Memory | None = None, complete: bool = True
) -> dict[ProcessId, Owner]:
    return attribute(table(*processes, complete=complete), view, memory or {})


def seen(found: Memory, one: Process = ORPHAN) -> tuple[OwnerKind, Evidence, PaneKey | None] | None:
    owner = found.get(one.id)
    return (owner.kind, owner.evidence, owner.pane) if owner else None


def test_the_session_id_of_a_living_agent_ties_an_orphan_to_its_pane() -> None:
    found = look(*THERE, ORPHAN)
    assert seen(found) == TIED
    assert found[ORPHAN.id].reason == "has the session id of claude, pid 130, in pane %1 of tmux server 100"
    assert seen(look(*THERE, ORPHAN, memory=found)) == TIED


def test_only_who_was_tied_before_outlives_the_pane() -> None:
    before = look(*THERE, ORPHAN)
    gone = look(*LEFT, ORPHAN, view=ONLY_2, memory=before)
    assert seen(gone) == LEAKED
    assert ID not in gone[ORPHAN.id].reason
    assert look(*LEFT, ORPHAN, view=ONLY_2, memory=gone)[ORPHAN.id] == gone[ORPHAN.id]
    assert seen(look(*LEFT, ORPHAN, view=ONLY_2)) is None


def test_what_an_orphan_started_is_tied_with_it() -> None:
    child = process(310, 300, environ=MARKER)
    assert seen(look(*THERE, ORPHAN, child), child) == TIED


def test_a_server_that_does_not_answer_says_nothing() -> None:
    before = look(*THERE, ORPHAN)
    assert seen(look(*LEFT, ORPHAN, view=SILENT, memory=before)) == TIED


def test_half_a_view_ties_nobody_and_forgets_nobody() -> None:
    before = look(*THERE, ORPHAN)
    assert seen(look(*THERE, ORPHAN, complete=False)) is None
    assert seen(look(*LEFT, ORPHAN, view=ONLY_2, memory=before, complete=False)) == TIED


def test_codex_has_two_ids_and_both_must_agree() -> None:
    ids = {"CODEX_SESSION_ID": ID, "CODEX_THREAD_ID": OTHER_ID}
    agent = process(130, 110, argv=("codex",), exe="/bin/codex", environ=tmux_environ(100, "%1"))
    tool = process(140, 130, environ=ids)
    there = (SERVER, SHELL, OTHER_SHELL, agent)
    orphan = process(300, environ=ids)
    assert seen(look(*there, tool, orphan), orphan) == TIED
    assert seen(look(*there, process(140, 130, environ={"CODEX_SESSION_ID": ID}), orphan), orphan) is None


IN_ANOTHER = (
    process(135, 120, argv=("claude",), exe="/bin/claude", environ=tmux_environ(100, "%2")),
    process(145, 135, environ=tmux_environ(100, "%2") | MARKER),
)
FORBIDDEN: dict[str, tuple[Process, ...]] = {
    "no agent": (SERVER, SHELL, OTHER_SHELL, ORPHAN),
    "no child with it": (SERVER, SHELL, OTHER_SHELL, AGENT, ORPHAN),
    "another id": (*THERE, process(300, environ={"CLAUDE_CODE_SESSION_ID": OTHER_ID})),
    "no id": (*THERE, process(300, environ={"CLAUDECODE": "1"})),
    "garbage for an id": (*THERE[:4], process(140, 130, environ={"CLAUDE_CODE_SESSION_ID": "1"}),
        process(300, environ={"CLAUDE_CODE_SESSION_ID": "1"})),
    "a shell instead of the agent": (SERVER, SHELL, OTHER_SHELL, process(130, 110), TOOL, ORPHAN),
    "another program's marker": (SERVER, SHELL, OTHER_SHELL, AGENT,
        process(140, 130, environ={"CODEX_THREAD_ID": ID}), process(300, environ={"CODEX_THREAD_ID": ID})),
    "older than the agent": (*THERE, process(300, start=125, environ=MARKER)),
    "also in another pane": (*THERE, *IN_ANOTHER, ORPHAN),
    "also named by the environment of another pane": (*THERE,
        process(301, environ=tmux_environ(100, "%2") | MARKER), ORPHAN),
    "also in the variables of a whole pane": (SERVER, SHELL,
        process(120, 100, environ=tmux_environ(100, "%2") | MARKER), AGENT, TOOL, ORPHAN),
    "handed to a tmux server": (*THERE, tmux_server(200, environ=MARKER), ORPHAN),
    "a living parent outside": (*THERE, process(200, comm="zsh"), process(300, 200, environ=MARKER)),
    "the session goes on outside": (*THERE, process(200), process(201, 200, environ=MARKER), ORPHAN),
    "an agent outside": (*THERE, process(200, argv=("claude",), exe="/bin/claude"), ORPHAN),
    "a tmux client": (*THERE, process(300, comm="tmux: client", environ=MARKER)),
    "a zombie": (*THERE, process(300, state="Z", environ=MARKER)),
}  # fmt: skip


@pytest.mark.parametrize("why", FORBIDDEN)
def test_what_forbids_the_tie(why: str) -> None:
    assert ProcessId(300, 300) not in look(*FORBIDDEN[why])
    assert ProcessId(300, 125) not in look(*FORBIDDEN[why])


@pytest.mark.parametrize(
    "more",
    [
        IN_ANOTHER,
        (process(200, argv=("claude",), exe="/bin/claude"),),
        (process(200), process(201, 200, environ=MARKER)),
    ],
)
def test_a_session_that_goes_on_elsewhere_takes_the_tie_away(more: tuple[Process, ...]) -> None:
    before = look(*THERE, ORPHAN)
    assert seen(look(*LEFT, *more, ORPHAN, view=ONLY_2, memory=before)) is None
    gone = look(*LEFT, ORPHAN, view=ONLY_2, memory=before)
    assert seen(look(*LEFT, *more, ORPHAN, view=ONLY_2, memory=gone)) is None


def test_a_variable_of_tmux_is_heard_first() -> None:
    lies = process(300, environ=tmux_environ(99, "%1") | MARKER)
    assert seen(look(*THERE, lies), lies) == (OwnerKind.OTHER, Evidence.NONE, None)
    beside = process(301, environ=MARKER)
    assert seen(look(*THERE, lies, beside), beside) is None


def test_a_child_of_the_systemd_of_the_user_is_an_orphan_too() -> None:
    reaper = process(50, comm="systemd")
    orphan = process(300, 50, environ=MARKER)
    assert seen(look(*THERE, reaper, orphan), orphan) == TIED
    below = process(50, 40, comm="systemd")
    assert seen(look(*THERE, process(40), below, orphan), orphan) is None


def test_it_makes_nothing_a_part_of_an_agent() -> None:
    everybody = table(*THERE, ORPHAN)
    (agent,) = find_agents(everybody, attribute(everybody, BOTH, {}), BOTH, SIGNATURES, AgentNames())
    assert agent.members == {AGENT.id, TOOL.id}
