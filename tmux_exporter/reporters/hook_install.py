"""Add our hooks to the settings of agents, and take them out again; everything else stays byte for byte."""

import difflib
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tmux_exporter.base.errors import ExporterError
from tmux_exporter.facts.label import visible_text
from tmux_exporter.reporters.hook_settings import (
    HookProgram,
    former_of,
    is_statusline,
    settings,
    status_line,
    with_former,
)
from tmux_exporter.reporters.json_text import JsonTextError, Node, added, parse, paths, style_of, without
from tmux_exporter.wire.hook_line import FORGET, STATES

_LARGEST_BYTES = 4 << 20
_BY_HAND = "mend it, or add the hooks by hand: tmux-exporter doctor --hooks"
# Below the root: the hooks, an event, a group of one matcher, its list of hooks, one hook.
_HOOK_DEPTH = 5
_GROUP_DEPTH = 3


class HookInstallError(ExporterError):
    """Why the settings of an agent are not touched, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The settings of one agent: `text` is None where there is no file; `path` is never a link."""

    program: HookProgram
    shown: str
    path: str
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The new text of a settings file, None where it goes; the same text where nothing is to be done."""

    file: SettingsFile
    text: str | None

    @property
    def needed(self) -> bool:
        """Whether there is anything to write."""
        return self.text != self.file.text

    def difference(self) -> list[str]:
        """The lines that go and come, safe for a terminal."""
        before, after = ((text or "").splitlines() for text in (self.file.text, self.text))
        old, new = ("/dev/null" if text is None else self.file.shown for text in (self.file.text, self.text))
        lines = difflib.unified_diff(before, after, old, new, lineterm="", n=1)
        return [visible_text(line.expandtabs(4)) for line in lines]


def used(program: HookProgram, environ: Mapping[str, str]) -> bool:
    """Whether the folder of an agent's settings is there."""
    return os.path.isdir(os.path.dirname(_path(program, environ)))


def _path(program: HookProgram, environ: Mapping[str, str]) -> str:
    folder, name = os.path.split(program.file)
    moved = environ.get(program.variable, "") if program.variable else ""
    home = environ.get("HOME", "/")
    return os.path.join(moved or folder.replace("~", home, 1), name)


def read(program: HookProgram, environ: Mapping[str, str], uid: int) -> SettingsFile:
    """The settings of an agent. Raises HookInstallError for a file that is not to be touched."""
    shown = _path(program, environ)
    if not used(program, environ):
        raise HookInstallError(
            f"{os.path.dirname(shown)} is not there: start {program.name} once, then install its hooks"
        )
    # People keep settings in a repository and link to them: the link stays.
    path = os.path.realpath(shown)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return SettingsFile(program=program, shown=shown, path=path, text=None)
    except OSError as error:
        raise HookInstallError(f"{shown} cannot be read ({error.strerror})") from None
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != uid:
            raise HookInstallError(f"{shown} is no plain file of yours; it is left alone")
        content = file.read(_LARGEST_BYTES + 1)
    try:
        if len(content) > _LARGEST_BYTES:
            raise JsonTextError("it is too large")
        text = content.decode()
        _check(parse(text), program)
    except UnicodeDecodeError:
        raise HookInstallError(f"{shown}: it is no UTF-8; {_BY_HAND}") from None
    except JsonTextError as error:
        raise HookInstallError(f"{shown}: {error}; {_BY_HAND}") from None
    return SettingsFile(program=program, shown=shown, path=path, text=text)


def _check(root: Node, program: HookProgram) -> None:
    """Raise JsonTextError where the settings are not as the agent writes them."""
    if root.container != "{":
        raise JsonTextError("it is no object")
    if (hooks := root.member("hooks")) is None:
        return
    if hooks.container != "{":
        raise JsonTextError("its hooks are no object")
    for event in program.events:
        if (groups := hooks.member(event.name)) is not None and groups.container != "[":
            raise JsonTextError(f"its hooks of {event.name} are no list")


def present(file: SettingsFile) -> list[dict[str, Any]]:
    """Our hooks in a file: event, matcher and hook of each."""
    return [found for _, found in _ours(file.text)] if file.text is not None else []


def _ours(text: str) -> Iterator[tuple[tuple[Node, ...], dict[str, Any]]]:
    for path in paths(parse(text), _HOOK_DEPTH):
        _, hooks, event, group, entries, hook = path
        if hooks.key == "hooks" and entries.key == "hooks" and event.container == entries.container == "[":
            found = json.loads(text[hook.value_start : hook.end])
            if isinstance(found, dict) and _is_ours(found.get("command")):
                whole = json.loads(text[group.value_start : group.end])
                yield path, {"event": event.key, "matcher": whole.get("matcher", ""), "hook": found}


def _is_ours(command: object) -> bool:
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    known = len(words) in (3, 4) and words[1] == "hook" and words[2] in (*STATES, FORGET)
    return known and os.path.basename(words[0]) == "tmux-exporter"


