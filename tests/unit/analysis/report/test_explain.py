import json
from dataclasses import replace

import pytest

from tests.support.literals.facts import answering, pane, process, silent, table, tmux_server, tmux_view
from tmux_exporter.analysis.leaks.find import Leaks
from tmux_exporter.analysis.ownership.attribution import attribute
from tmux_exporter.analysis.report.explain import explain
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.commands.views.explain import as_dict, as_text
from tmux_exporter.facts.agents import Agent
from tmux_exporter.facts.leaks import Leak, LeakKind
from tmux_exporter.facts.ledgers import CpuSource, PaneLedger
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.tmux import PaneKey, TmuxView

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
    name="lead", pane=PaneKey(SERVER.id, "%0"), process=CLAUDE.id, program="claude", version="2.1", role="",
    reason="its program is called claude", members=frozenset({CLAUDE.id}),
)  # fmt: skip


KNOWN = "agents: lead; sessions: work; servers: default, other; programs: claude"


def snapshot(table: ProcessTable = TABLE, view: TmuxView = VIEW) -> Snapshot:
    return Snapshot(
        table=table,
        view=view,
        owners=attribute(table, view, {}),
        agents=(AGENT,),
        schedulers=(),
        session_labels={(SERVER.id, "$0"): "work", (OTHER.id, "$0"): "work"},
    )


def test_an_agent_is_told_with_who_holds_what() -> None:
    tool = process(210, 201, argv=("node",), anonymous_bytes=50_000, shared_memory_bytes=0, open_fds=3)
    worker = process(
        211, 210, argv=("worker",), anonymous_bytes=40_000, shared_memory_bytes=0, open_fds=90, max_fds=100
    )
    agent = replace(AGENT, members=frozenset({CLAUDE.id, tool.id, worker.id}))
    shown = replace(
        snapshot(table(SERVER, OTHER, SHELL, replace(CLAUDE, open_fds=5), tool, worker)), agents=(agent,)
    )
    found = dict(explain("lead", shown).facts)
    began = "; started 1970-01-01 00:16:42Z"
    assert found["holds memory"].partition(began)[0] == "process 210 (node), with 1 below it: 97% of all"
    assert found["holds open files"].partition(";")[0] == "process 211 (worker): 92% of all, its limit is 100"
    assert (
        found["holds CPU time"].startswith("process 201 (claude")
        and ": 100% of all; " in (found["holds CPU time"])
    )
    assert [each.pid for each in explain("lead", shown).holders] == [210, 211, 201]


def test_a_figure_that_is_spread_over_a_tree_has_no_holder() -> None:
    tools = [process(210 + n, 201, anonymous_bytes=50_000, shared_memory_bytes=0) for n in range(2)]
    agent = replace(AGENT, members=frozenset({CLAUDE.id, *(each.id for each in tools)}))
    shown = replace(snapshot(table(SERVER, OTHER, SHELL, CLAUDE, *tools)), agents=(agent,))
    assert "holds memory" not in dict(explain("lead", shown).facts)


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


def test_a_session_tells_its_panes_its_agents_and_the_sums_of_its_members() -> None:
    explained = explain("default/work", snapshot())
    assert explained == explain("session:default/work", snapshot())
    found = dict(explained.facts)
    assert explained.title == "session work"
    assert found["server"].startswith("default (tmux ")
    assert found["agent"] == "lead (claude) in pane %0: its program is called claude"
    assert [(part.name, part.sums.processes) for part in explained.parts] == [("%0", 2), ("%1", 0)]
    assert [member.pid for member in explained.members] == [201, 200]
    assert (explained.sums.memory_bytes, explained.sums.cpu_seconds) == (4000, 2.5)
    assert (explained.parts[1].sums.memory_bytes, explained.parts[1].sums.open_fds) == (None, None)
    lines = as_text(explained).split("\n")
    assert [line.split()[:2] for line in lines if line.split()[:1] == ["all"]] == [["all", "2"]]
    assert as_dict(explained)["sums"]["processes"] == 2


def test_a_server_tells_its_sessions_and_counts_only_its_own_processes() -> None:
    explained = explain("other", snapshot())
    assert explained == explain("server:other", snapshot())
    assert [(part.name, part.sums.processes) for part in explained.parts] == [("work", 0)]
    assert [member.pid for member in explained.members] == [OTHER.id.pid]
    default = explain("default", snapshot())
    assert [(part.name, part.sums.processes) for part in default.parts] == [("work", 2)]
    assert [member.pid for member in default.members] == [SERVER.id.pid]


def test_a_server_that_does_not_answer_says_so() -> None:
    held = tmux_view(silent(SERVER, pane("%0", 200)))
    for target in ("default", "work"):
        assert "held" in dict(explain(target, snapshot(view=held)).facts)


