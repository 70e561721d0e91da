"""docs/safety.md against the code: each promise's test is there, and fails without the promise's guard."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.gates.mutants import MUTANTS, VARIABLE
from tests.support.processes.run_text import run_text
from tmux_exporter.remediator.decide import last_checks, vetoes

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "safety.md").read_text()

VETOES = "tests/unit/remediator/decide/test_vetoes.py"
PROOFS = "tests/unit/remediator/decide/test_last_checks.py"


class Promise(NamedTuple):
    """A guard, and the test that proves it: file and function, the latter empty where rows bear its name."""

    guard: str
    file: str
    test: str = ""


def promised() -> list[Promise]:
    rows = re.findall(r"^\| .* \| `(tests/[\w/]+\.py)::(\w+)` \| `([\w.]+)` \|$", PAGE, re.MULTILINE)
    return [Promise(guard=guard, file=file, test=test) for file, test, guard in rows]


def never_touched() -> list[Promise]:
    guards = re.findall(r"^\| [^|]* \| `((?:vetoes|last_checks)\.\w+)` \|$", PAGE, re.MULTILINE)
    return [Promise(guard=each, file=VETOES if each.startswith("vetoes") else PROOFS) for each in guards]


ALL = [*promised(), *never_touched()]
SOME = ("vetoes.sees_its_servers", "last_checks.are_no_tmux", "cycle.OBSERVATIONS")


def test_the_page_says_each_guard_once_and_every_guard_there_is() -> None:
    assert sorted([each.guard for each in ALL]) == sorted(MUTANTS)
    assert len(never_touched()) == len(vetoes.VETOES) + len(last_checks.LAST_CHECKS)
    tables = re.findall(r"^\| [^\n]*\| guard \|\n\| --- [^\n]*\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE)
    rows = [line for each in tables for line in each.splitlines()]
    assert len(rows) == len(ALL), "a row is not understood"


def test_every_test_that_the_page_names_is_there() -> None:
    named = {(file, test) for file, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)}
    assert len(named) > 10
    for file, test in named:
        tree = ast.parse((REPOSITORY / file).read_text())
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        assert not test or test in functions, f"{file}::{test}"


def proven(promise: Promise, mutant: str) -> subprocess.CompletedProcess[str]:
    """Run what proves a promise, without the guard `mutant` if that is one."""
    chosen = (
        [f"{promise.file}::{promise.test}"] if promise.test else [promise.file, "-k", f"{_name(promise)}-"]
    )
    return run_text(
        [
            sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.support.gates.mutants", "-p", "no:xdist",
            *chosen,
        ],
        cwd=REPOSITORY,
        env={**os.environ, VARIABLE: mutant},
        timeout=300,
    )  # fmt: skip


def _name(promise: Promise) -> str:
    return promise.guard.partition(".")[2]


def fails_without_its_guard(promise: Promise) -> None:
    done = proven(promise, promise.guard)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " failed" in done.stdout and "error" not in done.stdout.splitlines()[-1], done.stdout


@pytest.mark.parametrize("promise", [each for each in ALL if each.guard in SOME], ids=lambda each: each.guard)
def test_a_promise_is_not_kept_without_its_guard(promise: Promise) -> None:
    fails_without_its_guard(promise)


def test_with_its_guard_a_promise_is_kept() -> None:
    done = proven(next(each for each in ALL if each.guard == SOME[0]), "")
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout


@pytest.mark.long
@pytest.mark.timeout(320)
@pytest.mark.parametrize("promise", ALL, ids=lambda each: each.guard)
def test_no_promise_is_kept_without_its_guard(promise: Promise) -> None:
    fails_without_its_guard(promise)