def _wanted(program: HookProgram, command: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for event, groups in settings(program, command)["hooks"].items():
        for group in groups:
            yield event, group


def complete(file: SettingsFile, command: str) -> bool:
    """Whether a file has our hooks as this version writes them, and no others of ours."""
    wanted = [
        {"event": event, "matcher": group.get("matcher", ""), "hook": group["hooks"][0]}
        for event, group in _wanted(file.program, command)
    ]
    found = present(file)
    whole = len(found) == len(wanted) and all(each in found for each in wanted)
    return whole and _with_statusline(file, command) == file.text


def installed(file: SettingsFile, command: str) -> Change:
    """The settings with our hooks, whose `command` is the path of tmux-exporter; older ones of ours go."""
    if complete(file, command):
        return Change(file=file, text=file.text)
    text = removed(file).text
    if text is None:
        whole = settings(file.program, command)
        return Change(file=file, text=json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    style = style_of(text)
    for event, group in _wanted(file.program, command):
        root = parse(text)
        hooks = root.member("hooks")
        if hooks is None:
            text = added(text, root, {event: [group]}, style.at(0), "hooks")
        elif (groups := hooks.member(event)) is None:
            text = added(text, hooks, [group], style.at(1), event)
        else:
            text = added(text, groups, group, style.at(2))
    return Change(file=file, text=_with_statusline(replace(file, text=text), command))


def removed(file: SettingsFile) -> Change:
    """The settings without our hooks; without the file where it holds nothing else."""
    text = _without_statusline(file.program, file.text)
    while text is not None and (found := next(_ours(text), None)) is not None:
        path, _ = found
        text = without(text, path[: _GROUP_DEPTH + 1] if len(path[-2].children) == 1 else path)
    return Change(file=file, text=text)


def _command_of_statusline(root: Node) -> Node | None:
    """The command of the status line in settings; None where there is none."""
    line = root.member("statusLine")
    return line.member("command") if line is not None else None


def _with_statusline(file: SettingsFile, command: str) -> str | None:
    """The settings with our status line before the one that is there."""
    text = file.text
    if text is None or not file.program.statusline:
        return text
    root = parse(text)
    node = _command_of_statusline(root)
    if node is None:
        line = root.member("statusLine")
        # One of another form is not ours to change.
        return (
            added(text, root, status_line(command), style_of(text).at(0), "statusLine")
            if line is None
            else text
        )
    former = json.loads(text[node.value_start : node.end])
    if not isinstance(former, str):
        return text
    if is_statusline(former):
        earlier = former_of(former)
        wanted = status_line(command)["command"] if earlier is None else with_former(command, earlier)
    else:
        wanted = with_former(command, former)
    return _with_string(text, node, wanted)


def _with_string(text: str, node: Node, value: str) -> str:
    """The text with another string at a node, written as the one that is there."""
    ascii_only = text[node.value_start : node.end].isascii()
    return text[: node.value_start] + json.dumps(value, ensure_ascii=ascii_only) + text[node.end :]


def _without_statusline(program: HookProgram, text: str | None) -> str | None:
    """The settings with the status line that was there before ours."""
    if text is None or not program.statusline:
        return text
    root = parse(text)
    node = _command_of_statusline(root)
    command = json.loads(text[node.value_start : node.end]) if node is not None else None
    if node is None or not isinstance(command, str) or not is_statusline(command):
        return text
    former = former_of(command)
    if former is not None:
        return _with_string(text, node, former)
    return without(text, next(path for path in paths(root, 1) if path[-1].key == "statusLine"))


def write(change: Change) -> None:
    """Write a change as a whole. Raises HookInstallError where the file has changed meanwhile."""
    file = change.file
    try:
        with open(file.path, encoding="utf-8", newline="") as now:
            before: str | None = now.read(_LARGEST_BYTES + 1)
            mode = stat.S_IMODE(os.fstat(now.fileno()).st_mode)
    except FileNotFoundError:
        before, mode = None, 0o600
    if before != file.text:
        raise HookInstallError(f"{file.shown} has changed meanwhile; nothing was written to it: try again")
    if change.text is None:
        os.unlink(file.path)
        return
    draft = f"{file.path}.{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as new:
            new.write(change.text)
            os.fchmod(handle, mode)
            new.flush()
            os.fsync(handle)
        os.replace(draft, file.path)
    except OSError:
        os.unlink(draft)
        raise


def status(
    programs: Sequence[HookProgram], environ: Mapping[str, str], uid: int, command: str
) -> list[dict[str, Any]]:
    """Of each agent: its settings file, and whether it has our hooks. JSON-ready."""
    told = []
    for program in programs:
        words: dict[str, Any] = {"program": program.name, "file": _path(program, environ), "hooks": 0}
        try:
            file = read(program, environ, uid)
        except HookInstallError as error:
            words["state"] = "not used" if not used(program, environ) else "refused"
            words["problem"] = "" if words["state"] == "not used" else str(error)
        else:
            words["hooks"] = len(present(file))
            words["state"] = (
                "installed" if complete(file, command) else "outdated" if words["hooks"] else "not installed"
            )
            words["problem"] = _switched_off(file)
        told.append(words)
    return told


def _switched_off(file: SettingsFile) -> str:
    off = file.text is not None and json.loads(file.text).get("disableAllHooks") is True
    return f"{file.shown} has disableAllHooks: {file.program.name} calls none" if off else ""
