"""What a process has spent: each request once, whatever its files repeat, copy or leave half."""

import pytest

from tmux_exporter.analysis.spending.account import MOST_MODELS, Account
from tmux_exporter.facts.spending import (
    ContextSeen,
    Event,
    LimitSeen,
    Line,
    Occasion,
    Quota,
    QuotaSeen,
    RequestSeen,
    Spent,
    Tokens,
    ToolResult,
    ToolSeen,
    TotalSeen,
)

SINCE = 1000.0


def request(key: str, output: int = 10, *, model: str = "m", context: int | None = None) -> RequestSeen:
    return RequestSeen(key=key, model=model, tokens=Tokens(input=5, output=output), context=context)


def at(when: float, *events: Event) -> Line:
    return Line(at=SINCE + when, events=events)


def totals(*outputs: int) -> list[Line]:
    found = (TotalSeen(model="m", total=Tokens(output=each)) for each in outputs)
    return [at(place, each) for place, each in enumerate(found, 1)]


def spent(*lines: Line, begins: float | None = SINCE) -> Spent:
    account = Account(SINCE)
    account.conversation(begins=begins).observe(lines)
    return account.spent()


def test_a_request_that_is_written_with_more_and_more_counts_once_with_its_most() -> None:
    first, other, most, less = request("a", 1), request("b"), request("a", 40), request("a", 9)
    found = spent(at(1, first), at(2, other), at(3, most), at(4, less))
    assert found.tokens == {"m": Tokens(input=10, output=50)}
    assert found.requests == 2


def test_what_was_written_before_the_process_started_is_anothers() -> None:
    assert spent(at(-1, request("a"), Occasion.PROMPT), at(1, request("b"))).requests == 1
    assert spent(at(-1, Occasion.PROMPT)).last_prompt is None


def test_a_copy_in_another_file_of_the_process_is_the_same_request() -> None:
    account = Account(SINCE)
    account.conversation().observe([at(1, request("a"))])
    account.conversation().observe([at(2, request("a")), at(3, request("b"))])
    assert account.spent().requests == 2


def test_a_file_that_is_read_anew_counts_what_is_new_in_it() -> None:
    account = Account(SINCE)
    conversation = account.conversation()
    written = [at(place, request(f"r{place}"), Occasion.TURN) for place in range(1, 1000)]
    conversation.observe(written)
    conversation.again()
    conversation.observe([*written, at(1000, request("r1000"), Occasion.TURN)])
    assert (account.spent().requests, account.spent().turns) == (1000, 1000)


def test_a_total_counts_what_it_grows_by_and_repeats_count_nothing() -> None:
    assert spent(*totals(10, 10, 30, 30)).tokens == {"m": Tokens(output=30)}
    assert spent(*totals(10, 10, 30, 30)).requests == 2


def test_a_total_that_was_replaced_by_less_begins_anew_there() -> None:
    assert spent(*totals(100, 0, 0, 20)).tokens == {"m": Tokens(output=120)}


def test_the_first_total_of_a_file_that_is_read_from_within_counts_nothing() -> None:
    assert spent(*totals(900, 930), begins=None).tokens == {"m": Tokens(output=30)}


def test_totals_of_before_are_where_those_of_this_process_begin() -> None:
    before = at(-5, TotalSeen(model="m", total=Tokens(output=900)))
    assert spent(before, *totals(930)).tokens == {"m": Tokens(output=30)}


def test_a_history_that_was_copied_with_new_times_counts_nothing() -> None:
    copied = [at(0.1 * place, *line.events) for place, line in enumerate(totals(500, 900))]
    assert spent(*copied, *totals(0, 950)[1:], begins=SINCE + 1).tokens == {"m": Tokens(output=50)}


def test_context_is_that_of_the_last_request_and_unknown_after_a_compaction() -> None:
    filled = [at(1, request("a", context=100)), at(2, request("b", context=300))]
    assert spent(*filled, at(1.5, request("c", context=200))).context_tokens == 300
    assert spent(*filled, at(3, request("side"))).context_tokens == 300
    compacted = spent(*filled, at(3, Occasion.COMPACTION))
    assert (compacted.context_tokens, compacted.compactions) == (None, 1)
    assert spent(*filled, at(3, ContextSeen(tokens=7, window=9)), at(4, ContextSeen())).context_tokens == 7
    assert spent(at(3, ContextSeen(window=9)), at(4, ContextSeen())).context_window_tokens == 9


def test_a_tool_call_ends_once() -> None:
    ended = [at(place, ToolSeen(key=key, result=ToolResult.ERROR)) for place, key in enumerate("aab")]
    assert spent(*ended).tool_calls == {ToolResult.OK: 0, ToolResult.ERROR: 2}


def test_models_without_end_share_a_name() -> None:
    found = spent(*(at(place, request(f"r{place}", model=f"m{place}")) for place in range(100)))
    assert len(found.tokens) == MOST_MODELS + 1
    assert found.tokens["other"].input == 5 * (100 - MOST_MODELS)


def test_a_quota_is_what_was_told_last_of_each_window() -> None:
    seen = spent(
        at(5, QuotaSeen(window="5h", used_ratio=0.5, reset=SINCE + 100)),
        at(2, QuotaSeen(window="5h", used_ratio=0.4), QuotaSeen(window="7d", used_ratio=0.1)),
    )
    assert seen.quotas == {
        "5h": Quota(used_ratio=0.5, reset=SINCE + 100, observed=SINCE + 5),
        "7d": Quota(used_ratio=0.1, reset=None, observed=SINCE + 2),
    }


@pytest.mark.parametrize("event", [request("a"), Occasion.PROMPT])
def test_a_limit_is_over_with_what_is_asked_or_answered_after_it(event: Event) -> None:
    limited = at(3, LimitSeen(reset=SINCE + 99))
    assert spent(limited).limit_reset == SINCE + 99
    assert spent(at(2, event), limited).limited_since == SINCE + 3
    assert spent(limited, at(4, event)).limited_since is None
