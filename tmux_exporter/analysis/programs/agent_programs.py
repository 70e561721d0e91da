"""The built-in table of coding agents: how each program shows, and which of its processes are no agents.

Where each row is from, and at which version it was seen, is in `evidence.py`. Short names that other programs
share (`pi`, `cn`) count only together with the file or the interpreter.
"""

from tmux_exporter.analysis.programs.signatures import Signature

_MCP = ("mcp",)
_SERVERS = ("serve", "web", "mcp")


def _bin(name: str) -> tuple[str, str]:
    """The links that npm and pip make: `node_modules/.bin/NAME` and `…/bin/NAME`."""
    return f"*/.bin/{name}", f"*/bin/{name}"


SIGNATURES: tuple[Signature, ...] = (
    # An update replaces the file of a running claude, and a versioned path may be run directly. Its tools rg,
    # bfs and ugrep are in the same file with another argv[0].
    Signature(
        program="claude",
        argv0=("claude",),
        exe=(
            "*/claude/versions/*",
            "*/@anthropic-ai/claude-code/bin/claude.exe",
            "*/@anthropic-ai/claude-code-linux-*/claude",
        ),
        script=("claude", "*/@anthropic-ai/claude-code/cli.js", "*/@anthropic-ai/claude-agent-sdk/cli.js"),
        not_argv0=("rg", "bfs", "ugrep"),
        not_exe=("*/claude-desktop/*", "*.app/*"),
        services=("daemon", "bg-spare", "bg-pty-host", "mcp"),
        markers=("CLAUDECODE", "CLAUDE_CODE_SESSION_ID"),
        version=r"/claude/versions/([0-9A-Za-z][0-9A-Za-z.+-]*)$",
    ),
    Signature(
        program="codex",
        argv0=("codex",),
        exe=("*/codex-linux-*/codex",),
        script=("codex", "*/@openai/codex/bin/codex.js"),
        not_argv0=("codex-linux-sandbox", "apply_patch", "applypatch"),
        not_exe=("*.app/*",),
        services=("app-server", "mcp-server", "mcp", "exec-server"),
        value_flags=(
            *("-c", "--config", "-p", "--profile", "-m", "--model", "-C", "--cd", "--enable"),
            "--disable",
        ),
        markers=("CODEX_THREAD_ID", "CODEX_SESSION_ID"),
    ),
    Signature(
        program="gemini",
        argv0=("gemini",),
        script=("gemini", "*/@google/gemini-cli/dist/index.js", "*/@google/gemini-cli/bundle/gemini.js"),
        services=_MCP,
        markers=("GEMINI_CLI",),
    ),
    Signature(
        program="opencode",
        argv0=("opencode", "opencode.exe", ".opencode"),
        exe=(
            "*/opencode-linux-*/opencode",
            "*/opencode-linux-*/opencode.exe",
            "*/opencode-ai/bin/opencode.exe",
        ),
        script=("opencode", "*/opencode-ai/bin/opencode"),
        services=_SERVERS,
        markers=("OPENCODE", "OPENCODE_PID"),
    ),
    Signature(program="aider", argv0=("aider",), script=("aider",)),
    Signature(
        program="copilot",
        argv0=("copilot",),
        exe=("*/copilot-linux-*/copilot",),
        script=("copilot", "*/@github/copilot/index.js", "*/@github/copilot/npm-loader.js"),
        services=_MCP,
    ),
    # It is installed as cursor-agent and agent; the second name is ambiguous, so the file decides.
    Signature(
        program="cursor-agent",
        argv0=("cursor-agent",),
        exe=("*/cursor-agent/versions/*/node", "*/cursor-agent/versions/*/cursor-agent"),
        script=("cursor-agent", "*/cursor-agent/versions/*/index.js"),
        services=_MCP,
        version=r"/cursor-agent/versions/([0-9A-Za-z][0-9A-Za-z.+-]*)/",
    ),
    # A tool for database migrations has the same name.
    Signature(
        program="goose",
        argv0=("goose",),
        only=("session", "s", "run", "r", "term", "acp"),
        services=_SERVERS,
    ),
    Signature(
        program="amp",
        argv0=("amp", "amp.exe"),
        exe=("*/@ampcode/cli*/amp", "*/@ampcode/cli*/amp.exe"),
        script=("amp", "*/@sourcegraph/amp/dist/main.js", "*/@ampcode/cli/dist/main.js"),
        services=_MCP,
    ),
    Signature(
        program="crush",
        argv0=("crush",),
        script=("crush", "*/@charmland/crush/run-crush.js"),
        services=("serve", "server"),
    ),
    # It writes its name over its arguments.
    Signature(
        program="pi",
        titles=("pi",),
        exe=("*/pi-coding-agent/dist/pi",),
        script=(*_bin("pi"), "*/pi-coding-agent/dist/cli.js"),
    ),
    Signature(
        program="qwen",
        argv0=("qwen",),
        script=("qwen", "*/@qwen-code/qwen-code/cli.js", "*/@qwen-code/qwen-code/dist/*.js"),
        services=_MCP,
    ),
    # Its hub serves all of its windows, and stays.
    Signature(
        program="cline",
        argv0=("cline",),
        exe=("*/@cline/cli-linux-*/bin/cline",),
        script=("cline", "*/cline/bin/cline", "*/cline/dist/cli.mjs"),
        services=("--cline-hub-daemon", "hub", "mcp"),
    ),
    Signature(
        program="auggie",
        argv0=("auggie",),
        script=("auggie", "*/@augmentcode/auggie/augment.mjs"),
        services=_MCP,
    ),
    Signature(
        program="cn",
        titles=("cn",),
        script=(*_bin("cn"), "*/@continuedev/cli/dist/*.js"),
        services=("serve",),
    ),
    Signature(
        program="letta",
        titles=("letta",),
        script=("letta", "*/@letta-ai/letta-code/letta.js"),
        services=("server",),
    ),
    Signature(
        program="qodercli",
        argv0=("qodercli",),
        script=("qodercli", *_bin("qoder"), "*/@qoder-ai/qodercli/bundle/*js"),
        services=_MCP,
    ),
    Signature(
        program="grok",
        titles=("grok",),
        exe=("*/.grok/bin/grok",),
        script=(*_bin("grok"), "*/@vibe-kit/grok-cli/dist/index.js"),
        services=_MCP,
    ),
    # The archived one is a Python program, its successor a node one.
    Signature(
        program="kimi",
        titles=("kimi", "kimi-cli", "kimi-code"),
        exe=("*/@moonshot-ai/kimi-code*/kimi", "*/.kimi-code/bin/kimi"),
        script=(*(*_bin("kimi"), *_bin("kimi-cli"), "*/@moonshot-ai/kimi-code/dist/main.mjs", "kimi_cli"),),
        services=("web", "mcp"),
    ),
    Signature(
        program="droid",
        argv0=("droid",),
        exe=("*/@factory/cli-linux-*/bin/droid", "*/droid/bin/droid"),
        script=("droid",),
        services=("daemon", "mcp"),
    ),
    Signature(
        program="kilo",
        argv0=("kilo", "kilocode", ".kilo"),
        exe=("*/@kilocode/cli-linux-*/bin/kilo", "*/@kilocode/cli/bin/.kilo"),
        script=("kilo", "kilocode", "*/@kilocode/cli/bin/kilo"),
        services=_SERVERS,
    ),
    # The launcher keeps the program that it has fetched in ~/.config/manicode.
    Signature(
        program="codebuff",
        argv0=("codebuff",),
        exe=("*/.config/manicode/codebuff",),
        script=("codebuff", *_bin("cb"), "*/codebuff/index.js"),
    ),
    Signature(
        program="mistral-vibe",
        argv0=("vibe-rs",),
        exe=("*/vibe/_bin/vibe-rs",),
        script=(*_bin("vibe"),),
        service_argv0=("vibe-app-server", "vibe-acp"),
    ),
    Signature(program="plandex", argv0=("plandex",)),
    Signature(
        program="openhands",
        titles=("openhands",),
        script=("openhands", "openhands_cli"),
        services=("serve", "web", "mcp"),
    ),
    Signature(
        program="kiro",
        argv0=("kiro-cli", "kiro-cli-chat"),
        only=("chat", "acp"),
        services=("mcp",),
    ),
    Signature(program="iflow", argv0=("iflow",), script=("iflow", "*/@iflow-ai/iflow-cli/bundle/*.js")),
    Signature(program="trae", titles=("trae-cli",), script=("trae-cli",), only=("run", "interactive")),
)
"""First match wins. Rows of `agents.signatures` in the configuration come before these."""
