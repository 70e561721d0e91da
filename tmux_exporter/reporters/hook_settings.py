"""The hooks to add to the settings of agents: which events of which agent say what."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmux_exporter.wire.hook_line import FORGET

SECONDS = 5
"""An agent gives up on a hook after this long; ours takes some 20 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of an agent: its name, what it says of the agent, and which of its kinds are meant."""

    name: str
    words: str
    matcher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookProgram:
    """An agent with hooks: the file of its settings, its events, and its unit of time in one second.

    `variable`: the environment variable that names another folder for the file. `note`: what to know before
    you add them. `statusline`: its settings have the command of its status line.
    """

    name: str
    file: str
    events: tuple[Event, ...]
    variable: str = ""
    second: int = 1
    note: str = ""
    statusline: bool = False


# Qwen Code has the events of Claude Code.
_CLAUDE_EVENTS = (
    Event(name="SessionStart", words="idle"),
    Event(name="UserPromptSubmit", words="working"),
    Event(name="PermissionRequest", words="waiting permission"),
    Event(name="PostToolUse", words="working"),
    Event(name="PostToolUseFailure", words="working"),
    Event(name="Notification", words="waiting permission", matcher="permission_prompt"),
    Event(name="Stop", words="idle"),
    Event(name="StopFailure", words="waiting api_error"),
    Event(name="SessionEnd", words=FORGET),
)

PROGRAMS: tuple[HookProgram, ...] = (
    HookProgram(
        name="claude",
        file="~/.claude/settings.json",
        variable="CLAUDE_CONFIG_DIR",
        statusline=True,
        events=(
            *_CLAUDE_EVENTS,
            Event(name="PreToolUse", words="waiting question", matcher="AskUserQuestion"),
            Event(name="Notification", words="waiting question", matcher="elicitation_dialog"),
        ),
    ),
    HookProgram(
        name="codex",
        file="~/.codex/hooks.json",
        variable="CODEX_HOME",
        events=(
            Event(name="SessionStart", words="idle"),
            Event(name="UserPromptSubmit", words="working"),
            Event(name="PermissionRequest", words="waiting permission"),
            Event(name="PostToolUse", words="working"),
            Event(name="Stop", words="idle"),
        ),
        # Tried with 0.171.0: docs/agents.md.
        note="Codex 0.171 asks once whether to trust them. Without --no-daemon it calls hooks from one\n"
        "daemon for all its windows: nobody knows for which one, and they tell nothing. Then the title of\n"
        "its pane tells when it works and when it waits.",
    ),
    HookProgram(
        name="gemini",
        file="~/.gemini/settings.json",
        events=(
            Event(name="SessionStart", words="idle"),
            Event(name="BeforeAgent", words="working"),
            Event(name="Notification", words="waiting permission", matcher="ToolPermission"),
            Event(name="AfterTool", words="working"),
            Event(name="AfterAgent", words="idle"),
            Event(name="SessionEnd", words=FORGET),
        ),
        second=1000,
    ),
    HookProgram(name="qwen", file="~/.qwen/settings.json", events=_CLAUDE_EVENTS, second=1000),
)


def settings(program: HookProgram, command: str) -> dict[str, Any]:
    """The settings to add for a program; `command` is the path of tmux-exporter."""
    hooks: dict[str, list[dict[str, Any]]] = {}
    for event in program.events:
        call = {
            "type": "command",
            "command": f"{shlex.quote(command)} hook {event.words}",
            "timeout": SECONDS * program.second,
        }
        group = {"matcher": event.matcher, "hooks": [call]} if event.matcher else {"hooks": [call]}
        hooks.setdefault(event.name, []).append(group)
    line = {"statusLine": status_line(command)} if program.statusline else {}
    return {"hooks": hooks, **line}


def status_line(command: str) -> dict[str, str]:
    """The setting of a status line where there was none."""
    return {"type": "command", "command": f"{shlex.quote(command)} statusline"}


def with_former(command: str, former: str) -> str:
    """The command of a status line that keeps what it is told and then becomes the one that was there."""
    return f"{shlex.quote(command)} statusline -- sh -c {shlex.quote(former)}"


def is_statusline(command: object) -> bool:
    """Whether the command of a status line is ours."""
    return _words(command)[1:2] == ["statusline"]


def former_of(command: str) -> str | None:
    """The command that ours becomes; None where there was none."""
    words = _words(command)
    return words[5] if words[2:5] == ["--", "sh", "-c"] and len(words) == 6 else None


def _words(command: object) -> list[str]:
    """The words of a command of ours; none of another one."""
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return []
    return words if words and words[0].rpartition("/")[2] == "tmux-exporter" else []


def as_json(command: str, programs: Sequence[HookProgram] = PROGRAMS) -> str:
    """By program: its settings file and what to add."""
    told: Mapping[str, Any] = {
        each.name: {"file": each.file, "settings": settings(each, command)} for each in programs
    }
    return json.dumps({"version": 1, "programs": told}, indent=2)


def as_text(command: str, programs: Sequence[HookProgram] = PROGRAMS) -> str:
    """The same as text to copy."""
    parts = []
    for each in programs:
        text = json.dumps(settings(each, command), indent=2)
        note = f"{each.note}\n" if each.note else ""
        parts.append(f"{each.name}: add to {each.file}, beside the hooks that are there\n{note}\n{text}\n")
    parts.append("Agents read their settings when they start. Nothing was changed.")
    return "\n".join(parts)
