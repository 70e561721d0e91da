"""Load policy files into a `PolicySet`; files that other users can write are refused."""

import contextlib
import os
import stat
from dataclasses import replace
from pathlib import Path

from tmux_exporter.base.errors import ConfigError
from tmux_exporter.config.load import read_tree
from tmux_exporter.config.nodes import (
    ListNode,
    MappingNode,
    Node,
    Position,
    Problems,
    ScalarNode,
    TooManyProblemsError,
)
from tmux_exporter.config.records import record
from tmux_exporter.facts.cgroups import ThrottleMeans
from tmux_exporter.facts.remediation import Action
from tmux_exporter.remediator.policies.actions import is_bound_by_cgroup
from tmux_exporter.remediator.policies.build import policies_of
from tmux_exporter.remediator.policies.document import DocumentDoc
from tmux_exporter.remediator.policies.policy import PolicySet

ANY_MEANS = ThrottleMeans(problem="")
"""Of a machine that can hold every throttle."""

_START = Position(1, 1)
_SUFFIXES = (".yml", ".yaml")


def load(path: str, uid: int, means: ThrottleMeans = ANY_MEANS) -> PolicySet:
    """The policies of a file, or of every file of a folder in the order of their names.

    Raises ConfigError with every mistake of every file: one with a mistake means that none is used. A file,
    and each folder that leads to it, has to belong to `uid` or root, and nobody else may write to it.
    `means` is what this machine offers for a throttle.
    """
    folder = Path(path)
    names = [path]
    if folder.is_dir():
        names = sorted(str(each) for each in folder.iterdir() if each.suffix in _SUFFIXES)
        if not names:
            raise ConfigError((f"{path}:1:1: no policy is in this folder; put a file *.yml into it",))
    found = [load_file(name, uid, means) for name in names]
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
        remarks=tuple(remark for each in sets for remark in each.remarks),
        unable=tuple(problem for each in sets for problem in each.unable),
    )


def load_file(path: str, uid: int, means: ThrottleMeans = ANY_MEANS) -> PolicySet | tuple[str, ...]:
    """The policies of one file, or what is wrong with it."""
    problems = Problems(path)
    _check_ownership(Path(path), uid, problems)
    root, made = None, None
    try:
        root = read_tree(problems)
        if isinstance(root, MappingNode):
            made = record(DocumentDoc, root, "file", problems)
        elif not problems.found:
            problems.add(_START, "the file holds no policies; begin it with apiVersion: tmux-exporter/v1")
    except TooManyProblemsError:
        made = None
    if problems.found or not isinstance(made, DocumentDoc):
        return problems.lines()
    return replace(
        policies_of(made), remarks=_remarks(path, root, made), unable=_unable(path, root, made, means)
    )


def _unable(path: str, root: Node | None, made: DocumentDoc, means: ThrottleMeans) -> tuple[str, ...]:
    """The throttles of a file that this machine cannot hold, with their places."""
    found = Problems(path)
    with contextlib.suppress(TooManyProblemsError):
        for node, policy in zip(_items(root, "policies"), made.policies, strict=True):
            for step, action in zip(_items(node, "actions"), policy.actions, strict=True):
                problem = means.lacking(
                    bounded=is_bound_by_cgroup(action), pause=action.pause, whole_pane=action.whole_pane
                )
                if action.do is Action.THROTTLE and problem:
                    text = f"this machine cannot hold this throttle: {problem}"
                    found.add(step.at, f"policy '{policy.name}': {text}")
    return found.lines()


def _remarks(path: str, root: Node | None, made: DocumentDoc) -> tuple[str, ...]:
    """What of a file has no effect, with its place; made from the same nodes as the document."""
    remarks = Problems(path)
    with contextlib.suppress(TooManyProblemsError):
        for node, policy in zip(_items(root, "policies"), made.policies, strict=True):
            name = f"policy '{policy.name}'"
            if policy.match.cmdline_sha256 == ():
                text = (
                    "matches nothing: its cmdline_sha256 is empty; check-config --against-live shows hashes"
                )
                remarks.add(node.at, f"{name} {text}")
    return remarks.lines()


def _items(node: Node | None, key: str) -> tuple[Node, ...]:
    """The items of a list below a key of a mapping."""
    for each, value in node.entries if isinstance(node, MappingNode) else ():
        if isinstance(each, ScalarNode) and each.text == key and isinstance(value, ListNode):
            return value.items
    return ()


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
    """Refuse a file that another user could write or replace."""
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
        # In a sticky folder such as /tmp others cannot replace our file.
        elif facts.st_mode & 0o022 and not (stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX):
            problems.add(_START, f"{what} can be written by others; run: chmod go-w {place}")
