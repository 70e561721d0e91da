"""The question for what panes show, its answer, and whom it is not put to for a while."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import ManualClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.tmux import PaneKey, QueryFailure
from tmux_exporter.sources.tmux import screens as tmux_screens
from tmux_exporter.sources.tmux.ask import Answer, Question
from tmux_exporter.sources.tmux.query import end_mark, screen_mark
from tmux_exporter.sources.tmux.screens import (
    LAST_ROWS,
    MOST_BYTES,
    MOST_COLUMNS,
    MOST_PANES,
    Asked,
    Screen,
    ScreenReader,
    last_rows,
    parse_screens,
)

NONCE = "0123456789abcdef"
SERVER = ProcessId(77, 1)


def printed(screens: dict[str, bytes], *, end: bool = True) -> bytes:
    """What tmux prints for these texts by pane id."""
    parts = [screen_mark(NONCE, pane).encode() + b"\n" + text + b"\n" for pane, text in screens.items()]
    return b"".join(parts) + (end_mark(NONCE).encode() + b"\n" if end else b"")


def test_texts_by_pane() -> None:
    answer = printed({"%3": b"one\ntwo  \n\n\n", "%14": b"", "%5": "crab 🦀 日本".encode()})
    assert parse_screens(answer, NONCE) == {"%3": ("one", "two"), "%14": (), "%5": ("crab 🦀 日本",)}


def test_a_text_without_an_end_is_none() -> None:
    whole = printed({"%3": b"one", "%4": b"two"})
    for cut in range(len(whole)):
        found = parse_screens(whole[:cut], NONCE)
        assert found in ({}, {"%3": ("one",)}, {"%3": ("one",), "%4": ("two",)}), cut
    assert "%4" not in parse_screens(printed({"%3": b"one", "%4": b"two"}, end=False), NONCE)


def test_a_pane_cannot_speak_for_another() -> None:
    other = "fedcba9876543210"
    lie = f"{screen_mark(other, '%4')}\nlie\n{end_mark(other)}".encode()
    assert parse_screens(printed({"%3": lie}), NONCE) == {"%3": tuple(lie.decode().split("\n"))}


def test_what_is_kept_of_a_screen_is_bounded() -> None:
    rows = last_rows(b"\n".join(b"%d" % number for number in range(100)) + b"\n\n")
    assert rows == tuple(str(number) for number in range(100 - LAST_ROWS, 100))
    assert [len(row) for row in last_rows(b"x" * 5000)] == [MOST_COLUMNS]
    assert parse_screens(printed({"%3": b"x" * (MOST_BYTES + 1), "%4": b"y"}), NONCE) == {"%4": ("y",)}
    assert last_rows(b"\xff\xfe bad \x1b[31m") == (
        "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} bad \x1b[31m",
    )


def test_no_text_is_shown_where_a_screen_is() -> None:
    assert "hunter2" not in repr(Screen(taken_at=1.0, rows=("hunter2",)))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_text_comes_back_under_its_own_pane(one: bytes, other: bytes) -> None:
    found = parse_screens(printed({"%1": one, "%2": other}), NONCE)
    assert found == {"%1": last_rows(one), "%2": last_rows(other)}


@given(st.binary(max_size=400))
def test_no_answer_is_too_strange(noise: bytes) -> None:
    assert isinstance(parse_screens(noise + NONCE.encode() + noise, NONCE), dict)


Tell = Callable[[Question], tuple[QueryFailure | None, dict[str, bytes]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Servers as a test tells them: what each question was, and what comes of it."""

    class Servers:
        def __init__(self) -> None:
            self.questions: list[Question] = []
            self.peer = SERVER.pid

        def tell(self, question: Question) -> tuple[QueryFailure | None, dict[str, bytes]]:
            return None, {pane: b"text of " + pane.encode() for pane in question.screens}

    servers = Servers()

    def ask_all(questions: Sequence[Question], *, clock: ManualClock, **_: object) -> tuple[Answer, ...]:
        answers = []
        for question in questions:
            servers.questions.append(question)
            failure, screens = servers.tell(question)
            answers.append(
                Answer(
                    socket=question.socket, seconds=0.1, sent_at=clock.monotonic(), peer=servers.peer,
                    stdout=b"" if failure else printed(screens), nonce=NONCE, failure=failure, detail="",
                )
            )  # fmt: skip
        return tuple(answers)

    monkeypatch.setattr(tmux_screens, "ask_all", ask_all)
    return servers


