"""How each program of the table of agents is known: seen running, or as its makers document it.

Only `tmux-exporter agents` and the page made of it read this; recognition needs none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Evidence(StrEnum):
    """Where a row of the table is from (closed list)."""

    INSTALLED = "installed"
    DOCUMENTATION = "documentation"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEvidence:
    """What is known of one program.

    `package` is where it was installed from, `version` what was seen; empty where it was not run. `ways` are
    the ways of starting it whose process trees were recorded (tests/fixtures/agents/ways.json). `helpers` are
    processes of it that are no agents. `missing` says why it was not run.
    """

    package: str = ""
    version: str = ""
    ways: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    missing: str = ""

    @property
    def evidence(self) -> Evidence:
        """Whether it was seen running."""
        return Evidence.INSTALLED if self.version else Evidence.DOCUMENTATION


WAYS: Mapping[str, str] = {
    "bin": "the link that its package makes, also through an alias or a wrapper",
    "node": "`node PATH`",
    "python": "`python PATH`",
    "module": "`python -m MODULE`",
    "npx": "`npx NAME`",
    "bunx": "`bunx NAME`",
    "bun": "`bun PATH`",
    "uv": "`uv run NAME`, the process tree of `uvx`",
    "version": "a file whose name is the version",
    "copy": "a copy with the version in its name",
    "renamed": "a link of another name",
    "ldso": "the dynamic loader: `ld-linux-x86-64.so.2 PATH`",
}
"""The ways of starting, as people type them."""

_SCRIPT = ("bin", "node", "npx", "bunx", "bun")
_NATIVE = ("bin", "npx", "bunx", "copy", "renamed", "ldso")
_FETCHED = "its package fetches the program from another host when it is installed"
_ELSEWHERE = "no package registry has it"

EVIDENCE: Mapping[str, ProgramEvidence] = {
    "claude": ProgramEvidence(
        package="@anthropic-ai/claude-code (npm)",
        version="2.1.197",
        ways=("bin", "npx", "bunx", "version", "copy", "renamed", "ldso"),
        helpers=(
            "claude daemon",
            "claude bg-spare",
            "claude bg-pty-host",
            "claude mcp serve",
            "rg in its file",
        ),
    ),
    "codex": ProgramEvidence(
        package="@openai/codex (npm)",
        version="0.171.0",
        ways=(*_SCRIPT, "renamed"),
        helpers=("codex app-server", "codex mcp-server", "codex-linux-sandbox"),
    ),
    "gemini": ProgramEvidence(package="@google/gemini-cli (npm)", version="0.61.0", ways=_SCRIPT),
    "opencode": ProgramEvidence(
        package="opencode-ai (npm)", version="1.18.33", ways=_NATIVE, helpers=("opencode serve",)
    ),
    "aider": ProgramEvidence(
        package="aider-chat (PyPI)", version="0.86.2", ways=("bin", "python", "module", "uv")
    ),
    "copilot": ProgramEvidence(
        package="@github/copilot (npm)", version="1.0.102", ways=(*_SCRIPT, "renamed")
    ),
    "cursor-agent": ProgramEvidence(missing=_ELSEWHERE),
    "goose": ProgramEvidence(helpers=("goose web", "goose mcp"), missing=_ELSEWHERE),
    "amp": ProgramEvidence(package="@sourcegraph/amp (npm)", version="0.0.1790142911-g7618fb", ways=_NATIVE),
    "crush": ProgramEvidence(package="@charmland/crush (npm)", missing=_FETCHED),
    "pi": ProgramEvidence(
        package="@mariozechner/pi-coding-agent (npm)", version="0.73.1", ways=(*_SCRIPT, "renamed")
    ),
    "qwen": ProgramEvidence(package="@qwen-code/qwen-code (npm)", version="0.15.10", ways=_SCRIPT),
    "cline": ProgramEvidence(
        package="cline (npm)", version="3.0.65", ways=_NATIVE, helpers=("cline --cline-hub-daemon",)
    ),
    "auggie": ProgramEvidence(package="@augmentcode/auggie (npm)", version="0.36.0", ways=_SCRIPT),
    "cn": ProgramEvidence(package="@continuedev/cli (npm)", version="1.5.47", ways=_SCRIPT),
    "letta": ProgramEvidence(
        package="@letta-ai/letta-code (npm)", version="0.25.9", ways=("bin", "node", "bunx", "bun")
    ),
    "qodercli": ProgramEvidence(
        package="@qoder-ai/qodercli (npm)", version="1.1.52", ways=("bin", "node", "bunx", "bun")
    ),
    "grok": ProgramEvidence(
        package="@vibe-kit/grok-cli (npm)", version="0.0.34", ways=("bin", "node", "bunx", "bun")
    ),
    "kimi": ProgramEvidence(
        package="@moonshot-ai/kimi-code (npm)", version="2.1.0", ways=("bin", "node", "bunx", "bun")
    ),
    "droid": ProgramEvidence(
        package="droid (npm)", version="0.215.0", ways=("bin", "bunx", "copy", "renamed", "ldso")
    ),
    "kilo": ProgramEvidence(
        package="@kilocode/cli (npm)",
        version="7.7.7",
        ways=("bin", "node", "bunx", "bun", "renamed"),
        helpers=("kilo serve",),
    ),
    "codebuff": ProgramEvidence(
        package="codebuff (npm)", missing="its launcher fetches the program when it starts"
    ),
    "mistral-vibe": ProgramEvidence(
        package="mistral-vibe (PyPI)",
        version="3.0.2",
        ways=("bin", "python", "uv", "renamed"),
        helpers=("vibe-app-server",),
    ),
    "plandex": ProgramEvidence(missing=_ELSEWHERE),
    "openhands": ProgramEvidence(package="openhands (PyPI)", version="1.16.0", ways=("bin", "python", "uv")),
    "kiro": ProgramEvidence(missing=_ELSEWHERE),
    "iflow": ProgramEvidence(missing=_ELSEWHERE),
    "trae": ProgramEvidence(missing=_ELSEWHERE),
}
