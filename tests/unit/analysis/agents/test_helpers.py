"""What an agent has started, by kind, on literal trees: what is one unit, and what belongs to it."""

import pytest

from tests.support.literals.listings import process
from tmux_exporter.analysis.agents.helpers import helpers_of, kind_of
from tmux_exporter.facts.agents import HelperKind
from tmux_exporter.facts.process import Process

NODE, BASH, PYTHON = "/usr/bin/node", "/usr/bin/bash", "/usr/bin/python3.11"
CHROME = "/home/u/.cache/ms-playwright/chromium-1/chrome-linux/chrome"
CLAUDE = "/home/u/.local/share/claude/versions/2.1.197"


@pytest.mark.parametrize(
    ("argv", "exe", "kind"),
    [
        (["npm exec @modelcontextprotocol/server-memory"], NODE, "mcp_server"),
        (["node", "/x/node_modules/.bin/mcp-server-filesystem", "/p"], NODE, "mcp_server"),
        (["node", "/x/node_modules/@playwright/mcp/cli.js"], NODE, "mcp_server"),
        (["uvx", "mcp-server-git"], "/usr/bin/uvx", "mcp_server"),
        (["python3", "-m", "mcp_server_git"], PYTHON, "mcp_server"),
        (["node", "/x/typescript-language-server/lib/cli.mjs", "--stdio"], NODE, "language_server"),
        (["node", "/x/node_modules/typescript/lib/tsserver.js"], NODE, "language_server"),
        (["node", "/x/bin/pyright-langserver", "--stdio"], NODE, "language_server"),
        (["python3", "/x/bin/pylsp"], PYTHON, "language_server"),
        (["/x/bin/gopls", "-mode=stdio"], "/x/bin/gopls", "language_server"),
        (["/x/clangd", "--background-index"], "/x/clangd", "language_server"),
        (["ruff", "server"], "/x/ruff", "language_server"),
        (["ruff", "check"], "/x/ruff", None),
        ([CHROME, "--headless"], CHROME, "browser"),
        (["/x/headless_shell"], "/x/headless_shell", "browser"),
        (["firefox-esr"], "/usr/lib/firefox-esr/firefox-esr", "browser"),
        (["bash", "-c", "npm test"], BASH, "shell"),
        (["git", "status"], "/usr/bin/git", None),
        (["vim", "chrome"], "/usr/bin/vim.basic", None),
        (["node", "chrome.js", "gopls"], NODE, None),
        (["grep", "mcp-server"], "/usr/bin/grep", None),
        ([], NODE, None),
    ],
)
def test_the_kind_of_a_process(argv: list[str], exe: str, kind: str | None) -> None:
    assert kind_of(process(10, 1, argv, exe=exe)) == kind


def units(tree: list[Process], **known: HelperKind) -> list[tuple[str, list[int]]]:
    """The units of a tree whose agent is process 1."""
    kinds = {int(pid.removeprefix("p")): kind for pid, kind in known.items()}
    members = {each.id.pid: each for each in tree}
    return [
        (str(each.kind), sorted(member.pid for member in each.members))
        for each in helpers_of(members, {1}, kinds)
    ]


def agent() -> Process:
    return process(1, 0, ["claude"], exe=CLAUDE)


def test_a_server_is_one_with_what_wraps_it_and_what_it_runs() -> None:
    tree = [
        agent(),
        process(2, 1, ["npm exec @playwright/mcp"], exe=NODE),
        process(3, 2, ["sh", "-c", "playwright-mcp"], exe="/usr/bin/dash"),
        process(4, 3, ["node", "/x/node_modules/@playwright/mcp/cli.js"], exe=NODE),
        process(5, 4, ["sh", "-c", "x"], exe="/usr/bin/dash"),
        process(6, 4, [CHROME], exe=CHROME),
        process(7, 6, [CHROME, "--type=renderer"], exe=CHROME),
        process(8, 1, ["rg", "x"], exe="/usr/bin/rg"),
    ]
    assert units(tree) == [("mcp_server", [2, 3, 4, 5]), ("browser", [6, 7])]


def test_a_shell_is_one_with_its_jobs_and_a_wrapper_is_what_it_wraps() -> None:
    tree = [
        agent(),
        process(2, 1, ["bash", "-c", "npm test & npm run lint"], exe=BASH),
        process(3, 2, ["npm test"], exe=NODE),
        process(4, 3, ["sh", "-c", "jest"], exe="/usr/bin/dash"),
        process(5, 2, ["npm run lint"], exe=NODE),
        process(6, 1, ["bash", "-c", "gopls"], exe=BASH),
        process(7, 6, ["gopls"], exe="/x/gopls"),
        process(8, 2, ["gopls"], exe="/x/gopls"),
    ]
    assert units(tree) == [("shell", [2, 3, 4, 5]), ("language_server", [6, 7]), ("language_server", [8])]


def test_each_subagent_is_one_and_has_shells_of_its_own() -> None:
    tree = [
        agent(),
        process(2, 1, ["bash", "-c", "claude -p x"], exe=BASH),
        process(3, 2, ["claude", "-p", "x"], exe=CLAUDE),
        process(4, 3, ["bash", "-c", "claude -p y & ls"], exe=BASH),
        process(5, 4, ["claude", "-p", "y"], exe=CLAUDE),
        process(6, 4, ["ls"], exe="/usr/bin/ls"),
        process(7, 5, ["git", "status"], exe="/usr/bin/git"),
    ]
    subagent = HelperKind.SUBAGENT
    found = [("subagent", [2, 3]), ("shell", [4, 6]), ("subagent", [5, 7])]
    assert units(tree, p3=subagent, p5=subagent) == found


def test_a_reparented_process_and_a_cycle_are_endured() -> None:
    tree = [
        agent(),
        process(2, 999, ["bash", "-c", "x"], exe=BASH),
        process(3, 4, ["bash"], exe=BASH),
        process(4, 3, ["bash"], exe=BASH),
    ]
    assert units(tree) == [("shell", [2])]