def keys(*numbers: int) -> tuple[PaneKey, ...]:
    return tuple(PaneKey(SERVER, f"%{number}") for number in numbers)


def read(reader: ScreenReader, *numbers: int) -> dict[str, Screen]:
    found = reader.read([Asked(socket="/s", panes=keys(*numbers))], transport="auto", timeout=2.0)
    return {key.pane: screen for key, screen in found.items()}


def test_one_question_for_all_panes_of_a_server_but_not_for_too_many(asked: Any) -> None:
    found = read(ScreenReader(uid=0, clock=ManualClock()), *range(MOST_PANES + 5))
    assert [len(each.screens) for each in asked.questions] == [MOST_PANES]
    assert (found["%3"].rows, len(found)) == (("text of %3",), MOST_PANES)


def test_nobody_is_asked_for_nothing(asked: Any) -> None:
    assert read(ScreenReader(uid=0, clock=ManualClock())) == {}
    assert asked.questions == []


def test_a_failure_gives_the_server_a_rest_and_then_one_pane_at_a_time(asked: Any) -> None:
    clock = ManualClock()
    reader = ScreenReader(uid=0, clock=clock)

    def tell(question: Question) -> tuple[QueryFailure | None, dict[str, bytes]]:
        if "%1" in question.screens:
            return QueryFailure.UNTRUSTED, {}
        return None, dict.fromkeys(question.screens, b"fine")

    asked.tell = tell
    assert {screen.problem for screen in read(reader, 1, 2, 3).values()} == {
        "its text is too long, or its server is not trusted"
    }
    clock.advance(59)
    assert read(reader, 1, 2, 3) == {}
    clock.advance(2)
    assert read(reader, 1, 2, 3)["%1"].problem
    clock.advance(61)
    # The one that did it rests on, the others have their turn.
    assert read(reader, 1, 2, 3)["%2"].rows == ("fine",)
    assert [each.screens for each in asked.questions] == [("%1", "%2", "%3"), ("%1",), ("%2",)]
    clock.advance(700)
    assert read(reader, 2, 3)["%3"].rows == ("fine",)
    assert asked.questions[-1].screens == ("%2", "%3")


def test_late_answers_give_the_server_a_rest_that_grows_and_no_pane(asked: Any) -> None:
    clock = ManualClock()
    reader = ScreenReader(uid=0, clock=clock)
    late = [True, True, False, True]
    asked.tell = lambda _: (QueryFailure.HUNG if late.pop(0) else None, {"%1": b"fine"})
    rests = []
    while late:
        begun = clock.monotonic()
        while not (found := read(reader, 1)):
            clock.advance(1)
        rests.append((clock.monotonic() - begun, found["%1"].rows))
    assert rests == [(0, ()), (5, ()), (10, ("fine",)), (0, ())]
    # One that has answered between is late for the first time again.
    late.append(False)
    clock.advance(5)
    assert read(reader, 1)["%1"].rows == ("fine",)


def test_panes_that_are_gone_and_servers_that_are_others(asked: Any) -> None:
    reader = ScreenReader(uid=0, clock=ManualClock())
    asked.tell = lambda _: (None, {"%1": b"there"})
    found = read(reader, 1, 2)
    assert (found["%1"].rows, found["%2"].problem) == (("there",), "tmux did not show its text")
    asked.peer = 78
    assert read(reader, 1)["%1"].problem == "tmux did not show its text"
