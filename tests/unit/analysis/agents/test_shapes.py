"""Agents recorded while they ran (tests/fixtures/agents): each is one agent of its program."""

import json
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.support.literals.agents import find_agents
from tests.support.literals.listings import listing, process, server_view, table, tmux_view
from tests.support.tmux.printed import answer, pane_record, server_record
from tmux_exporter.analysis.agents.names import AgentNames
from tmux_exporter.analysis.agents.pane_state import TITLE_SIGNS
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.evidence import EVIDENCE, Evidence, ProgramEvidence
from tmux_exporter.analysis.programs.evidence import WAYS as WAYS_OF_STARTING
from tmux_exporter.analysis.programs.signatures import matcher
from tmux_exporter.commands.views.agents import as_page
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.owner import Evidence as Tie
from tmux_exporter.facts.owner import Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey
from tmux_exporter.sources.tmux.parse_listing import parse

FIXTURES = Path(__file__).parents[3] / "fixtures" / "agents"
WAYS = json.loads((FIXTURES / "ways.json").read_text())
SHAPES = json.loads((FIXTURES / "shapes.json").read_text())
PROGRAMS = [shape["program"] for shape in SHAPES]


def processes(shape: dict[str, Any]) -> list[Process]:
    """The recorded tree; its first process is the shell of the pane, with pid 100."""
    return [
        process(
            100 + number,
            90 if each["parent"] is None else 100 + each["parent"],
            each["argv"],
            exe=each["exe"],
            comm=each["comm"],
        )
        for number, each in enumerate(shape["processes"])
    ]


def found(tree: list[Process]) -> tuple[Agent, ...]:
    listed = listing({"orc": ["one"]})
    listed = replace(listed, panes=(replace(listed.panes[0], pid=100),))
    pane = PaneKey(listed.server, "%0")
    owners = {
        each.id: Owner(kind=OwnerKind.PANE, evidence=Tie.TREE, reason="", server=listed.server, pane=pane)
        for each in tree
    }
    return find_agents(table(*tree), owners, tmux_view(server_view(listed)), SIGNATURES, AgentNames())


@pytest.mark.parametrize("shape", SHAPES, ids=PROGRAMS)
def test_what_was_recorded_is_one_agent_with_all_its_processes(shape: dict[str, Any]) -> None:
    tree = processes(shape)
    (agent,) = found(tree)
    assert (agent.program, agent.process) == (shape["program"], ProcessId(101, 2_000))
    assert agent.members == {each.id for each in tree[1:]}


@pytest.mark.parametrize("shape", WAYS, ids=[f"{each['program']}-{each['way']}" for each in WAYS])
def test_however_it_was_started_it_is_one_agent(shape: dict[str, Any]) -> None:
    tree = processes(shape)
    (agent,) = found(tree)
    assert (agent.program, agent.process) == (shape["program"], tree[shape["agent"]].id)
    assert agent.members == {each.id for each in tree[shape["agent"] :]}


def test_the_table_of_evidence_says_what_was_recorded() -> None:
    recorded: dict[str, ProgramEvidence] = {}
    for program, shapes in groupby(WAYS, key=itemgetter("program")):
        every = list(shapes)
        ways = tuple(each["way"] for each in every)
        recorded[program] = ProgramEvidence(
            package=every[0]["package"],
            version=every[0]["version"],
            ways=ways,
            helpers=EVIDENCE[program].helpers,
        )
        assert len(ways) >= 3 and set(ways) <= set(WAYS_OF_STARTING)
        assert {(each["package"], each["version"]) for each in every} == {
            (recorded[program].package, recorded[program].version)
        }
    seen = {name: each for name, each in EVIDENCE.items() if each.evidence is Evidence.INSTALLED}
    assert recorded == seen and len(seen) >= 20
    assert all(each.missing for each in EVIDENCE.values() if each.evidence is Evidence.DOCUMENTATION)
    assert list(EVIDENCE) == [row.program for row in SIGNATURES]


def test_the_page_is_that_of_this_table() -> None:
    page = Path(__file__).parents[4] / "docs" / "agent-programs.md"
    assert page.read_text() == as_page(), "make docs"


@pytest.mark.parametrize("shape", SHAPES, ids=PROGRAMS)
def test_each_process_of_the_program_is_known_by_its_file_too(shape: dict[str, Any]) -> None:
    """A link of another name starts it, or an update has renamed it: the path of a native one tells it."""
    natives = [
        each
        for each in processes(shape)[1:]
        if each.exe and not each.exe.endswith(("/node", "/bash", "/python3.11"))
    ]
    for each in natives:
        match = matcher(SIGNATURES).match(replace(each, argv=("x", *(each.argv or ())[1:])))
        assert match is not None and match.signature.program == shape["program"], each.exe


@pytest.mark.parametrize("shape", SHAPES, ids=PROGRAMS)
def test_the_sign_of_its_title_is_known_where_it_has_one(shape: dict[str, Any]) -> None:
    printed = server_record() + pane_record(pane_title=shape["title"])
    (pane,) = parse(answer(printed), ProcessId(999, 1)).panes
    assert (pane.title_sign in TITLE_SIGNS.get(shape["program"], {})) is (
        shape["program"] in ("claude", "codex", "gemini")
    )


def test_no_machine_is_in_the_recordings() -> None:
    paths = {
        word
        for shape in (*SHAPES, *WAYS)
        for each in shape["processes"]
        for word in (each["exe"], *each["argv"])
        if word.startswith("/")
    }
    places = "/home/u", "/usr/bin/", "/usr/lib/ld-", "/lib64/ld-", "/hub"
    assert all(path.startswith(places) for path in paths), paths
