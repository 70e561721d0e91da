import json
from dataclasses import replace

import pytest

from tests.support.facts import answering, pane, process, silent, table, tmux_server, tmux_view
from tmux_exporter.analysis.attribution import attribute
from tmux_exporter.analysis.explain import explain
from tmux_exporter.analysis.leaks import Leaks
from tmux_exporter.analysis.snapshot import Snapshot
from tmux_exporter.errors import CannotSeeError
from tmux_exporter.model import Agent, Leak, LeakKind, PaneKey, ProcessTable, TmuxView
from tmux_exporter.views.explain import as_dict, as_text

SERVER = tmux_server(100)
OTHER = tmux_server(101)
SHELL = process(200, 100, argv=("-bash",), anonymous_bytes=1000, shared_memory_bytes=0)
CLAUDE = process(
    201, 200, argv=("/opt/claude\x1b[31m", "--x"), anonymous_bytes=3000, shared_memory_bytes=0, cpu_ticks=250
)
STRANGER = process(300)
ZOMBIE = process(301, state="Z")
TABLE = table(SERVER, OTHER, SHELL, CLAUDE, STRANGER, ZOMBIE)
VIEW = tmux_view(
    answering(SERVER, pane("%0", 200), pane("%1", None, dead=True)),
    answering(OTHER, pane("%1", None), socket="/tmp/tmux-1000/other"),
)
AGENT = Agent(
    name="lead",
    pane=PaneKey(SERVER.id, "%0"),
    process=CLAUDE.id,
    program="claude",
    version="2.1",
    role="",
    reason="its program is called claude",
    members=frozenset({CLAUDE.id}),
)


def snapshot(table: ProcessTable = TABLE, view: TmuxView = VIEW) -> Snapshot:
    return Snapshot(
        table=table,
        view=view,
        owners=attribute(table, view, {}),
        agents=(AGENT,),
        schedulers=(),
        session_labels={(SERVER.id, "$0"): "work", (OTHER.id, "$0"): "work"},
    )


def facts(target: str) -> dict[str, str]:
    return dict(explain(target, snapshot()).facts)


def test_a_process_is_told_with_owner_and_evidence() -> None:
    found = facts("201")
    assert found["belongs to"] == "pane %0"
    assert found["evidence"].startswith("tree: ")
    assert found["agent"] == "lead (claude): its program is called claude"
    assert found["session"] == "work"
    assert "\x1b" not in found["command"]


def test_a_stranger_belongs_to_nothing_of_tmux() -> None:
    assert facts("300")["belongs to"] == "nothing of tmux"


def test_a_zombie_is_said_to_be_dead() -> None:
    assert facts("301")["state"].startswith("zombie")


def test_a_pane_lists_its_members_by_memory_with_their_shares() -> None:
    members = explain("%0", snapshot()).members
    assert [(each.pid, each.memory_bytes, each.memory_ratio) for each in members] == [
        (201, 3000, 0.75),
        (200, 1000, 0.25),
    ]
    assert members[0].cpu_seconds == 2.5


def test_a_dead_pane_says_so() -> None:
    assert "dead" in facts("default/%1")


def test_an_agent_is_found_by_name_with_and_without_its_server() -> None:
    assert facts("lead")["why an agent"] == "its program is called claude"
    assert facts("default/lead") == facts("lead") == facts("default/%0/lead")


def test_a_held_listing_is_said_to_be_one() -> None:
    held = tmux_view(silent(SERVER, pane("%0", 200)))
    assert "held" in dict(explain("%0", snapshot(view=held)).facts)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("%1", "%1 is ambiguous; say one of: default/%1, other/%1"),
        ("nobody", "no pane and no agent nobody; agents: lead"),
        ("%9\x1b[2J", "no pane and no agent %9\\033[2J; agents: lead"),
        ("999", "no process 999"),
    ],
)
def test_what_is_not_there_or_not_clear_is_refused_with_the_mend(target: str, words: str) -> None:
    with pytest.raises(CannotSeeError) as refused:
        explain(target, snapshot())
    assert str(refused.value) == words


def test_an_incomplete_table_does_not_say_that_a_process_is_gone() -> None:
    with pytest.raises(CannotSeeError, match="cannot be listed"):
        explain("999", snapshot(table=table(complete=False), view=tmux_view()))


def test_the_page_for_a_terminal_lines_up_and_has_no_control_bytes() -> None:
    lines = as_text(explain("%0", snapshot())).split("\n")
    heading = next(line for line in lines if "MEMORY" in line)
    row = next(line for line in lines if line.lstrip().startswith("201"))
    assert heading.index("EVIDENCE") == row.index("tree: ")
    assert all(letter.isprintable() for line in lines for letter in line)


def test_json_holds_the_same_facts() -> None:
    data = json.loads(json.dumps(as_dict(explain("201", snapshot()))))
    assert data["facts"]["belongs to"] == "pane %0"
    assert data["members"][0]["pid"] == 201


def test_more_digits_than_a_pid_has_are_a_name() -> None:
    with pytest.raises(CannotSeeError, match="no pane and no agent 99999"):
        explain("9" * 5000, snapshot())


def test_an_agent_that_keeps_many_of_one_command_says_which() -> None:
    hoard = [process(pid, 201, argv=("yes", "\x1b[31m")) for pid in range(400, 439)]
    members = frozenset({CLAUDE.id, *(each.id for each in hoard)})
    seen = replace(snapshot(table(SERVER, SHELL, CLAUDE, *hoard)), agents=(replace(AGENT, members=members),))
    told = dict(explain("lead", seen).facts)["same command"]
    assert told.startswith("39 of its processes run: yes ")
    assert "\x1b" not in told
    assert "same command" not in facts("lead")


def test_a_leak_is_told_with_its_kind_and_whose_it_was_and_who_is_spared_with_why() -> None:
    leak = Leak(
        process=STRANGER.id,
        kind=LeakKind.DEV_SERVER,
        reason="its pane is gone; it listens on a TCP port",
        server="default",
        session="work",
        pane=None,
    )
    leaks = Leaks(found=(leak,), spared={SHELL.id: "it keeps a terminal"})
    seen = replace(snapshot(), leaks=leaks)
    told = dict(explain("300", seen).facts)
    assert told["leaked"] == "dev_server: its pane is gone; it listens on a TCP port"
    assert told["left by"] == "default work"
    spared = dict(explain("200", seen).facts)
    assert spared["not leaked"] == "it keeps a terminal"
    assert "leaked" not in spared
    nowhere = replace(leaks, found=(replace(leak, server="", session=""),))
    assert dict(explain("300", replace(seen, leaks=nowhere)).facts)["left by"] == "nowhere known"
