"""The pages of this project, and what stands in them as code: blocks, and words in a sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parents[3]

PAGES = tuple(
    sorted(
        path.relative_to(REPOSITORY)
        for pattern in (
            "*.md",
            *(f"{each}/**/*.md" for each in ("alerts", "bench", "dashboards", "deploy", "docs", "examples")),
        )
        for path in REPOSITORY.glob(pattern)
    )
)
"""Every page for users and contributors, by its path in the repository."""

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code; `language` is empty where none is named, as in an indented block."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def first(self) -> str:
        """Its first line, by which the lists of tests name it."""
        return self.text.split("\n", 1)[0].strip()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """Each command of a block of shell, without the comment behind it; a comment alone is none."""
        joined = self.text.replace("\\\n", " ")
        found = (re.sub(r"(^|\s+)# .*$", "", line).strip() for line in joined.split("\n"))
        return [line for line in found if line]

    def queries(self) -> list[str]:
        """Each query of a block of PromQL."""
        return self.commands()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Code in a sentence."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Every fenced or indented block of a page."""
    return tuple(
        Block(page=page, line=_line(token), language=token.info.strip(), text=token.content.rstrip("\n"))
        for token in _tokens(page)
        if token.type in ("fence", "code_block")
    )


@cache
def words(page: Path) -> tuple[Words, ...]:
    """Every code span of a page, its line breaks as blanks."""
    return tuple(
        Words(page=page, line=_line(token), text=child.content)
        for token in _tokens(page)
        for child in token.children or ()
        if child.type == "code_inline"
    )


def code(page: Path) -> tuple[Block | Words, ...]:
    """All code of a page."""
    return (*blocks(page), *words(page))


def all_blocks(*languages: str) -> tuple[Block, ...]:
    """The blocks of all pages, of these languages only where some are given."""
    return tuple(
        each for page in PAGES for each in blocks(page) if not languages or each.language in languages
    )


def _tokens(page: Path) -> Iterator[Token]:
    yield from _MARKDOWN.parse((REPOSITORY / page).read_text())


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
