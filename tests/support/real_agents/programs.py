"""Agent programs that run here: where they come from, how they are set up for the stub, and their stages."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.real_agents.moments import (
    API_ERROR,
    AUTH,
    CRASH,
    LEAVE,
    PERMISSION,
    QUESTION,
    RESUME,
    START,
    TRUST,
    USAGE_LIMIT,
    Step,
    exited,
    idle,
    press,
    say,
    waiting,
    working,
)
from tests.support.real_agents.stub import Play

Prepare = Callable[[Path, str], None]
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealProgram:
    """One program of the lock, by its name there: its command, its environment, and what is staged.

    `installed` is the name of its package there, where that is another.
    `environ` and `arguments` may hold `{url}`. `prepare` writes its settings into a fresh home. `resume` are
    the arguments with which it goes on where it was.
    """

    program: str
    steps: tuple[Step, ...]
    command: str = ""
    arguments: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    leave: str = "/quit"
    environ: Words = field(default_factory=dict)
    prepare: Prepare = lambda _home, _url: None
    variant: str = ""
    installed: str = ""

    @property
    def name(self) -> str:
        return f"{self.program}-{self.variant}" if self.variant else self.program

    @property
    def bin(self) -> str:
        return self.command or self.program


def write(path: Path, content: object) -> None:
    """A file of a program, JSON unless it is text, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def _claude(home: Path, _: str) -> None:
    write(home / ".claude.json", {"hasCompletedOnboarding": True, "theme": os.environ.get("THEME", "dark")})


def _trusting_codex(home: Path, url: str) -> None:
    _codex(home, url)
    with (home / ".codex" / "config.toml").open("a") as stream:
        stream.write(f'[projects."{home}/project"]\ntrust_level = "trusted"\n')


def _codex(home: Path, url: str) -> None:
    write(
        home / ".codex" / "config.toml",
        'model = "stub-1"\nmodel_provider = "stub"\n'
        "check_for_update_on_startup = false\n"
        f'[model_providers.stub]\nname = "stub"\nbase_url = "{url}/v1"\nenv_key = "STUB_KEY"\n'
        'wire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n',
    )


def _gemini(home: Path, _: str) -> None:
    write(
        home / ".gemini" / "settings.json",
        {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        },
    )


def _gemini_login(home: Path, _: str) -> None:
    write(home / ".gemini" / "settings.json", {"security": {"folderTrust": {"enabled": False}}})


def _qwen(home: Path, _: str) -> None:
    write(
        home / ".qwen" / "settings.json",
        {
            "security": {"auth": {"selectedType": "openai"}, "folderTrust": {"enabled": True}},
            "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        },
    )


def opencode_settings(url: str) -> dict[str, object]:
    """Settings of OpenCode, and of what is made from it, that ask the stub."""
    stub = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Stub",
        "options": {"baseURL": f"{url}/v1", "apiKey": "x"},
        "models": {"stub-1": {"name": "stub-1"}},
    }
    return {
        "autoupdate": False,
        "model": "stub/stub-1",
        "small_model": "stub/stub-1",
        "permission": {"bash": "ask", "edit": "ask"},
        "provider": {"stub": stub},
    }


def _opencode(home: Path, url: str) -> None:
    write(home / ".config" / "opencode" / "opencode.json", opencode_settings(url))


def _pi(home: Path, url: str) -> None:
    stub = {
        "baseUrl": f"{url}/v1",
        "api": "openai-completions",
        "apiKey": "x",
        "models": [{"id": "stub-1"}],
    }
    write(home / ".pi" / "agent" / "models.json", {"providers": {"stub": stub}})


def _aider(home: Path, _: str) -> None:
    write(home / ".gitconfig", "[user]\nname = ann\nemail = ann@example.org\n")
    write(home / ".aider" / "analytics.json", {"permanently_disable": True})


_CLAUDE_ENVIRON = {
    "ANTHROPIC_BASE_URL": "{url}",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}

