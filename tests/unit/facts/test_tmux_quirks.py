"""The table of tmux versions: its ranges, its tests and its page; no other file compares versions."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tmux.quirks_page import render
from tmux_exporter.facts import tmux_quirks
from tmux_exporter.facts.tmux_quirks import QUIRKS, Quirk

REPOSITORY = Path(__file__).parents[3]
PACKAGE = REPOSITORY / "tmux_exporter"
TABLE = PACKAGE / "facts" / "tmux_quirks.py"
FOLDERS = ("tmux_exporter", "tests", "bench")
# These name versions of agents.
OF_AGENTS = ("sources/agents/", "commands/demo/")


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("3.1c", (3, 1)), ("3.3a", (3, 3)), ("3.8", (3, 8)), ("next-3.8", (3, 8)), ("2.7-rc", (2, 7)),
        ("3.4-rc2", (3, 4)), ("3.5a-1local", (3, 5)), ("10.0", (10, 0)), ("3.40", (3, 40)), ("master", None),
        ("openbsd-7.5", None), ("", None), ("3.3a\n", None), ("3", None), (None, None),
    ],
)  # fmt: skip
def test_a_range_includes_both_of_its_ends(version: str | None, release: tuple[int, int] | None) -> None:
    def holds(since: tuple[int, int] | None, last: tuple[int, int] | None) -> bool:
        return Quirk(since=since, last=last, effect="", used_by=(), tests=()).holds(version)

    assert holds(None, None) == (release is not None)
    if release is None:
        assert not holds((0, 0), None)
        return
    major, minor = release
    before, after = (major, minor - 1), (major, minor + 1)
    assert holds(release, None)
    assert holds(None, release)
    assert holds(release, release)
    assert not holds(after, None)
    assert not holds(None, before)


def test_the_table_holds_every_row_under_its_name() -> None:
    named = {name: value for name, value in vars(tmux_quirks).items() if isinstance(value, Quirk)}
    assert named == QUIRKS
    assert list(named) == list(QUIRKS)


@pytest.mark.parametrize("name", QUIRKS)
def test_each_row_names_tests_that_exist(name: str) -> None:
    for test in QUIRKS[name].tests:
        file, _, function = test.partition("::")
        assert f"\ndef {function}(" in (REPOSITORY / "tests" / file).read_text(), test


@pytest.mark.parametrize("name", QUIRKS)
def test_each_row_names_the_files_that_name_it(name: str) -> None:
    naming = {
        str(each.relative_to(PACKAGE))
        for each in PACKAGE.rglob("*.py")
        if each != TABLE and re.search(rf"\b{name}\b", each.read_text())
    }
    assert naming == set(QUIRKS[name].used_by)


def comparisons(source: str) -> Iterator[str]:
    """Comparisons that order versions or releases, or look one up among literals."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [_named(each) for each in (node.left, *node.comparators)]
        ordered = any(isinstance(each, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for each in node.ops)
        numbers = any(re.search(r"^\(*\d+, \d+\)", each) for each in sides)
        if (ordered or numbers) and any(re.search("version|release", each.lower()) for each in sides):
            yield ast.unparse(node)


def _named(node: ast.expr) -> str:
    """The name of a value or of the function that gives it; numbers in tuples as they are."""
    if isinstance(node, ast.Call):
        return _named(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Tuple) else ""


def words_on_versions(source: str) -> Iterator[str]:
    """Comments and texts that name a tmux release."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) and re.search(
            r"(?<![\w.])[23]\.(?:0[a-z]|[1-9][a-z]?)(?!\w|\.\d)", token.string
        ):
            yield token.string


@pytest.mark.parametrize(
    "source",
    [
        "if server.release >= (3, 3): pass",
        "x = parse_version(text) < OLDEST",
        "y = server.release in ((3, 4), (3, 5))",
    ],
)
def test_a_comparison_of_versions_is_found(source: str) -> None:
    assert list(comparisons(source))


@pytest.mark.parametrize("source", ['"""Dies of it up to 3.5a."""', "x = 1  # from tmux 3.7 on", 're("3.4")'])
def test_a_version_in_words_is_found(source: str) -> None:
    assert list(words_on_versions(source))


def test_versions_are_compared_in_no_other_place() -> None:
    found = {
        f"{each.relative_to(REPOSITORY)}: {comparison}"
        for folder in FOLDERS
        for each in (REPOSITORY / folder).rglob("*.py")
        if each != TABLE
        for comparison in comparisons(each.read_text())
    }
    assert found == set()


def test_versions_are_named_in_no_other_file_of_the_package() -> None:
    found = {
        f"{each.relative_to(PACKAGE)}: {words}"
        for each in PACKAGE.rglob("*.py")
        if each != TABLE and not str(each.relative_to(PACKAGE)).startswith(OF_AGENTS)
        for words in words_on_versions(each.read_text())
    }
    assert found == set()


def test_the_page_is_made_of_the_table() -> None:
    page = REPOSITORY / "docs" / "tmux-versions.md"
    assert page.read_text().splitlines() == render().splitlines(), "run `make docs`"
