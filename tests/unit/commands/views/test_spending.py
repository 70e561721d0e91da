"""What agents have spent as a table and as data: by agent, session and model, with what is not known."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.report import NOW, agent, example_report
from tests.support.literals.spending import SPENDING
from tmux_exporter.commands.views.spending import as_dict, as_text
from tmux_exporter.facts.spending import Cost, Spent, Tokens
from tmux_exporter.metrics.report_json import render

LEAD = replace(
    SPENDING,
    whole=True,
    context_window_tokens=10_000,
    since_start=Spent(
        tokens={"opus-1": Tokens(input=18, output=609, cache_read=25_000, cache_write_1h=189)},
        costs={"opus-1": Cost(1.5, 0)},
        requests=4,
        turns=2,
    ),
)
TEST = replace(
    SPENDING,
    whole=False,
    context_tokens=None,
    last_prompt_timestamp_seconds=None,
    since_start=Spent(
        tokens={"opus-1": Tokens(output=1), "new-1": Tokens(output=5, input=1_250_000)},
        costs={"opus-1": Cost(2.25, 0), "new-1": Cost(0, 1_250_005)},
        requests=2,
        turns=1,
    ),
)


def found(by: str = "agent") -> dict[str, Any]:
    agents = (
        replace(agent("main", "shop", "lead", "%0", program="claude", scale=1), spending=LEAD),
        replace(agent("main", "shop", "test", "%1", program="codex", scale=2), spending=TEST),
        agent("main", "docs", "writer", "%2", program="gemini", scale=3),
        replace(agent("main", "docs", "gone", "%3", program="claude", scale=4), pid=None),
    )
    return as_dict(json.loads(render(replace(example_report(), agents=agents, timestamp=NOW))), by)


def test_the_dearest_agent_is_first_and_what_is_not_known_last() -> None:
    text = as_text(found())
    assert [line.split() for line in text.splitlines()[1:4]] == [
        ["main", "shop", "test", "codex", "working", "2", "1.25M", "0", "0", "6", "$2.25+", "?", "?"],
        *(
            [
                [
                    "main",
                    "shop",
                    "lead",
                    "claude",
                    "working",
                    "4",
                    "18",
                    "25.0k",
                    "189",
                    "609",
                    "$1.50",
                    "1115",
                    "11%",
                    "1m",
                    "30s",
                ]
            ]
        ),
        ["main", "docs", "writer", "gemini", "working", *"????????"],
    ]
    assert "2026-12-01" in text and "  +  at least" in text and "  ?  its program" in text


def test_sums_of_a_session_say_what_they_lack() -> None:
    shop, docs = found("session")["rows"]
    assert (shop["session"], shop["agents"], shop["requests"], shop["output"]) == ("shop", 2, 6, 615)
    assert (shop["cost_dollars"], shop["unpriced_tokens"], shop["whole"]) == (3.75, 1_250_005, False)
    assert (docs["agents"], docs["output"], docs["cost_dollars"], docs["whole"]) == (1, None, None, False)


def test_by_model() -> None:
    opus, new = found("model")["rows"]
    assert (opus["model"], opus["agents"], opus["output"], opus["cost_dollars"]) == ("opus-1", 2, 610, 3.75)
    assert (new["model"], new["agents"], new["cost_dollars"], new["unpriced_tokens"]) == (
        *("new-1", 1, 0.0),
        1_250_005,
    )
    assert "REQUESTS" not in as_text(found("model"))


def test_data_has_the_figures_of_an_agent_under_their_names() -> None:
    row = found()["rows"][1]
    assert row["agent"] == "lead" and row["exactness"] == "exact" and row["whole"] is True
    assert (row["context_tokens"], row["context_window_tokens"]) == (1115, 10_000)
    assert row["last_prompt_timestamp_seconds"] == NOW - 90


@pytest.mark.parametrize("by", ["agent", "session", "model"])
def test_without_agents(by: str) -> None:
    document = json.loads(render(replace(example_report(), agents=())))
    assert as_text(as_dict(document, by)).startswith("no agent runs")


def test_a_report_of_an_older_exporter_tells_nothing_of_it() -> None:
    document = json.loads(render(example_report()))
    for each in document["agents"]:
        del each["spending"]
    assert {row["requests"] for row in as_dict(document, "agent")["rows"]} == {None}


def test_what_has_no_price_at_all_is_not_told_to_cost_nothing() -> None:
    assert "no price" in as_text(found("model")) and "$0.00" not in as_text(found("model"))