PROGRAMS = (
    RealProgram(
        program="claude",
        variant="subscription",
        environ={**_CLAUDE_ENVIRON, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-0000000000000000dummy"},
        resume=("--continue",),
        leave="/exit",
        prepare=_claude,
        steps=(
            waiting("asks for trust", START, TRUST, "Yes, I trust this folder", "Enter to confirm"),
            idle("at its prompt", press("Enter"), "? for shortcuts"),
            working("thinks", say(Play.THINK), "esc to interrupt"),
            idle("interrupted", press("Escape"), "Interrupted"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Do you want to proceed?"),
            working("runs the command", press("Enter"), "esc to interrupt", "Running"),
            idle("has answered", (), "All of it is done. ✻", "? for shortcuts"),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Do you want to create"),
            idle("refused", press("Escape"), "? for shortcuts"),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "Enter to select"),
            idle("no answer", press("Escape"), "? for shortcuts"),
            waiting("its service fails", say(Play.BROKEN), API_ERROR, "API Error"),
            waiting("its key is refused", say(Play.DENIED), (*AUTH, *API_ERROR), "Please run /login"),
            waiting("its limit is reached", say(Play.QUOTA), USAGE_LIMIT, "wait for limit", until=True),
            waiting(
                "waits for its limit", press("Enter"), USAGE_LIMIT, "hit your", "? for shortcuts", until=True
            ),
            exited("left", LEAVE),
            idle("started again", START, "? for shortcuts"),
            exited("killed", CRASH),
            idle("goes on", RESUME, "? for shortcuts"),
        ),
    ),
    RealProgram(
        program="claude",
        variant="key",
        environ={**_CLAUDE_ENVIRON, "ANTHROPIC_API_KEY": "sk-ant-0000000000000000dumm"},
        prepare=_claude,
        steps=(
            waiting("asks for trust", START, TRUST, "Yes, I trust this folder"),
            waiting("asks whether to use a key", press("Enter"), AUTH, "Do you want to use this API key?"),
            idle("at its prompt", press("Up", "Enter"), "? for shortcuts"),
            waiting("its key has no quota", say(Play.QUOTA), API_ERROR, "API Error"),
        ),
    ),
    RealProgram(
        program="claude",
        variant="plan",
        environ={**_CLAUDE_ENVIRON, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-0000000000000000dummy"},
        arguments=("--permission-mode", "plan"),
        prepare=_claude,
        steps=(
            waiting("asks for trust", START, TRUST, "Yes, I trust this folder", "Enter to confirm"),
            idle("at its prompt", press("Enter"), "plan mode on"),
            waiting("asks to approve its plan", say(Play.PLAN), PERMISSION, "1. Yes"),
            idle("plan refused", press("Escape"), "plan mode on", gone=("1. Yes",)),
        ),
    ),
    RealProgram(
        program="codex",
        environ={"STUB_KEY": "x"},
        resume=("resume", "--last"),
        prepare=_trusting_codex,
        steps=(
            idle("at its prompt", START, "? for shortcuts"),
            working("thinks", say(Play.THINK), "esc to interrupt"),
            idle("interrupted", press("Escape"), "Conversation interrupted"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Press enter to confirm"),
            working("runs the command", press("Enter"), "esc to interrupt", "Working"),
            idle("has answered", (), "Worked for", "? for shortcuts"),
            waiting("its service fails", say(Play.BROKEN), API_ERROR, "■ "),
            waiting("its key is refused", say(Play.DENIED), AUTH, "401 Unauthorized"),
            waiting("its limit is reached", say(Play.QUOTA), USAGE_LIMIT, "hit your usage limit", until=True),
            exited("killed", CRASH),
            idle("started again", START, "? for shortcuts"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="codex",
        variant="trust",
        environ={"STUB_KEY": "x"},
        prepare=_codex,
        # Its prompt is there for some seconds before it asks.
        steps=(waiting("asks for trust", START, TRUST, "Trust this folder?"),),
    ),
    RealProgram(
        program="codex",
        variant="login",
        steps=(waiting("asks for a login", START, AUTH, "Sign in with ChatGPT"),),
    ),
    RealProgram(
        program="gemini",
        environ={"GEMINI_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": "{url}"},
        arguments=("--model", "gemini-2.5-flash"),
        prepare=_gemini,
        steps=(
            waiting("asks for trust", START, TRUST, "Do you trust the files in this folder?"),
            idle("at its prompt", press("Enter"), "Type your message", "no sandbox"),
            working("thinks", say(Play.THINK), "esc to cancel"),
            idle("interrupted", press("Escape"), "Request cancelled"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Allow execution of"),
            working("runs the command", press("Enter"), "esc to cancel"),
            idle("has answered", (), "✓ Shell", "Type your message", gone=("esc to cancel",)),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Apply this change?"),
            idle("refused", press("Escape"), "Type your message", gone=("Apply this change?",)),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?"),
            idle("no answer", press("Escape"), "Type your message", gone=("Which colour?",)),
            waiting("its service fails", say(Play.BROKEN), API_ERROR, "API Error"),
            waiting("its key is refused", say(Play.DENIED), (*AUTH, *API_ERROR), "invalid api key"),
            waiting("its quota is used up", say(Play.QUOTA), USAGE_LIMIT, "Usage limit reached"),
            exited("killed", CRASH),
            idle("started again", START, "Type your message"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="gemini",
        variant="login",
        prepare=_gemini_login,
        steps=(waiting("asks for a login", START, AUTH, "How would you like to authenticate"),),
    ),
    RealProgram(
        program="opencode",
        resume=("--continue",),
        leave="/exit",
        prepare=_opencode,
        steps=(
            idle("at its prompt", START, "Ask anything", "stub-1"),
            working("thinks", say(Play.THINK), "esc "),
            idle("interrupted", press("Escape", "Escape"), "interrupted", gone=("esc interrupt",)),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Permission required"),
            working("runs the command", press("Enter"), "esc interrupt"),
            idle("has answered", (), "All of it is done. ▣", gone=("esc interrupt",)),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Permission required"),
            idle(
                "refused", press("Escape", "Enter"), "ctrl+p", gone=("Permission required", "esc interrupt")
            ),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "dismiss"),
            idle("no answer", press("Escape"), "ctrl+p", gone=("esc dismiss", "esc interrupt")),
            exited("killed", CRASH),
            idle("goes on", RESUME, "ctrl+p"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="qwen",
        environ={"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "{url}/v1", "OPENAI_MODEL": "stub-1"},
        resume=("--continue",),
        prepare=_qwen,
        steps=(
            waiting("asks for trust", START, TRUST, "Do you trust this folder?"),
            idle("at its prompt", press("Enter"), "Type your message", gone=("Do you trust", "Initializing")),
            working("thinks", say(Play.THINK), "esc to cancel"),
            idle("interrupted", press("Escape"), "cancelled"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Allow execution of"),
            working("runs the command", press("Enter"), "esc to cancel"),
            idle("has answered", (), "All of it is done. ─", gone=("esc to cancel",)),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Apply this change?"),
            idle("refused", press("Escape"), "Type your message", gone=("Apply this change?",)),
            waiting("its key is refused", say(Play.DENIED), (*AUTH, *API_ERROR), "401"),
            exited("killed", CRASH),
            idle("goes on", RESUME, "Type your message", gone=("Initializing",)),
            exited("left", press("C-c", "C-c")),
        ),
    ),
    RealProgram(
        program="copilot",
        environ={
            "COPILOT_PROVIDER_BASE_URL": "{url}/v1",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_API_KEY": "x",
            "COPILOT_MODEL": "stub-1",
            "COPILOT_OFFLINE": "true",
        },
        resume=("--continue",),
        steps=(
            waiting("asks for trust", START, TRUST, "Confirm folder trust", "to navigate"),
            idle("at its prompt", press("Enter"), "Manual Approval", gone=("Confirm folder trust",)),
            working("thinks", say(Play.THINK), "esc"),
            idle(
                "interrupted",
                press("Escape", "Escape"),
                "Manual Approval",
                gone=("esc interrupt", "esc cancel"),
            ),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Do you want to run", "to navigate"),
            idle("has answered", press("Enter"), "Manual Approval", gone=("esc interrupt", "to navigate")),
            exited("killed", CRASH),
        ),
    ),
    RealProgram(
        program="pi",
        environ={"PI_OFFLINE": "1"},
        arguments=("--provider", "stub", "--model", "stub-1"),
        resume=("--continue",),
        prepare=_pi,
        steps=(
            idle("at its prompt", START, "(auto)"),
            working("thinks", say(Play.THINK), "Working..."),
            idle("interrupted", press("Escape"), "aborted"),
            working("runs a command", say(Play.TOOL), "Elapsed"),
            idle("has answered", (), "Took", gone=("Working...",)),
            waiting("its key is refused", say(Play.DENIED), (*AUTH, *API_ERROR), "Error: 401"),
            waiting(
                "its quota is used up", say(Play.QUOTA), (*USAGE_LIMIT, *API_ERROR), "Retry failed after"
            ),
            exited("killed", CRASH),
            # Nobody has answered the error: it is still the last thing that was said.
            waiting("goes on where it failed", RESUME, (*USAGE_LIMIT, *API_ERROR), "Error: 429", "(auto)"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="aider",
        environ={"OPENAI_API_BASE": "{url}/alone/v1", "OPENAI_API_KEY": "x"},
        arguments=(
            *("--model", "openai/stub-1", "--no-check-update", "--no-show-model-warnings"),
            *("--analytics-disable", "--no-show-release-notes"),
        ),
        prepare=_aider,
        steps=(
            waiting("asks a question", START, QUESTION, "(Y)es/(N)o"),
            idle("at its prompt", press("Enter"), "Repo-map"),
            working("thinks", say(Play.THINK), "Waiting for"),
            idle("interrupted", press("C-c"), "^C again to exit"),
            exited("left", LEAVE),
        ),
    ),
)
"""What is staged of each program."""
