"""The signature table against shapes of real programs, and against programs that only look similar."""

import pytest

from tests.support.literals.listings import process
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import Matcher, Signature, matcher, merge
from tmux_exporter.config import SignatureConfig
from tmux_exporter.facts.process import Process
from tmux_exporter.sources.processes.process import KEPT_ENVIRON

TABLE = Matcher(SIGNATURES)
NODE = "/usr/bin/node"
PYTHON = "/usr/bin/python3.11"
CLAUDE = "/home/u/.local/share/claude/versions/2.1.197"
CODEX = "/usr/lib/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/codex/codex"
LOADER = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
BUILD = "2025.09.18-7ae6800"
CURSOR = f"/home/u/.local/share/cursor-agent/versions/{BUILD}"


def _process(argv: list[str], exe: str | None) -> Process:
    return process(10, 1, argv, exe=exe)


@pytest.mark.parametrize(
    ("argv", "exe", "program", "version"),
    [
        (["claude"], CLAUDE, "claude", "2.1.197"),
        (["/home/u/.local/bin/claude", "-p", "daemon work"], CLAUDE, "claude", "2.1.197"),
        ([CLAUDE], CLAUDE, "claude", "2.1.197"),
        (["claude"], f"{CLAUDE} (deleted)", "claude", "2.1.197"),
        # node writes a program's title over its arguments.
        (["claude", "", "", ""], NODE, "claude", ""),
        (["node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "-p"], NODE, "claude", ""),
        (["node", "/usr/local/bin/claude", "--continue"], NODE, "claude", ""),
        (["node", "/usr/local/bin/codex", "exec", "fix it"], NODE, "codex", ""),
        ([CODEX], CODEX, "codex", ""),
        (["codex", "-c", "model=o3", "resume"], CODEX, "codex", ""),
        (["node", "/usr/local/bin/gemini"], NODE, "gemini", ""),
        ([NODE, "--max-old-space-size=7920", "--no-warnings", "/usr/local/bin/gemini"], NODE, "gemini", ""),
        (["bun", "run", "/opt/gemini"], "/usr/bin/bun", "gemini", ""),
        (["opencode"], "/usr/lib/node_modules/opencode-linux-x64/bin/opencode.exe", "opencode", ""),
        (["node", "/usr/local/bin/opencode"], NODE, "opencode", ""),
        (["/usr/bin/python3", "/home/u/.local/bin/aider", "--model", "x"], PYTHON, "aider", ""),
        (["python3.11", "-X", "dev", "-m", "aider"], PYTHON, "aider", ""),
        (["node", "/usr/local/bin/copilot"], NODE, "copilot", ""),
        (["/x/copilot-linux-x64/copilot"], "/x/copilot-linux-x64/copilot", "copilot", ""),
        (
            [f"{CURSOR}/node", "--use-system-ca", f"{CURSOR}/index.js"],
            f"{CURSOR}/node",
            "cursor-agent",
            BUILD,
        ),
        (["/home/u/.local/bin/agent", f"{CURSOR}/index.js"], f"{CURSOR}/node", "cursor-agent", BUILD),
        (
            ["/home/u/.local/bin/cursor-agent", "--use-system-ca", f"{CURSOR}/index.js"],
            NODE,
            "cursor-agent",
            BUILD,
        ),
        (["goose"], "/usr/local/bin/goose", "goose", ""),
        (["goose", "session", "--resume"], "/usr/local/bin/goose", "goose", ""),
        (["goose", "run", "-t", "x"], "/usr/local/bin/goose", "goose", ""),
        (["amp"], "/usr/local/bin/amp", "amp", ""),
        (["crush"], "/usr/local/bin/crush", "crush", ""),
        (["codex-x86_64-unknown-linux-musl"], "/opt/codex-x86_64-unknown-linux-musl", "codex", ""),
        (["./opencode-linux-x64"], "/opt/opencode-linux-x64", "opencode", ""),
        (["claude-2.1.197", "-p"], "/opt/claude-2.1.197", "claude", ""),
        ([LOADER, "--library-path", "/x/lib", CLAUDE, "-p"], LOADER, "claude", "2.1.197"),
        (["kiro-cli", "chat"], "/home/u/.local/bin/kiro-cli", "kiro", ""),
        (["node", "/home/u/.nvm/versions/node/v22/bin/iflow"], NODE, "iflow", ""),
        (["plandex"], "/usr/local/bin/plandex", "plandex", ""),
        (["/home/u/.config/manicode/codebuff"], "/home/u/.config/manicode/codebuff", "codebuff", ""),
        (["python3", "/home/u/.venv/bin/trae-cli", "interactive"], PYTHON, "trae", ""),
        (["python3", "/home/u/.venv/bin/kimi"], PYTHON, "kimi", ""),
        (["kimi-code", "", ""], NODE, "kimi", ""),
        (["pi", "", ""], NODE, "pi", ""),
    ],
)
def test_an_agent_is_known_by_its_program(argv: list[str], exe: str, program: str, version: str) -> None:
    found = TABLE.match(_process(argv, exe))
    assert found is not None
    assert (found.signature.program, found.version, found.service) == (program, version, False)
    assert found.reason


@pytest.mark.parametrize(
    ("argv", "exe"),
    [
        (["claude", "daemon", "run"], CLAUDE),
        (["claude", "bg-spare"], CLAUDE),
        (["claude", "mcp", "serve"], CLAUDE),
        (["codex", "app-server", "--listen", "unix://"], CODEX),
        (["codex", "-c", "model=o3", "app-server"], CODEX),
        (["node", "/usr/local/bin/codex", "mcp-server"], NODE),
        (["opencode", "serve", "--port", "1"], "/usr/local/bin/opencode"),
        (["/x/cline", "--cline-hub-daemon", "--cwd", "/p"], "/x/@cline/cli-linux-x64/bin/cline"),
        (["vibe-app-server", ""], PYTHON),
        ([LOADER, "--library-path", "/x", CODEX, "app-server"], LOADER),
        (["goose", "web"], "/usr/local/bin/goose"),
    ],
)
def test_a_daemon_of_an_agents_program_is_no_agent(argv: list[str], exe: str) -> None:
    found = TABLE.match(_process(argv, exe))
    assert found and found.service


@pytest.mark.parametrize(
    ("argv", "exe"),
    [
        (["grep", "claude"], "/usr/bin/grep"),
        (["grep", "-r", "claude", "/usr/local/bin/claude"], "/usr/bin/grep"),
        (["ssh", "claude@host"], "/usr/bin/ssh"), (["ssh", "host", "claude"], "/usr/bin/ssh"),
        (["vim", "claude.md"], "/usr/bin/vim.basic"),
        (["vim", "/usr/local/bin/claude"], "/usr/bin/vim.basic"), (["tail", "-f", "claude"], "/usr/bin/tail"),
        (["tmux", "new", "-s", "claude"], "/usr/bin/tmux"),
        (["tmux", "new-session", "claude"], "/usr/bin/tmux"), (["sudo", "claude"], "/usr/bin/sudo"),
        (["npm", "exec", "claude"], NODE), (["npm exec @openai/codex"], NODE),
        (["npm exec @openai/codex mcp-server"], NODE), (["bash", "/home/u/bin/claude"], "/usr/bin/bash"),
        (["bash", "-c", "claude"], "/usr/bin/bash"),
        (["claude-desktop"], "/usr/lib/claude-desktop/claude-desktop"),
        (["/usr/lib/claude-desktop/claude"], "/usr/lib/claude-desktop/claude"),
        (["claude"], "/Applications/Claude.app/Contents/MacOS/claude"),
        (["claude-code-router"], "/usr/local/bin/claude-code-router"), (["rg", "--files"], CLAUDE),
        (["codex-linux-sandbox", "ls"], CODEX), (["node", "/srv/claude/server.js"], NODE),
        (["node", "/usr/lib/node_modules/@playwright/mcp/cli.js"], NODE),
        (["node", "/opt/mcp-claude/index.js", "claude"], NODE), (["node", "server.js", "claude"], NODE),
        (["node", "-e", "claude"], NODE), (["node", "-r", "gemini", "server.js"], NODE), (["node"], NODE),
        (["python3", "-c", "x/aider"], PYTHON), (["python3", "-m", "mcp_server_git", "aider"], PYTHON),
        (["python3", "train.py", "aider"], PYTHON),
        (["goose", "-dir", "migrations", "up"], "/usr/local/bin/goose"),
        (["goose", "postgres", "user=x", "status"], "/usr/local/bin/goose"),
        (["pi"], "/usr/bin/pi"), (["pi", "1000"], None), (["python3", "pi"], PYTHON),
        (["python3", "pi.py"], PYTHON), (["cn"], "/usr/local/bin/cn"), (["node", "cn"], NODE),
        (["grok"], "/opt/grok/bin/grok"), (["trae-cli"], "/usr/bin/x"), (["vibe"], "/usr/games/vibe"),
        (["kimi"], "/usr/bin/kimi"), (["node", "/srv/kimi/server.js"], NODE), (["letta"], "/usr/bin/letta"),
        (["openhands"], "/usr/bin/openhands"), (["cursor", "claude.md"], "/opt/cursor/cursor"),
        (["kiro"], "/opt/kiro/kiro"), (["trae"], "/opt/trae/trae"),
        (["code", "claude"], "/usr/share/code/code"),
        (["feh", "claude.png"], "/usr/bin/feh"), (["man", "claude"], "/usr/bin/man"),
        (["docker", "run", "claude"], "/usr/bin/docker"), (["git", "clone", "opencode"], "/usr/bin/git"),
        (["make", "codex"], "/usr/bin/make"), (["npm run gemini"], NODE),
        (["python3", "-m", "http.server"], PYTHON),
        (["node", "/home/u/claude/node_modules/.bin/vite"], NODE), (["ccusage"], "/usr/local/bin/ccusage"),
        (["claude-monitor"], "/usr/local/bin/claude-monitor"), (["droid-convert"], "/usr/bin/droid-convert"),
        ([LOADER, "/usr/bin/vim.basic", "claude"], LOADER),
        ([LOADER, "--library-path", "claude", "/bin/ls"], LOADER),
        ([LOADER, "--list"], LOADER), (["gemini-mcp"], "/usr/local/bin/gemini-mcp"),
        (["Claude"], "/usr/bin/x"), ([""], "/usr/bin/x"),
        ([], "/usr/bin/x"),
    ],
)  # fmt: skip
def test_what_only_has_the_name_somewhere_is_no_agent(argv: list[str], exe: str | None) -> None:
    assert TABLE.match(_process(argv, exe)) is None


def test_a_comm_says_nothing() -> None:
    assert TABLE.match(process(10, 1, ["sleep", "5"], comm="claude")) is None
    assert TABLE.match(process(10, 1, None, exe=CLAUDE, comm="claude")) is None


def test_a_program_that_is_not_readable_can_still_be_known_by_its_argv() -> None:
    assert TABLE.match(process(10, 1, ["claude"], exe=None)) is not None


def test_the_readers_keep_every_marker_of_the_table() -> None:
    assert {marker for row in SIGNATURES for marker in row.markers} <= KEPT_ENVIRON


def test_a_configuration_adds_programs_and_names_of_known_ones() -> None:
    table = merge(
        SIGNATURES,
        [
            SignatureConfig(program="nova", argv0=("nova",), script=("nova-*.js",)),
            SignatureConfig(program="claude", exe=("*/my-claude/bin/*",)),
            SignatureConfig(program="claude", argv0=("cld",)),
        ],
    )
    assert len(table) == len(SIGNATURES) + 1
    known = matcher(table)
    for argv, exe, program in [
        (["nova"], "/x/nova", "nova"),
        (["node", "/x/nova-cli.js"], NODE, "nova"),
        (["wrapped"], "/opt/my-claude/bin/run", "claude"),
        (["cld"], "/x/cld", "claude"),
        (["claude"], CLAUDE, "claude"),
        (["gemini"], "/x/gemini", "gemini"),
    ]:
        found = known.match(_process(argv, exe))
        assert found is not None and found.signature.program == program
    service = known.match(_process(["cld", "daemon"], CLAUDE))
    assert service is not None and service.service


def test_a_row_of_the_configuration_comes_before_the_built_in_ones() -> None:
    table = merge(SIGNATURES, [SignatureConfig(program="mine", argv0=("claude",))])
    found = matcher(table).match(_process(["claude"], CLAUDE))
    assert found is not None and found.signature.program == "mine"
    assert merge(SIGNATURES, []) == SIGNATURES


def test_a_table_without_patterns_matches_by_name_alone() -> None:
    table = Matcher([Signature(program="x", argv0=("x",))])
    assert table.match(_process(["x"], "/x")) is not None
    assert table.match(_process(["y"], "/x")) is None
