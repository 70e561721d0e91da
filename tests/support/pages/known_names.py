"""What the words of a page may name: flags, variables, paths, metrics, alerts, settings, decisions."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import click
import yaml

from tests.support.alerts.files import shipped
from tests.support.alerts.promised import catalogued, labels, there
from tests.support.alerts.promql import named_labels, selected
from tests.support.pages.markdown import REPOSITORY
from tests.support.processes.run_text import run_text
from tmux_exporter.cli.exporter import cli
from tmux_exporter.cli.remediator import cli as remediator_cli
from tmux_exporter.config.load import section_classes
from tmux_exporter.config.records import section_keys
from tmux_exporter.metrics.catalogue import FAMILIES
from tmux_exporter.remediator.policies.metrics import FIGURES

GROUPS = {"tmux-exporter": cli, "tmux-remediator": remediator_cli}
"""Our programs."""

LEVELS_OF_RECORDED = frozenset(
    ("job", "instance", "server", "session", "agent", "operation", "slo", "resource", "device")
)
RECORDED = {rule["record"] for group in shipped()["groups"] for rule in group["rules"] if "record" in rule}
ALERTS = {rule["alert"] for group in shipped()["groups"] for rule in group["rules"] if "alert" in rule}
SETTINGS = {f"{name}.{key}" for name, section in section_classes().items() for key in section_keys(section)}

FOREIGN_FLAGS = {
    "--alertmanager.url": "amtool",
    **dict.fromkeys(
        ("--build-arg", "--network", "--read-only", "--timestamp", "--tmpfs", "--user", "--volume"), "podman"
    ),
}
"""Flags of other programs that stand alone in a sentence, and whose they are."""

FOREIGN_VARIABLES = {
    **dict.fromkeys(("USER", "HOME", "PATH", "SECONDS"), "the shell's"),
    **dict.fromkeys(("MINUTES", "TARGET", "DELAY"), "of the scripts that the page is about"),
    "BASE": "of the Containerfile",
    "GITHUB_STEP_SUMMARY": "of GitHub's runner",
    **dict.fromkeys(("PIPX_HOME", "PIPX_BIN_DIR"), "pipx's"),
    **dict.fromkeys(("LISTEN", "ARGS"), "of the unit, which puts them into its command"),
    "OP_OF": "of the line that a user adds to a script, which reads it itself",
}
"""Variables that are not ours to read."""

NO_SETTINGS = {"agents.json": "a file", "tmux.conf": "a file", "limits.conf": "a file"}
"""Words that look like `section.key`."""

NO_METRICS = {
    "tmux_server": "a kind in policies",
    "tmux_exporter": "the package",
    **dict.fromkeys(
        yaml.safe_load((REPOSITORY / "deploy/ansible/roles/tmux_exporter/defaults/main.yml").read_text()),
        "a variable of the Ansible role",
    ),
}

_PLACES = ("alerts", "bench", "dashboards", "deploy", "docs", "examples", "tests", "tmux_exporter")
MADE_LATER = {
    "tests/mechanical/": "made by a test, in a folder of its own",
    "deploy/ansible/site.yml": "the user's own playbook",
}
"""Paths that are in no checkout."""


class Command(NamedTuple):
    """A command of ours as a page shows it: its program and name, and the words behind."""

    program: str
    name: str
    rest: str


_COMMAND = re.compile(
    # To a pipe, a comment, the command that `op` runs, or a line that is not indented as what goes on is.
    r"(?<![\w/.-])(tmux-exporter|tmux-remediator) +([a-z][a-z-]*)"
    r"((?:(?! -- | \| |&&|;|#|\n(?![ \t])|(?<![\w/.-])tmux-(?:exporter|remediator) )[\s\S])*)"
)
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z.-]*[a-z]")


def commands_in(text: str) -> list[Command]:
    """Every command of ours in a piece of code."""
    return [_whole(Command(*found.groups())) for found in _COMMAND.finditer(text)]


def _whole(shown: Command) -> Command:
    """With the name of the command below it, where it is a group of commands."""
    below, _, rest = shown.rest.strip().partition(" ")
    if (
        isinstance(GROUPS[shown.program].commands.get(shown.name), click.Group)
        and below.islower()
        and below.isalpha()
    ):
        return Command(shown.program, f"{shown.name} {below}", rest)
    return shown


@cache
def flags_of(program: str, name: str) -> frozenset[str] | None:
    """The flags of which its `--help` tells; None where there is no such command."""
    command: click.Command | None = GROUPS[program]
    for word in name.split():
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    if command is None:
        return None
    if isinstance(command, click.Group):
        return frozenset().union(*(flags_of(program, f"{name} {each}") or () for each in command.commands))
    if name in ("op", "hook", "statusline"):
        done = run_text((sys.executable, "-m", "tmux_exporter", name, "--help"), check=True)
        return frozenset(re.findall(r"^ +(?:-h, )?(--[a-z.-]+)", done.stdout, re.MULTILINE))
    with click.Context(command, info_name=name) as context:
        return frozenset(_FLAG.findall(command.get_help(context)))


@cache
def flags_of_module(module: str) -> frozenset[str]:
    """The flags of which `python -m MODULE --help` tells, those of its sub-commands included."""
    words = (sys.executable, "-m", module)
    told = run_text((*words, "--help"), cwd=REPOSITORY)
    names = re.search(r"\{([a-z,]+)\}", told.stdout)
    text = told.stdout
    for name in names[1].split(",") if names else ():
        more = run_text((*words, name, "--help"), cwd=REPOSITORY)
        text += more.stdout
    return frozenset(_FLAG.findall(text))


@cache
def all_flags() -> frozenset[str]:
    """Every flag of ours."""
    ours = (flags_of(program, name) or () for program in GROUPS for name in names_of(GROUPS[program]))
    return frozenset().union(*ours, flags_of_module("bench")) | {"--version"}


def names_of(group: click.Group) -> list[str]:
    """The commands of a group, those below other groups included, each with the names on the way to it."""
    found = []
    for name, command in group.commands.items():
        found.append(name)
        if isinstance(command, click.Group):
            found += [f"{name} {below}" for below in names_of(command)]
    return found


def flag_problems(text: str) -> Iterator[str]:
    """Commands and flags that do not exist."""
    # A pair such as `plan / apply` names two commands of one program.
    for program, name, rest in commands_in(text):
        known = flags_of(program, name)
        if known is None:
            if f"{program} {name}" not in PLANNED:
                yield f"{program} has no command {name}"
            continue
        # What is planned says so; what comes behind a second command is the second one's.
        shown = re.split(r"\bplanned\b| / [a-z]", rest)[0]
        yield from (f"{program} {name} has no {flag}" for flag in _FLAG.findall(shown) if flag not in known)
    for module, rest in re.findall(r"\bpython -m ([a-z_.]+)([^|&;#\n]*)", text):
        path = REPOSITORY / module.replace(".", "/")
        if not (path.is_dir() or path.with_suffix(".py").is_file()):
            if module not in ("venv", "pip", "pytest"):
                yield f"there is no module {module}"
            continue
        yield from (
            f"{module} has no {flag}" for flag in _FLAG.findall(rest) if flag not in flags_of_module(module)
        )
    if found := re.match(r"--[a-z][a-z.-]*[a-z]", text):
        flag = found[0]
        if flag not in all_flags() and flag not in FOREIGN_FLAGS:
            yield f"no command has {flag}"
    yield from _target_problems(text)


PLANNED = frozenset(("tmux-exporter plan",))
"""Commands that pages promise for later."""


def _target_problems(text: str) -> Iterator[str]:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target, rest in re.findall(r"(?<![\w-])make +([a-z][a-z-]*)([^\n#`]*)", text):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            yield f"there is no make {target}"
        for name in re.findall(r"\b([A-Z]+)=", rest):
            if f"$({name})" not in makefile and not is_read(name):
                yield f"make {target} does not read {name}"


def variable_problems(text: str) -> Iterator[str]:
    """Environment variables that nothing reads."""
    found = re.findall(
        r"\$\{?([A-Z][A-Z0-9_]+)|(?<![\w-])([A-Z][A-Z0-9_]{2,})=|\b(TMUX_(?!X_)[A-Z_]+|XDG_\w+)", text
    )
    for name in {"".join(each) for each in found}:
        if name not in FOREIGN_VARIABLES and not is_read(name):
            yield f"nothing reads {name}"


@cache
def is_read(name: str) -> bool:
    """Whether some program of ours reads this variable."""
    quoted = rf"""["']{name}["']"""
    asked = rf"environ\S*{quoted}|envvar={quoted}|\$\{{{name}\b|\$\({name}\)"
    # A name with `_` in quotes is a constant for it; a word without may be the title of a column.
    constant = rf"{quoted}|{asked}" if "_" in name else asked
    return any(
        name in text and re.search(asked if of_tests else constant, text) for of_tests, text in _programs()
    )


@cache
def _programs() -> tuple[tuple[bool, str], ...]:
    """Every program of ours, and whether it is one of the tests."""
    folders = ("tmux_exporter", "bench", "alerts", "tests")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    files += [REPOSITORY / each for each in ("Makefile", "deploy/setup", "deploy/compose/compose.yaml")]
    return tuple((path.is_relative_to(REPOSITORY / "tests"), path.read_text()) for path in files)


def path_problems(text: str) -> Iterator[str]:
    """Paths of this repository that are not there; `<word>` stands for any name."""
    for word in re.findall(rf"(?<![\w/.~-])(?:{'|'.join(_PLACES)})/[\w./*@<>{{}}-]*", text):
        path = re.sub(r"<\w+>|[{}]", "*", word.rstrip("."))
        if path not in MADE_LATER and not list(REPOSITORY.glob(path.rstrip("/"))):
            yield f"there is no {word}"


def metric_problems(text: str) -> Iterator[str]:
    """Metrics that are in no catalogue; of a family name with `*` or `{…}`, that nothing begins so."""
    for found in re.finditer(r"(?<![\w./:@-])tmux_[a-zX0-9_]*[*{]?(?![\w./-])", text):
        name = found[0]
        if name in NO_METRICS:
            continue
        if name == "tmux_X_" or name.startswith("tmux_X_"):
            names = [name.replace("_X_", f"_{level}_") for level in ("session", "agent", "pane")]
            problems = not any(_is_metric(each.rstrip("*{")) for each in names)
        else:
            problems = not _is_metric(name.rstrip("*{")) and not (
                name[-1] in "*{_" and any(spec.name.startswith(name.rstrip("*{")) for spec in FAMILIES)
            )
        if problems:
            yield f"there is no metric {name}"
    for name in re.findall(r"\b[a-z]+:tmux_[a-z_]+:[a-z0-9_]+", text):
        if name not in RECORDED:
            yield f"nothing is recorded as {name}"


def _is_metric(name: str) -> bool:
    try:
        catalogued(name)
    except KeyError:
        # Policies know ages besides, which no page of figures shows.
        return name in FIGURES
    return True


def alert_problems(text: str) -> Iterator[str]:
    """Alerts that are in no rule."""
    yield from (
        f"there is no alert {name}" for name in re.findall(r"\bTmux[A-Z]\w+", text) if name not in ALERTS
    )


def setting_problems(text: str) -> Iterator[str]:
    """Settings that are not in the schema."""
    found = re.fullmatch(r"([a-z_]+)\.([a-z_]+)(: .*)?", text)
    if found and found[1] in section_classes():
        name = f"{found[1]}.{found[2]}"
        if name not in SETTINGS and name not in NO_SETTINGS:
            yield f"there is no setting {name}"


def decision_problems(text: str) -> Iterator[str]:
    """Decisions that have no file."""
    there_are = {int(path.name[:4]) for path in (REPOSITORY / "docs" / "decisions").glob("[0-9]*.md")}
    for number in re.findall(r"(?<![\w./-])D([1-9][0-9]?)\b", text):
        if int(number) not in there_are:
            yield f"there is no decision D{number}"


def query_problem(query: str) -> str:
    """Why a query finds nothing anywhere."""
    allowed: set[str] = set()
    for name, matchers in selected(query):
        if name in RECORDED:
            allowed |= LEVELS_OF_RECORDED
            continue
        if not name:
            continue
        try:
            there(name)
        except KeyError:
            return f"no built metric {name}"
        allowed |= {*labels(name), "job", "instance"}
        wrong = {label for label, _, _ in matchers} - allowed
        if wrong:
            return f"no labels {wrong} of {name}"
    return f"no labels {wrong}" if (wrong := named_labels(query) - allowed) else ""
