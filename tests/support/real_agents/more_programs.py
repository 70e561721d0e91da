"""More agent programs that run here: with a stub as their model, or up to where they ask for a login."""

from dataclasses import replace
from pathlib import Path

from tests.support.real_agents.moments import (
    API_ERROR,
    AUTH,
    CRASH,
    DIALOG,
    LEAVE,
    PERMISSION,
    QUESTION,
    RESUME,
    START,
    TRUST,
    exited,
    idle,
    press,
    say,
    waiting,
    working,
)
from tests.support.real_agents.programs import PROGRAMS, RealProgram, opencode_settings, write
from tests.support.real_agents.stub import Play


def _cline(home: Path, url: str) -> None:
    settings = {"provider": "openai-compatible", "apiKey": "x", "model": "stub-1", "baseUrl": f"{url}/v1"}
    stub = {"settings": settings, "updatedAt": "2026-12-01T10:00:00.000Z", "tokenSource": "manual"}
    write(
        home / ".cline" / "data" / "settings" / "providers.json",
        {"version": 1, "lastUsedProvider": "openai-compatible", "providers": {"openai-compatible": stub}},
    )


def _cn(home: Path, url: str) -> None:
    write(
        home / "config.yaml",
        "name: a\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: stub-1\n    provider: openai\n"
        f"    model: stub-1\n    apiKey: x\n    apiBase: {url}/v1\n"
        "    roles: [chat]\n    capabilities: [tool_use]\n",
    )


def _kimi(home: Path, url: str) -> None:
    write(
        home / ".kimi-code" / "config.toml",
        f'default_model = "stub-1"\n[providers.stub]\ntype = "openai"\nbase_url = "{url}/v1"\napi_key = "x"\n'
        '[models.stub-1]\nprovider = "stub"\nmodel = "stub-1"\nmax_context_size = 100000\n'
        'capabilities = ["tool_use"]\n',
    )


def _vibe(home: Path, url: str) -> None:
    write(
        home / ".vibe" / "config.toml",
        'active_model = "stub"\nenable_telemetry = false\nenable_update_checks = false\n'
        f'[[providers]]\nname = "stub"\napi_base = "{url}/v1"\napi_key_env_var = "STUB_KEY"\n'
        '[[models]]\nname = "stub-1"\nprovider = "stub"\nalias = "stub"\n',
    )


def _kilo(home: Path, url: str) -> None:
    write(home / ".config" / "kilo" / "kilo.json", {**opencode_settings(url), "snapshot": False})


_MOONS = tuple("🌑🌒🌓🌔🌕🌖🌗🌘")

_QWEN = next(each for each in PROGRAMS if each.name == "qwen")

_VIBE_PLAY = RealProgram(
    program="mistral-vibe",
    command="vibe",
    environ={"STUB_KEY": "x", "MISTRAL_API_KEY": "x"},
    resume=("--continue",),
    leave="/exit",
    prepare=_vibe,
    steps=(
        idle("at its prompt", START, "Type /help", "tokens ("),
        working("thinks", say(Play.THINK), "to interrupt)"),
        idle("interrupted", press("Escape"), "Interrupted"),
        waiting("asks for a command", say(Play.TOOL), PERMISSION, "Permission for the", "Allow once"),
        working("runs the command", press("Enter"), "to interrupt)"),
        idle("has answered", (), "Ran touch", "All of it is done. ─", gone=("to interrupt)",)),
        waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "Blue"),
        idle("no answer", press("Escape"), "tokens (", gone=("Blue", "to interrupt)")),
        waiting("its key is refused", say(Play.DENIED), AUTH, "Error: Invalid API key"),
        exited("killed", CRASH),
        idle("started again", START, "tokens ("),
        exited("left", LEAVE),
    ),
)

