"""Programs that behave like agents: found by what they do, and what else does the same is spared."""

from dataclasses import replace

import pytest

from tests.support.literals.listings import listing, process
from tmux_exporter.analysis.agents.look_alikes import look_alikes
from tmux_exporter.facts.process import Process, ProcessId
from tmux_exporter.facts.tmux import PaneKey

PANE = PaneKey(listing({"orc": ["one"]}).server, "%0")
NODE, BASH, PYTHON = "/usr/bin/node", "/usr/bin/bash", "/usr/bin/python3.11"


def on_terminal(each: Process, *, group: int = 101, foreground: int = 101, ran: int = 0) -> Process:
    return replace(each, tty=0x8801, pgid=group, foreground_pgid=foreground, children_cpu_ticks=ran)


def shell() -> Process:
    return on_terminal(process(100, 90, ["-bash"], exe=BASH), group=100)


def found(*tree: Process, taken: bool = False) -> list[tuple[int, str]]:
    every = look_alikes({PANE: (shell(), *tree)}, [PANE] if taken else [])
    assert all((each.pane, each.tty) == ("%0", 0x8801) for each in every)
    return [(each.process.pid, each.name) for each in every]


def new_agent(ran: int = 7) -> Process:
    return on_terminal(process(101, 100, ["node", "/x/node_modules/nova/cli.js"], exe=NODE), ran=ran)


def test_a_program_that_has_run_tools_is_named() -> None:
    assert found(new_agent()) == [(101, "node nova/cli.js")]
    assert found(new_agent(), taken=True) == []
    assert found(new_agent(0)) == [], "it has run nothing"
    server = process(102, 101, ["node", "/x/node_modules/@playwright/mcp/cli.js"], exe=NODE)
    assert found(new_agent(0), server) == [(101, "node nova/cli.js")]


def test_the_program_below_its_launcher_is_meant_and_only_once() -> None:
    launcher = on_terminal(process(101, 100, ["npm exec nova"], exe=NODE), ran=5)
    wrapper = on_terminal(process(102, 101, ["sh", "-c", "nova"], exe="/usr/bin/dash"), ran=5)
    program = on_terminal(process(103, 102, ["node", "/x/.bin/nova"], exe=NODE), ran=5)
    native = on_terminal(process(104, 103, ["/x/nova"], exe="/x/nova"), ran=5)
    assert found(launcher, wrapper, program, native) == [(103, "node nova")]


def test_what_is_in_the_background_or_has_no_terminal_is_none() -> None:
    assert found(replace(new_agent(), pgid=55)) == []
    assert found(replace(new_agent(), tty=0)) == []


@pytest.mark.parametrize(
    ("argv", "exe"),
    [
        (["vim", "claude.md"], "/usr/bin/vim.basic"), (["nvim"], "/usr/bin/nvim"),
        (["htop"], "/usr/bin/htop"),
        (["less", "x"], "/usr/bin/less"), (["ssh", "host"], "/usr/bin/ssh"), (["lazygit"], "/x/lazygit"),
        (["node", "/x/.bin/vite"], NODE), (["node", "/x/node_modules/jest/bin/jest.js"], NODE),
        (["python3", "/usr/bin/ranger"], PYTHON), (["npm run dev"], NODE), (["make", "-j4"], "/usr/bin/make"),
        (["bash"], BASH), (["bash", "deploy.sh"], BASH), (["tmux", "attach"], "/usr/bin/tmux"),
        (["docker", "compose", "up"], "/usr/bin/docker"), (["psql"], "/usr/lib/postgresql/15/bin/psql"),
    ],
)  # fmt: skip
def test_what_does_the_same_and_is_something_else_is_spared(argv: list[str], exe: str) -> None:
    assert found(on_terminal(process(101, 100, argv, exe=exe), ran=9)) == []


def test_the_identity_is_that_of_the_process() -> None:
    (each,) = look_alikes({PANE: (shell(), new_agent())}, [])
    assert each.process == ProcessId(101, 2_000)
