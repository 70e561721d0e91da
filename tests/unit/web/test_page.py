"""The live page's files: complete, of one origin, safe with foreign names, true to the report, readable."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from tests.support.literals.report import example_report
from tmux_exporter.facts.agents import AgentState, HelperKind, StateSource, WaitingReason
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.schedulers import SchedulerRemark, SchedulerState
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.metrics.report_json import render
from tmux_exporter.web.responses import INDEX, load_pages

FOLDER = files("tmux_exporter.web") / "assets"
FILES = {each.name: each.read_text(encoding="utf-8") for each in FOLDER.iterdir()}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}


def test_every_file_is_served_and_every_file_that_is_asked_for_is_there() -> None:
    served = {path.removeprefix("/assets/") for path in load_pages().assets}
    assert served | {INDEX} == set(FILES)
    asked = set(re.findall(r'(?:src|href)="assets/([^"]+)"', FILES[INDEX]))
    asked |= {name for text in SCRIPTS.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    # The runbooks ask for theirs.
    assert asked | {"runbook.css"} == served


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, text in FILES.items():
        addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+[^\s\"')]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name


@pytest.mark.parametrize(
    "word",
    [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser",
        "srcdoc", "createContextualFragment", 'setTimeout("', "javascript:",
    ],
)  # fmt: skip
def test_no_script_turns_text_into_markup_or_code(word: str) -> None:
    assert [name for name, text in SCRIPTS.items() if word in text] == []


def test_the_page_needs_nothing_that_its_policy_forbids() -> None:
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", FILES[INDEX]) == []


def test_every_element_that_a_script_looks_up_is_on_the_page() -> None:
    wanted = {name for text in SCRIPTS.values() for name in re.findall(r'byId\("([^"]+)"\)', text)}
    assert wanted
    assert wanted <= set(re.findall(r'\sid="([^"]+)"', FILES[INDEX]))


def keys_of(script: str, constant: str) -> set[str]:
    table = re.search(rf"const {constant} = \{{\n(.*?)\n\}};", script, re.DOTALL)
    assert table is not None
    return set(re.findall(r"^  (\w+):", table[1], re.MULTILINE))


def test_every_member_of_a_closed_list_has_its_words() -> None:
    assert keys_of(FILES["words.js"], "FATES") == {str(state) for state in SchedulerState}
    assert keys_of(FILES["words.js"], "REMARKS") == {str(remark) for remark in SchedulerRemark}
    assert keys_of(FILES["words.js"], "FAILURES") == {str(reason) for reason in QueryFailure}
    assert keys_of(FILES["words.js"], "KINDS") == {str(kind) for kind in LeakKind}
    assert keys_of(FILES["words.js"], "STATES") == {str(state) for state in AgentState}
    assert keys_of(FILES["words.js"], "REASONS") == {str(reason) for reason in WaitingReason}
    assert keys_of(FILES["words.js"], "SOURCES") == {str(source) for source in StateSource}


def test_the_state_of_an_agent_says_who_told_it() -> None:
    states = re.search(
        r'id: "state",\n\s+title: "State",\n\s+hint: "What it does.*?\n      \},',
        FILES["sections.js"],
        re.DOTALL,
    )
    assert states
    assert re.search(r"title: `[^`]*\$\{SOURCES\[agent\.state_source\]", states[0])


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


def test_every_figure_that_the_page_reads_is_in_the_report() -> None:
    names = {
        name
        for text in (FILES["sections.js"], FILES["background.js"], FILES["columns.js"], FILES["app.js"])
        for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)
    }
    assert len(names) > 15
    lists = (*SchedulerState, *SchedulerRemark, *WaitingReason, *StateSource, *LeakKind, *HelperKind)
    words = {str(word) for word in lists} | {"tmux_exporter"}
    assert names - words <= keys_in(json.loads(render(example_report())))


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("text", "page"), ("text", "card"), ("text", "plain"), ("text", "hover"), ("quiet", "page"),
        ("quiet", "card"), ("quiet", "hover"), ("good-text", "good"), ("warn-text", "warn"),
        ("bad-text", "bad"), ("warn-text", "card"), ("bad-text", "card"), ("bad-text", "page"),
    ],
)  # fmt: skip
def test_text_stands_out_from_its_ground(scheme: int, text: str, ground: str) -> None:
    """WCAG AA: a contrast of 4.5 in light (the first block of colours) and dark (the second)."""
    block = re.findall(r":root \{(.*?)\}", FILES["style.css"], re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    bright, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
