"""Hooks in the settings of agents: added beside what is there, taken out again, refused where unsure."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.support.examples import examples
from tmux_exporter.reporters import hook_install
from tmux_exporter.reporters.hook_install import HookInstallError, SettingsFile
from tmux_exporter.reporters.hook_settings import PROGRAMS
from tmux_exporter.reporters.hook_settings import settings as hook_settings

COMMAND = "/opt/my tools/tmux-exporter"
BY_NAME = {each.name: each for each in PROGRAMS}
CLAUDE = BY_NAME["claude"]


def file(text: str | None, program: str = "claude") -> SettingsFile:
    return SettingsFile(program=BY_NAME[program], shown="~/s", path="/s", text=text)


def installed(text: str | None, program: str = "claude") -> str:
    found = hook_install.installed(file(text, program), COMMAND).text
    assert found is not None
    return found


def removed(text: str | None, program: str = "claude") -> str | None:
    return hook_install.removed(file(text, program)).text


def without_ours(document: Any) -> Any:
    """What is left of settings, by the values alone."""
    for event, groups in list(document.get("hooks", {}).items()):
        for group in list(groups):
            group["hooks"] = [each for each in group["hooks"] if COMMAND not in each["command"]]
            if not group["hooks"]:
                groups.remove(group)
        if not groups:
            del document["hooks"][event]
    line = document.get("statusLine")
    if isinstance(line, dict) and COMMAND in str(line.get("command")):
        del document["statusLine"]
    return document


THEIRS = '{"hooks": [{"type": "command", "command": "tmux-exporter hooks are fine"}]}'
TEXTS = [
    None, "{}", "{ }", "{\n}\n", '{"hooks": {}}', '{"hooks":{"Stop":[]}}', '{"hooks": { "Stop": [ ] } }\n',
    '{"statusLine": {"type": "command", "command": "~/line.sh \'a b\' | cut -c1-80", "padding": 0}}\n',
    '{"statusLine": {"command": "echo \\u00fc \\"$HOME\\""}}', '{"statusLine": {"command": "echo ü"}}',
    '{"statusLine": 1, "x": 2}', '{"statusLine": {"command": 7}}',
    '{"model": "x"}', '{\n  "a": {"hooks": [1]},\n  "b": [[], {}]\n}',
    '{"hooks": {"Stop": [' + THEIRS + ', ' + THEIRS + ' ]}}',
    '{\r\n\t"hooks": {\r\n\t\t"Stop": [\r\n\t\t\t' + THEIRS + "\r\n\t\t]\r\n\t}, \"z\": \"ü\\u00fc\"}\r\n",
    '  {"hooks" : {"Other": [' + THEIRS + ']}, "env": {"KEY": "a\\"}]b"}}  ',
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "program"), [*((text, "claude") for text in TEXTS), *((None, name) for name in BY_NAME)]
)
def test_what_is_taken_out_leaves_every_byte(text: str | None, program: str) -> None:
    new = installed(text, program)
    found = hook_install.present(file(new, program))
    wanted = sum(len(groups) for groups in hook_settings(BY_NAME[program], COMMAND)["hooks"].values())
    assert len(found) == wanted and hook_install.complete(file(new, program), COMMAND)
    assert installed(new, program) == new, "a second time changes nothing"
    assert removed(new, program) == text


def test_the_status_line_that_is_there_is_run_behind_ours() -> None:
    former = """~/my line.sh 'a b' | cut -c1-80; echo "$X" """
    new = installed(json.dumps({"statusLine": {"type": "command", "command": former, "padding": 0}}))
    line = json.loads(new)["statusLine"]
    assert line["padding"] == 0
    assert shlex.split(line["command"]) == [COMMAND, "statusline", "--", "sh", "-c", former]
    moved = new.replace(COMMAND, "/old/tmux-exporter")
    assert not hook_install.complete(file(moved), COMMAND)
    assert json.loads(installed(moved))["statusLine"] == line


JSON_KEYS = some.text(some.characters(codec="utf-8"), max_size=4)
JSON_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=4),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(JSON_KEYS, inner, max_size=3),
    max_leaves=8,
)
GROUPS = some.lists(
    some.fixed_dictionaries(
        {
            "hooks": some.lists(
                some.fixed_dictionaries({"command": some.text(max_size=5)}), min_size=1, max_size=2
            )
        }
    ),
    max_size=2,
)
HOOKS = some.dictionaries(some.sampled_from(["Stop", "Notification", "Other"]), GROUPS, max_size=3)


@settings(max_examples=examples(60), deadline=None)
@given(
    some.dictionaries(JSON_KEYS.filter(lambda key: key != "hooks"), JSON_VALUES, max_size=4),
    some.none() | HOOKS,
    some.sampled_from([None, 1, 4, "\t"]),
    some.sampled_from(["", "\n", " \r\n"]),
    some.booleans(),
)
def test_any_settings_come_back_and_nothing_of_theirs_changes(
    rest: dict[str, Any], hooks: Any, indent: Any, blank: str, ascii: bool
) -> None:
    document = rest if hooks is None else {**rest, "hooks": hooks}
    text = blank + json.dumps(document, indent=indent, ensure_ascii=ascii) + blank
    new = installed(text)
    assert removed(new) == text
    assert without_ours(json.loads(new)) == without_ours({**document, "hooks": document.get("hooks", {})})


def test_hooks_among_others_go_alone_and_old_ones_are_replaced() -> None:
    ours = '{"type": "command", "command": "/old/tmux-exporter hook idle", "timeout": 5}'
    text = '{"hooks": {"Stop": [{"hooks": [{"command": "x"}, ' + ours + "]}, " + THEIRS + "]}}"
    kept = '{"hooks": {"Stop": [{"hooks": [{"command": "x"}]}, ' + THEIRS + "]}}"
    assert not hook_install.complete(file(text), COMMAND)
    assert removed(text) == kept
    assert "/old/" not in installed(text) and removed(installed(text)) == kept


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1,}', "line 1, column"), (b"", "line 1"), (b"[]", "no object"),
        (b'{"hooks": []}', "no object"),
        (b'{"hooks": {"Stop": {}}}', "no list"), (b'{"a": 1, "a": 2}', "twice"), (b"{} // x", "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"), (b'{"a": "\xff"}', "UTF-8"), (b"[" * 200_000, "deep"),
    ],
)  # fmt: skip
def test_settings_that_are_broken_are_left_alone(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / ".claude").mkdir()
    settings_file = tmp_path / ".claude" / "settings.json"
    settings_file.write_bytes(content)
    with pytest.raises(HookInstallError, match=why) as raised:
        hook_install.read(CLAUDE, {"HOME": str(tmp_path)}, os.getuid())
    assert "\n" not in str(raised.value) and "--hooks" in str(raised.value)
    assert settings_file.read_bytes() == content


def test_what_is_no_plain_file_of_ours_is_left_alone(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    with pytest.raises(HookInstallError, match="start claude once"):
        hook_install.read(CLAUDE, environ, os.getuid())
    (tmp_path / ".claude").mkdir()
    os.mkfifo(tmp_path / ".claude" / "settings.json")
    with pytest.raises(HookInstallError, match="no plain file"):
        hook_install.read(CLAUDE, environ, os.getuid())
    (tmp_path / ".claude" / "settings.json").unlink()
    (tmp_path / ".claude" / "settings.json").write_text("{}")
    with pytest.raises(HookInstallError, match="no plain file"):
        hook_install.read(CLAUDE, environ, os.getuid() + 1)


def test_a_link_and_its_mode_stay_and_a_change_meanwhile_is_not_lost(tmp_path: Path) -> None:
    moved = tmp_path / "dotfiles"
    moved.mkdir()
    real = moved / "s.json"
    real.write_text('{"a": 1}\n')
    real.chmod(0o640)
    place = tmp_path / "c"
    place.mkdir()
    (place / "settings.json").symlink_to(real)
    environ = {"HOME": "/none", "CLAUDE_CONFIG_DIR": str(place)}
    change = hook_install.installed(hook_install.read(CLAUDE, environ, os.getuid()), COMMAND)
    hook_install.write(change)
    assert (place / "settings.json").is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert real.read_text() == change.text and [each.name for each in moved.iterdir()] == ["s.json"]
    back = hook_install.removed(hook_install.read(CLAUDE, environ, os.getuid()))
    real.write_text('{"a": 2}\n')
    with pytest.raises(HookInstallError, match="meanwhile"):
        hook_install.write(back)
    assert real.read_text() == '{"a": 2}\n'


def test_a_file_of_ours_alone_comes_and_goes(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    (tmp_path / ".claude").mkdir()
    hook_install.write(hook_install.installed(hook_install.read(CLAUDE, environ, os.getuid()), COMMAND))
    (made,) = (tmp_path / ".claude").iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
    change = hook_install.removed(hook_install.read(CLAUDE, environ, os.getuid()))
    assert change.needed and any(line.startswith("-") for line in change.difference())
    hook_install.write(change)
    assert list((tmp_path / ".claude").iterdir()) == []


def test_the_status_of_each(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    for name, text in {".claude": None, ".codex": "{", ".qwen": '{"disableAllHooks": true}'}.items():
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / ("hooks.json" if name == ".codex" else "settings.json")).write_text(text)
    hook_install.write(hook_install.installed(hook_install.read(CLAUDE, environ, os.getuid()), COMMAND))
    told = {each["program"]: each for each in hook_install.status(PROGRAMS, environ, os.getuid(), COMMAND)}
    assert {name: each["state"] for name, each in told.items()} == {
        "claude": "installed", "codex": "refused", "gemini": "not used", "qwen": "not installed",
    }  # fmt: skip
    assert "line 1" in told["codex"]["problem"] and "disableAllHooks" in told["qwen"]["problem"]
    assert (
        hook_install.status([CLAUDE], environ, os.getuid(), "/other/tmux-exporter")[0]["state"] == "outdated"
    )
