"""The runbooks as the exporter serves them."""

import html
import re
import subprocess

import pytest

from tests.support.pages.runbook_pages import PAGES
from tmux_exporter.web.runbooks import runbook

HOSTILE = "a'b $(touch planted) <script>\n&"


def text(path: str, **query: str) -> str:
    answer = runbook(path, {name: [value] for name, value in query.items()})
    assert answer is not None
    return answer.body.decode()


@pytest.mark.parametrize("name", [page.stem for page in PAGES])
def test_each_page_is_there_with_and_without_its_ending(name: str) -> None:
    assert f"<pre># {name}\n" in text(f"/runbooks/{name}")
    assert text(f"/runbooks/{name}.md") == text(f"/runbooks/{name}")


def test_the_index_leads_to_all_pages() -> None:
    linked = re.findall(r'href="/runbooks/(\w+)"', text("/runbooks/"))
    assert {page.stem for page in PAGES} <= {*linked}


def test_the_names_of_an_alert_stand_in_its_commands_and_links() -> None:
    page = text("/runbooks/TmuxServerNotAnswering", server="fleet", session="web")
    assert "timeout 5 tmux -L fleet ls" in page
    assert "SERVER" not in page
    assert 'href="/runbooks/TmuxServerEnded?server=fleet&amp;session=web"' in page
    assert "tmux -S /tmp/s ls" in text("/runbooks/TmuxServerNotAnswering", server="/tmp/s")


def test_a_name_from_outside_is_one_word_and_no_markup() -> None:
    page = text("/runbooks/TmuxServerNotAnswering", server=HOSTILE)
    assert "<script>" not in page
    (line,) = re.findall(r"^timeout 5 tmux -L (.*) ls$", html.unescape(page), re.MULTILINE)
    shown = subprocess.run(["sh", "-c", f"printf %s {line}"], capture_output=True, text=True, check=True)
    assert shown.stdout == HOSTILE.replace("\n", "?")


@pytest.mark.parametrize("path", ["/runbooks/Nothing", "/runbooks/../pyproject.toml", "/runbooks/%2e"])
def test_nothing_else_is_served(path: str) -> None:
    assert runbook(path, {}) is None