def test_a_program_tells_all_its_agents() -> None:
    explained = explain("claude", snapshot())
    assert explained == explain("program:claude", snapshot())
    assert [(part.name, part.sums.memory_bytes) for part in explained.parts] == [("default/%0/lead", 3000)]
    assert [member.pid for member in explained.members] == [201]


def test_an_agent_goes_before_what_else_has_its_name_and_says_that_there_is_more() -> None:
    named = replace(snapshot(), agents=(replace(AGENT, name="work"),))
    explained = explain("work", named)
    assert explained.title == "agent work"
    also = [value for label, value in explained.facts if label == "also called so"]
    assert also == ["session:default/work", "session:other/work"]
    assert explained.title == explain("agent:work", named).title


def test_a_session_that_tmux_has_numbered_is_found_where_no_process_has_the_number() -> None:
    labels = {(SERVER.id, "$0"): "7", (OTHER.id, "$0"): "300"}
    numbered = replace(snapshot(), session_labels=labels)
    assert explain("7", numbered).title == "session 7"
    assert explain("300", numbered).title == "process 300"
    assert explain("session:300", numbered).title == "session 300"


def test_a_held_listing_is_said_to_be_one() -> None:
    assert "held" in dict(explain("%0", snapshot(view=tmux_view(silent(SERVER, pane("%0", 200))))).facts)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "%1",
            "%1 is ambiguous; say one of:\n"
            "  default/%1  a pane of session work\n"
            "  other/%1  a pane of session work",
        ),
        (
            "work",
            "work is ambiguous; say one of:\n"
            "  session:default/work  a session of server default\n"
            "  session:other/work  a session of server other",
        ),
        ("nobody", f"no pane and no agent nobody, nor anything else; {KNOWN}"),
        ("%9\x1b[2J", f"no pane and no agent %9\\033[2J, nor anything else; {KNOWN}"),
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
    assert (data["facts"]["belongs to"], data["members"][0]["pid"]) == ("pane %0", 201)


def test_more_digits_than_a_pid_has_are_a_name() -> None:
    with pytest.raises(CannotSeeError, match="no pane and no agent 99999"):
        explain("9" * 5000, snapshot())


def test_an_agent_that_keeps_many_of_one_command_says_which() -> None:
    hoard = [process(pid, 201, argv=("yes", "\x1b[31m")) for pid in range(400, 439)]
    members = frozenset({CLAUDE.id, *(each.id for each in hoard)})
    seen = replace(snapshot(table(SERVER, SHELL, CLAUDE, *hoard)), agents=(replace(AGENT, members=members),))
    explained = dict(explain("lead", seen).facts)["same command"]
    assert explained.startswith("39 of its processes run: yes ")
    assert "\x1b" not in explained
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
    leaks = Leaks(found=(leak,), exempt={SHELL.id: "it keeps a terminal"})
    seen = replace(snapshot(), leaks=leaks)
    explained = dict(explain("300", seen).facts)
    assert explained["leaked"] == "dev_server: its pane is gone; it listens on a TCP port"
    assert explained["left by"] == "default work"
    spared = dict(explain("200", seen).facts)
    assert spared["not leaked"] == "it keeps a terminal"
    assert "leaked" not in spared
    nowhere = replace(leaks, found=(replace(leak, server="", session=""),))
    assert dict(explain("300", replace(seen, leaks=nowhere)).facts)["left by"] == "nowhere known"


def test_a_pane_says_which_cgroups_are_its_own() -> None:
    assert facts("default/%0")["cgroup of its own"].startswith("none is known")
    ledger = PaneLedger(
        cgroups=("/cg/tmux-spawn-1.scope",), memory_bytes=5000, memory_outside=frozenset({CLAUDE.id})
    )
    shown = replace(snapshot(), ledgers={PaneKey(SERVER.id, "%0"): ledger})
    for target in ("default/%0", "lead"):
        found = dict(explain(target, shown).facts)
        assert found["cgroup of its own"] == "/cg/tmux-spawn-1.scope"
        assert found["memory by it"] == "5000 bytes, anonymous and shared; 1 processes are outside"
    assert "cgroup of its own" not in facts("default/%1")


def test_a_pane_and_a_session_say_what_cpu_and_memory_are_told_by() -> None:
    by_processes = dict(explain("%0", snapshot()).facts)
    assert by_processes["CPU told by"].startswith("processes: ")
    assert by_processes["memory told by"].startswith("status: ")
    whole = PaneLedger(memory_bytes=7000, cpu_from=CpuSource.CGROUP)
    own = replace(snapshot(), ledgers={PaneKey(SERVER.id, "%0"): whole})
    assert dict(explain("%0", own).facts)["memory told by"].startswith("cgroup: ")
    session = explain("session:default/work", own)
    assert session.session == ("default", "work")
    # Its other pane has no cgroup of its own.
    assert dict(session.facts)["CPU told by"].startswith("mixed: ")
