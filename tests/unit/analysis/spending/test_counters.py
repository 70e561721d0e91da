"""Counters of spending: under labels, from 0, never lower."""

from dataclasses import replace

from tmux_exporter.analysis.spending.counters import SpendingCounts
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import (
    AgentSpending,
    Cost,
    CostSource,
    Exactness,
    ProcessSpending,
    Spent,
    TokenKind,
    Tokens,
)

A, B = ProcessId(1, 10), ProcessId(2, 20)
LEAD, TEST = ("main", "shop", "lead"), ("main", "shop", "test")


def says(output: int, base: int = 0, requests: int = 0) -> ProcessSpending:
    return ProcessSpending(
        exactness=Exactness.EXACT,
        spent=Spent(tokens={"m": Tokens(output=output)} if output else {}, requests=requests),
        base=Spent(tokens={"m": Tokens(output=base)} if base else {}),
    )


def output(found: AgentSpending | None) -> int | None:
    return None if found is None else found.tokens.get(("output", "m"))


def test_a_kind_of_a_model_appears_with_0_before_it_counts() -> None:
    counts = SpendingCounts()
    assert counts.observe({A: says(0)}, {LEAD: A}, 1).agents[LEAD].tokens == {}
    assert counts.observe({A: says(30)}, {LEAD: A}, 2).agents[LEAD].tokens == {("output", "m"): 0}
    assert counts.observe({A: says(30)}, {LEAD: A}, 3).agents[LEAD].tokens == {("output", "m"): 30}


def test_what_was_spent_before_we_began_is_not_counted() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(1000, base=1000)}, {LEAD: A}, 1)
    counts.observe({A: says(1007, base=1000)}, {LEAD: A}, 2)
    assert output(counts.observe({A: says(1009, base=1000)}, {LEAD: A}, 3).agents[LEAD]) == 9


def test_counters_go_on_under_the_labels_of_an_agent_that_is_started_again() -> None:
    counts = SpendingCounts()
    for at, spent in ((1, 30), (2, 30)):
        counts.observe({A: says(spent)}, {LEAD: A}, at)
    assert output(counts.observe({}, {LEAD: None}, 3).agents[LEAD]) == 30
    assert output(counts.observe({B: says(0)}, {LEAD: B}, 4).agents[LEAD]) == 30
    assert output(counts.observe({B: says(12)}, {LEAD: B}, 5).agents[LEAD]) == 42


def test_what_is_spent_after_a_rename_goes_to_the_new_name() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(10), B: says(1)}, {LEAD: A, TEST: B}, 1)
    counts.observe({A: says(10), B: says(1)}, {LEAD: B, TEST: A}, 2)
    found = counts.observe({A: says(15), B: says(1)}, {LEAD: B, TEST: A}, 3).agents
    assert (output(found[LEAD]), output(found[TEST])) == (10, 6)


def test_a_file_that_was_unknown_for_a_while_counts_nothing_of_that_while() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(10)}, {LEAD: A}, 1)
    counts.observe({}, {LEAD: A}, 2)
    assert output(counts.observe({A: says(500, base=500)}, {LEAD: A}, 3).agents[LEAD]) == 10


def test_labels_that_are_gone_for_long_begin_at_0() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(10, requests=1)}, {LEAD: A}, 1)
    counts.observe({}, {}, 2)
    counts.observe({}, {}, 2000)
    assert counts.observe({B: says(0)}, {LEAD: B}, 2001).agents[LEAD].requests == 0


def test_what_a_process_spent_last_goes_to_the_labels_that_it_had() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(10)}, {LEAD: A}, 1)
    counts.observe({A: says(10)}, {LEAD: A}, 2)
    # The last lines are read when it has ended, and another one may run there by then.
    ended = counts.observe({A: says(17)}, {LEAD: None}, 3).agents[LEAD]
    assert output(ended) == 17 and ended.since_start == Spent() and not ended.whole
    assert output(counts.observe({A: says(19), B: says(5)}, {LEAD: B}, 4).agents[LEAD]) == 24
    assert output(counts.observe({A: says(19), B: says(5)}, {LEAD: B}, 5).agents[LEAD]) == 24


def test_an_agent_that_runs_and_whose_file_is_not_known_shows_nothing() -> None:
    counts = SpendingCounts()
    counts.observe({A: says(10)}, {LEAD: A}, 1)
    assert counts.observe({}, {LEAD: A}, 2).agents == {}


def test_a_session_has_what_all_its_agents_spent_also_those_that_are_gone() -> None:
    counts = SpendingCounts()
    session = LEAD[:2]
    counts.observe({A: says(10), B: says(1)}, {LEAD: A, TEST: B}, 1)
    found = counts.observe({B: says(5)}, {TEST: B}, 2)
    assert found.sessions[session].tokens[TokenKind.OUTPUT] == 15
    # The counters of the one that is gone expire, those of its session do not.
    later = counts.observe({B: says(5)}, {TEST: B}, 9000)
    assert [*later.agents] == [TEST]
    assert counts.observe({B: says(7)}, {TEST: B}, 9001).sessions[session].tokens[TokenKind.OUTPUT] == 17


def test_what_is_spent_counts_for_the_state_of_its_sample() -> None:
    counts = SpendingCounts()
    shown: AgentSpending | None = None
    # By the table first; then the program itself says what it costs.
    costs = (Cost(1.0), Cost(1.5), Cost(1.5, own=0.25))
    states = (AgentState.WORKING, AgentState.WAITING, AgentState.WAITING)
    for at, (cost, state) in enumerate(zip(costs, states, strict=True)):
        spent = Spent(tokens={"m": Tokens(output=1)}, costs={"m": cost})
        found = {A: ProcessSpending(exactness=Exactness.EXACT, spent=spent, base=Spent())}
        shown = counts.observe(found, {LEAD: A}, at, {LEAD: state}).agents[LEAD]
    assert shown is not None and shown.state_cost_dollars == {
        AgentState.WORKING: 1.0,
        AgentState.WAITING: 0.75,
    }


def test_the_sum_of_a_process_is_told_where_all_of_it_is_known() -> None:
    spent = Spent(
        tokens={"m": Tokens(output=3), "n": Tokens(output=4)}, costs={"m": Cost(1.0), "n": Cost(0.5)}
    )
    whole = ProcessSpending(exactness=Exactness.EXACT, spent=spent, base=spent, whole=True)

    def shown(spending: ProcessSpending) -> AgentSpending:
        return SpendingCounts().observe({A: spending}, {LEAD: A}, 1).agents[LEAD]

    told = shown(whole)
    assert told.session_tokens is not None and told.session_tokens[TokenKind.OUTPUT] == 7
    assert told.session_cost_dollars == {CostSource.TABLE: 1.5}
    part = shown(replace(whole, whole=False))
    assert (part.session_tokens, part.session_cost_dollars) == (None, None)
    unpriced = shown(replace(whole, spent=replace(spent, costs={"m": Cost(1.0, 4)})))
    assert unpriced.session_tokens is not None and unpriced.session_cost_dollars is None
