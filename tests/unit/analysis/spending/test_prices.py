"""What tokens cost by the table: by kind and size of the prompt; what it does not know has no price."""

import pytest

from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.analysis.spending.counters import SpendingCounts
from tmux_exporter.analysis.spending.prices import MODELS, OURS, cost_of
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import (
    Cost,
    CostSource,
    Exactness,
    Line,
    ProcessSpending,
    RequestSeen,
    Spent,
    Tokens,
    TotalSeen,
)

MILLION = 1_000_000
TOKENS = Tokens(
    input=MILLION, output=MILLION, cache_read=MILLION, cache_write_5m=MILLION, cache_write_1h=MILLION
)


@pytest.mark.parametrize(
    "name", ["claude-opus-4-8", "claude-opus-4-8-20260801", "claude-opus-4-8@20260801", "claude-opus-4-8[1m]"]
)
def test_each_kind_has_its_price_under_every_form_of_a_name(name: str) -> None:
    assert cost_of(OURS, name, TOKENS, 100) == Cost(5 + 25 + 0.5 + 6.25 + 10, 0)


def test_reasoning_is_a_part_of_the_output() -> None:
    assert cost_of(OURS, "gpt-5", Tokens(output=MILLION, reasoning=MILLION), 0) == Cost(10, 0)


@pytest.mark.parametrize(("prompt", "dollars"), [(272_000, 5), (272_001, 10)])
def test_a_large_prompt_makes_the_whole_request_dear(prompt: int, dollars: float) -> None:
    assert cost_of(OURS, "gpt-5.5", Tokens(input=MILLION), prompt) == Cost(dollars, 0)


@pytest.mark.parametrize("name", ["other", "claude-opus-4-8-fast", "x-claude-opus-4-8", "gpt-9", ""])
def test_a_model_that_is_not_in_the_table_has_no_price(name: str) -> None:
    assert cost_of(OURS, name, TOKENS, 100) == Cost(0, 5 * MILLION)


def test_a_kind_without_a_price_is_not_free() -> None:
    assert cost_of(OURS, "gpt-5", TOKENS, 100) == Cost(1.25 + 10 + 0.125, 2 * MILLION)


def test_without_the_size_of_a_prompt_only_what_does_not_depend_on_it_has_a_price() -> None:
    assert cost_of(OURS, "gpt-5.5", TOKENS, None).unpriced == 5 * MILLION
    assert cost_of(OURS, "gpt-5", Tokens(input=MILLION), None) == Cost(1.25, 0)


def test_the_table_makes_sense() -> None:
    for name, row in MODELS.items():
        assert row.price.input and row.price.output and row.price.input < row.price.output, name
        assert (row.price.cache_read or 0) < row.price.input
        assert (row.most is None) == (row.beyond is None)
        assert row.beyond is None or (row.beyond.input or 0) > row.price.input


def spent(*events: RequestSeen | TotalSeen) -> Spent:
    account = Account(0)
    account.conversation(begins=0).observe(
        Line(at=place, events=(each,)) for place, each in enumerate(events, 1)
    )
    return account.spent()


def test_a_request_that_is_written_in_parts_costs_what_its_whole_costs() -> None:
    parts = (
        RequestSeen(key="a", model="claude-opus-4-8", tokens=Tokens(input=1000, output=output))
        for output in (1, 500, 2000)
    )
    assert spent(*parts).costs["claude-opus-4-8"] == pytest.approx(Cost(0.005 + 0.05, 0))


def test_what_is_served_in_another_way_has_no_price() -> None:
    seen = RequestSeen(key="a", model="claude-opus-4-8", tokens=Tokens(input=7), usual=False)
    assert spent(seen).costs == {"claude-opus-4-8": Cost(0, 7)}


def test_counters_have_the_cost_of_what_came_since() -> None:
    process, labels = ProcessId(1, 1), ("main", "shop", "lead")
    first = RequestSeen(key="a", model="gpt-5", tokens=Tokens(output=MILLION))
    second = RequestSeen(key="b", model="gpt-9", tokens=Tokens(output=3))
    third = RequestSeen(key="c", model="gpt-5", tokens=Tokens(input=MILLION))
    counts, base = SpendingCounts(), spent(first)
    *_, shown = [
        counts.observe({process: found}, {labels: process}, at).agents[labels]
        for at, events in enumerate([(first,), (first, second), (first, second, third)])
        for found in (ProcessSpending(exactness=Exactness.EXACT, spent=spent(*events), base=base),)
    ]
    assert shown.cost_dollars == {CostSource.TABLE: pytest.approx(1.25)}
    assert shown.unpriced_tokens == 3
