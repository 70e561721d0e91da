"""Policy files -> a `PolicySet`: only files that nobody else can write are believed."""

import os
import stat
from dataclasses import replace
from pathlib import Path

from tmux_exporter.config.kinds import Section
from tmux_exporter.config.load import read_tree
from tmux_exporter.config.nodes import MappingNode, Position, Problems, TooManyProblemsError
from tmux_exporter.config.records import checked, record
from tmux_exporter.errors import ConfigError
from tmux_exporter.remediator.language.build import policies_of
from tmux_exporter.remediator.language.document import DocumentDoc, check_document
from tmux_exporter.remediator.rules import PolicySet

_START = Position(1, 1)
_SUFFIXES = (".yml", ".yaml")


def load(path: str, uid: int) -> PolicySet:
    """The policies of a file, or of every file of a folder in the order of their names.

    Raises ConfigError with every mistake of every file: one with a mistake means that none is used. A file,
    and each folder that leads to it, has to belong to `uid` or root, and nobody else may write to it.
    """
    folder = Path(path)
    names = [path]
    if folder.is_dir():
        names = sorted(str(each) for each in folder.iterdir() if each.suffix in _SUFFIXES)
        if not names:
            raise ConfigError((f"{path}:1:1: no policy is in this folder; put a file *.yml into it",))
    found = [load_file(name, uid) for name in names]
    problems = [problem for each in found if not isinstance(each, PolicySet) for problem in each]
    sets = [each for each in found if isinstance(each, PolicySet)]
    problems += _doubles(names, sets)
    if problems:
        raise ConfigError(tuple(problems))
    return replace(
        sets[0],
        policies=tuple(policy for each in sets for policy in each.policies),
        per_cycle=min(each.per_cycle for each in sets),
        per_hour=min(each.per_hour for each in sets),
    )


def load_file(path: str, uid: int) -> PolicySet | tuple[str, ...]:
    """The policies of one file, or what is wrong with it."""
    problems = Problems(path)
    _check_ownership(Path(path), uid, problems)
    try:
        root = read_tree(problems)
        made = None
        if isinstance(root, MappingNode):
            document = record(DocumentDoc, root, "file", problems)
            section = Section(of=DocumentDoc, check=check_document)
            made = checked(section, document, root, "file", problems)
        elif not problems.found:
            problems.add(_START, "the file holds no policies; begin it with apiVersion: tmux-exporter/v1")
    except TooManyProblemsError:
        made = None
    if problems.found or not isinstance(made, DocumentDoc):
        return problems.lines()
    return policies_of(made)


def _doubles(names: list[str], sets: list[PolicySet]) -> list[str]:
    if len(names) != len(sets):
        return []
    seen: dict[str, str] = {}
    return [
        f"{path}:1:1: policy '{policy.name}' is also in {first}; give it another name"
        for path, each in zip(names, sets, strict=True)
        for policy in each.policies
        if (first := seen.setdefault(policy.name, path)) != path
    ]


def _check_ownership(path: Path, uid: int, problems: Problems) -> None:
    """Note whoever else could have written the file, or could put another in its place."""
    try:
        real = path.resolve(strict=True)
        places = (real, *real.parents)
        found = [(place, os.stat(place)) for place in places]
    except OSError:
        # To read it fails as well, and says why.
        return
    for place, facts in found:
        what = "this file" if place == real else f"the folder {place}"
        if facts.st_uid not in (0, uid):
            problems.add(_START, f"{what} belongs to uid {facts.st_uid}; give it to uid {uid} or to root")
        # In a folder such as /tmp others can make files, but not replace one of ours.
        elif facts.st_mode & 0o022 and not (stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX):
            problems.add(_START, f"{what} can be written by others; run: chmod go-w {place}")