MORE_PROGRAMS = (
    *(
        replace(
            _QWEN,
            variant=language,
            environ={**_QWEN.environ, "QWEN_CODE_LANG": language},
            steps=(
                *(each for each in _QWEN.steps if each.name == "asks for trust"),
                idle("at its prompt", press("Enter"), prompt, gone=("Do you trust", "Initializing")),
                working("thinks", say(Play.THINK), "0 1 2"),
                idle("interrupted", press("Escape"), prompt, gone=(cancels,)),
                waiting("asks for a command", say(Play.TOOL), PERMISSION, "sleep 25", asks),
            ),
        )
        for language, prompt, asks, cancels in (
            ("zh", "输入您的消息", "等待用户确认", "按 esc 取消"),
            ("de", "Nachricht eingeben", "Warten auf Benutzerbestätigung", "Esc zum Abbrechen"),
        )
    ),
    RealProgram(
        program="cline",
        resume=("--continue",),
        prepare=_cline,
        steps=(
            waiting("offers a subscription", START, DIALOG, "any other key to close"),
            idle("at its prompt", press("Escape", "BTab"), "Auto-approve all disabled"),
            working("thinks", say(Play.THINK), "0 1 2"),
            idle("interrupted", press("Escape"), "Ask anything...", gone=tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")),
            waiting(
                "asks for a command", say(Play.TOOL), PERMISSION, "Cline needs permission", "[y] Approve"
            ),
            working("runs the command", press("y"), "run_commands", "Ask anything..."),
            idle("has answered", (), "made-by-the-agent", "* All of it is done. ─"),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Cline needs permission", "editor"),
            idle("refused", press("n"), "Ask anything...", gone=("needs permission",)),
            waiting("asks a question", say(Play.ASK), QUESTION, "Cline is asking a question", "Blue"),
            idle("no answer", press("Escape"), "Ask anything...", gone=("is asking",)),
            waiting("its key is refused", say(Play.DENIED), (*AUTH, *API_ERROR), "Error: invalid api key"),
            exited("killed", CRASH),
        ),
    ),
    RealProgram(
        program="cline",
        variant="login",
        steps=(waiting("asks for a login", START, AUTH, "Connect a model provider"),),
    ),
    RealProgram(
        program="cn",
        arguments=("--config", "../config.yaml"),
        resume=("--resume",),
        leave="/exit",
        prepare=_cn,
        steps=(
            idle("at its prompt", START, "Ask anything, @ for context"),
            working("thinks", say(Play.THINK), "esc to interrupt"),
            idle("interrupted", press("Escape"), "Interrupted by user"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Would you like to continue?"),
            working("runs the command", press("Tab"), "esc to interrupt", "Ask anything"),
            idle("has answered", (), "Ask anything", gone=("esc to interrupt",)),
            waiting(
                "asks for a new file", say(Play.EDIT), PERMISSION, "Would you like to continue?", "Write"
            ),
            idle("refused", press("Escape"), "Ask anything", gone=("esc to interrupt",)),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "Enter select"),
            exited("killed", CRASH),
            idle("goes on", RESUME, "Ask anything"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="cn",
        variant="key",
        steps=(waiting("asks for a key", START, AUTH, "Enter your Anthropic API key:"),),
    ),
    RealProgram(
        program="grok",
        environ={"GROK_API_KEY": "x", "GROK_BASE_URL": "{url}/v1"},
        steps=(
            idle("at its prompt", START, "Ask me anything..."),
            working("thinks", say(Play.THINK), "esc to interrupt"),
            idle("interrupted", press("Escape"), "Operation cancelled", "Ask me anything..."),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Do you want to proceed with this"),
            working("runs the command", press("Enter"), "esc to interrupt", "Ask me anything..."),
            idle("has answered", (), "Ask me anything...", gone=("esc to interrupt",)),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Do you want to proceed with this"),
            idle("refused", press("Escape"), "Ask me anything...", gone=("esc to interrupt",)),
            waiting("its key is refused", say(Play.DENIED), AUTH, "error: 401"),
            waiting("its service fails", say(Play.BROKEN), API_ERROR, "error: 500"),
            exited("killed", CRASH),
            idle("started again", START, "Ask me anything..."),
            exited("left", ("say", "exit")),
        ),
    ),
    RealProgram(
        program="kimi",
        resume=("--continue",),
        leave="/exit",
        prepare=_kimi,
        steps=(
            waiting("asks for trust", START, TRUST, "Trust this folder?", "Don't trust"),
            idle("at its prompt", press("Enter"), "Welcome to Kimi Code", "context: 0%"),
            working("thinks", say(Play.THINK), "0 1 2"),
            idle("interrupted", press("Escape"), "Interrupted by user"),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Run this command?", "1. Approve once"),
            working("runs the command", press("Enter"), "Approved: Running"),
            idle("has answered", (), "Ran a command", gone=_MOONS),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "Blue"),
            idle("no answer", press("Escape"), "context: ", gone=("Blue", *_MOONS)),
            waiting("its key is refused", say(Play.DENIED), AUTH, "provider.auth_error"),
            waiting("its quota is used up", say(Play.QUOTA), API_ERROR, "provider.api_error"),
            exited("killed", CRASH),
            idle("goes on", RESUME, "context: "),
            exited("left", LEAVE),
        ),
    ),
    _VIBE_PLAY,
    replace(_VIBE_PLAY, variant="python313", installed="mistral-vibe-python313"),
    RealProgram(
        program="mistral-vibe",
        command="vibe",
        variant="login",
        steps=(
            waiting("welcomes", START, DIALOG, "Welcome to Mistral Vibe", "continue"),
            waiting("asks for a theme", press("Enter"), DIALOG, "Preview", "navigate"),
            waiting("asks for a login", press("Enter"), AUTH, "Choose your sign in method", "Esc back"),
        ),
    ),
    RealProgram(
        program="kilo",
        resume=("--continue",),
        leave="/exit",
        prepare=_kilo,
        steps=(
            idle("at its prompt", START, "Ask anything", "stub-1"),
            working("thinks", say(Play.THINK), "esc "),
            idle("interrupted", press("Escape", "Escape"), "ctrl+p", gone=("esc interrupt",)),
            waiting("asks for a command", say(Play.TOOL), PERMISSION, "Permission required"),
            working("runs the command", press("Enter"), "esc interrupt"),
            idle("has answered", (), "All of it is done. ▣", gone=("esc interrupt",)),
            waiting("asks for a new file", say(Play.EDIT), PERMISSION, "Permission required"),
            idle(
                "refused",
                press("Escape", "Enter"),
                "ctrl+p",
                gone=(" permission", "Permission", "esc interrupt"),
            ),
            waiting("asks a question", say(Play.ASK), QUESTION, "Which colour?", "dismiss"),
            exited("killed", CRASH),
            idle("goes on", RESUME, "ctrl+p"),
            exited("left", LEAVE),
        ),
    ),
    RealProgram(
        program="amp",
        steps=(waiting("asks for a login", START, AUTH, "Would you like to log in to Amp?"),),
    ),
    RealProgram(
        program="auggie",
        steps=(waiting("asks for a login", START, AUTH, "Login to continue", "Press return"),),
    ),
    RealProgram(
        program="letta",
        steps=(waiting("asks for a login", START, AUTH, "Login to Letta Code", "Use ↑/↓"),),
    ),
    RealProgram(
        program="droid",
        steps=(waiting("asks for a login", START, AUTH, "Please login with your Factory account"),),
    ),
    RealProgram(
        program="qodercli",
        steps=(
            waiting("asks for trust", START, TRUST, "Do you trust the files", "↑/↓ navigate"),
            waiting("welcomes", press("Enter"), AUTH, "Sign in to continue", "↑/↓ navigate"),
            waiting("asks for a login", press("Enter"), AUTH, "How would you like to authenticate"),
        ),
    ),
)
"""What is staged of each."""
