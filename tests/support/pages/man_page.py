"""Prints the manual page of a program from its commands: `python -m tests.support.pages.man_page PROGRAM`."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator

import click

from tests.support.pages.known_names import GROUPS
from tmux_exporter import __version__
from tmux_exporter.cli.tasks import TaskGroup
from tmux_exporter.reporters import hook, op_arguments, statusline

CHANGED = "2026-12-01"
"""The date of the pages: a build is to be repeatable."""

REPORTERS = {"op": op_arguments.HELP, "hook": hook.HELP, "statusline": statusline.HELP}
"""Commands that have no click: their own help."""

_OTHER = {"tmux-exporter": "tmux-remediator", "tmux-remediator": "tmux-exporter"}

_ESCAPED = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", "\t": " "}

_EXIT = (
    ("0", "It is done; nothing was found where a command looks for trouble."),
    ("1", "Something was found, or could not be done."),
    ("2", "Wrong use or a mistake in a configuration; systemd does not start it again."),
    ("3", "Something that is needed is not there, or cannot be seen."),
    ("130", "Ended by Ctrl-C; what serves, and top, end with 0."),
)
_OF_CHECK = "tmux-exporter check ends as plugins do: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."
_FILES = (
    ("$XDG_RUNTIME_DIR/tmux-exporter", "What running programs tell each other."),
    ("$XDG_STATE_HOME/tmux-exporter", "State, audit and data; ~/.local/state/tmux-exporter without it."),
)


def render(program: str) -> str:
    """The whole page, in the macros of man(7)."""
    group = GROUPS[program]
    assert isinstance(group, TaskGroup)
    title, *rest = _paragraphs(inspect.cleandoc(group.help or ""))
    # The name and what it does is one line to `whatis`: one sentence.
    what = " ".join(title.split()).split(". ")[0].rstrip(".")
    page = [
        rf'.TH {as_text(program.upper())} 1 {CHANGED} "tmux-exporter {__version__}" "User Commands"',
        *(".nh", ".ad l", ".SH NAME", rf"{as_text(program)} \-", *_filled(what)),
        *(".SH SYNOPSIS", f".B {as_text(program)}", "[OPTIONS] COMMAND [ARGUMENTS]"),
        *(".SH DESCRIPTION", *_body([title, *rest])),
        ".PP",
        f"{as_text(program)} COMMAND \\-\\-help says the same of one command.",
        *(".SH OPTIONS", *_options(group, program)),
        ".SH COMMANDS",
    ]
    for task in group.tasks:
        page += [f'.SS "{as_text(task.title)}"', f"Example: {as_text(task.example)}"]
        for name in task.commands:
            page += _command(group.commands[name], f"{program} {name}")
    page += [".SH EXIT STATUS", *_list(_EXIT)]
    if "check" in group.commands:
        page += [".PP", *_filled(_OF_CHECK)]
    page += [".SH FILES", *_list(_FILES)]
    page += [".SH SEE ALSO", f".BR {as_text(_OTHER[program])} (1),", ".BR tmux (1)"]
    return "\n".join(page) + "\n"


def _command(command: click.Command, name: str) -> Iterator[str]:
    """A command and those below it."""
    own = REPORTERS.get(command.name or "") if name.startswith("tmux-exporter ") else None
    if own is not None:
        usage, *rest = _paragraphs(own)
        yield from (".TP", f".B {as_text(usage.removeprefix('Usage: '))}", *_body(rest))
        return
    with click.Context(command, info_name=name) as context:
        usage = " ".join((name, *command.collect_usage_pieces(context)))
    yield from (".TP", f".B {as_text(usage)}", *_body(_paragraphs(inspect.cleandoc(command.help or ""))))
    if options := list(_options(command, name)):
        yield from (".RS", *options, ".RE")
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _command(below, f"{name} {below.name}")


def _options(command: click.Command, name: str) -> Iterator[str]:
    with click.Context(command, info_name=name, **command.context_settings) as context:
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    # Every command has --help, by one name or two, as it was first used; said once, it is enough.
    yield from _list(
        each for each in records if each and each[1] and (not each[0].endswith("--help") or " " not in name)
    )


def _list(rows: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, words in rows:
        # A list of choices may be wider than a page: it breaks between two.
        yield from (".TP", f".B {as_text(term).replace('|', chr(92) + ':|')}", *_filled(words))


def _paragraphs(text: str) -> list[str]:
    return [each for each in re.split(r"\n[ \t]*\n", text) if each.strip()]


def _body(paragraphs: list[str]) -> Iterator[str]:
    """Text that is filled, but for what `\\b` marks, examples and lists."""
    for number, paragraph in enumerate(paragraphs):
        lines = textwrap.dedent(paragraph).splitlines()
        if number:
            yield ".sp"
        if lines[0] == "\b":
            lines = lines[1:]
        elif not lines[0].endswith(":"):
            yield from _filled(" ".join(line.strip() for line in lines))
            continue
        yield from (".nf", *map(as_text, lines), ".fi")


def _filled(words: str) -> list[str]:
    return [
        # A word that begins a line so would be a request.
        rf"\&{line}" if line.startswith(".") else line
        for line in textwrap.wrap(as_text(words), 80, break_long_words=False, break_on_hyphens=False)
    ]


def as_text(words: str) -> str:
    """Words as roff takes them: nothing in them is a request."""
    made = "".join(_ESCAPED.get(each, each if each.isascii() else rf"\[u{ord(each):04X}]") for each in words)
    return rf"\&{made}" if made.startswith(".") else made


if __name__ == "__main__":
    print(render(sys.argv[1]), end="")
