"""The documents: no link into the void, no decision outside the index."""

import re
import struct
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DECISIONS = REPOSITORY / "docs" / "decisions"
PAGES = sorted(
    path.relative_to(REPOSITORY)
    for pattern in (
        "*.md", "docs/**/*.md", "deploy/**/*.md", "alerts/**/*.md", "dashboards/**/*.md", "bench/**/*.md",
    )
    for path in REPOSITORY.glob(pattern)
)  # fmt: skip


def anchors(page: Path) -> set[str]:
    """The names that a page's headings have as link targets."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", (REPOSITORY / page).read_text(), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"\s]+)", text):
        if re.match(r"https?://", link):
            continue
        target, _, anchor = link.partition("#")
        file = (REPOSITORY / page).parent / target if target else REPOSITORY / page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


def test_pictures_are_small_enough_for_a_page() -> None:
    pictures = sorted((REPOSITORY / "docs" / "images").glob("*"))
    assert {"alert.png", "page.png", "page-dark.png"} <= {each.name for each in pictures}
    for each in pictures:
        content = each.read_bytes()
        assert len(content) <= 250_000, each
        if each.suffix == ".svg":
            assert content.startswith(b"<svg "), each
            continue
        assert content.startswith(b"\x89PNG"), each
        # A header of 8 bytes, then the first chunk: its length, its type, the width.
        (width,) = struct.unpack(">I", content[16:20])
        assert width <= 2000, each


def test_the_pages_are_found() -> None:
    assert {Path("README.md"), Path("CONTRIBUTING.md"), Path("docs/design.md")} <= set(PAGES)


def test_every_decision_is_in_both_indexes() -> None:
    decisions = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert len(decisions) >= 13
    index, design = (DECISIONS / "README.md").read_text(), (REPOSITORY / "docs" / "design.md").read_text()
    # Numbers are given out in blocks where several people work at once: some may stay free.
    assert len({name[:4] for name in decisions}) == len(decisions)
    for name in decisions:
        number, text = int(name[:4]), (DECISIONS / name).read_text()
        assert text.startswith(f"# D{number}: ")
        assert re.search(r"^Status: ", text, re.MULTILINE)
        assert re.findall(r"^## (\w+)", text, re.MULTILINE)[0] == "Context"
        assert "## Evidence" in text
        assert f"[D{number}]({name})" in index
        assert f"[D{number}](decisions/{name})" in design


def test_recipes_name_files_that_exist() -> None:
    recipes = (REPOSITORY / "CONTRIBUTING.md").read_text()
    named = {each for each in re.findall(r"`([\w./-]+/[\w.-]*)`", recipes) if not each.startswith("/")}
    assert len(named) > 40
    places = (REPOSITORY, REPOSITORY / "tmux_exporter")
    assert {each for each in named if not any((place / each).exists() for place in places)} == set()
    for module in re.findall(r"python -m (tests\.[\w.]+)", recipes):
        assert (REPOSITORY / module.replace(".", "/")).with_suffix(".py").exists(), module
