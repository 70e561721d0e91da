"""How top looks: within its width and height, the same facts narrow and wide, safe with any name."""

import json
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.support.literals.report import NOW, agent, example_report, large_report, session
from tests.support.literals.spending import SPENDING
from tmux_exporter.commands.top.keys import HELP
from tmux_exporter.commands.top.loop import _pressed, _typed
from tmux_exporter.commands.top.rows import Board, Rates, Sort, board
from tmux_exporter.commands.top.screen_view import ScreenView
from tmux_exporter.commands.top.table import frame, page
from tmux_exporter.commands.top.terminal import keys_of
from tmux_exporter.facts.agents import AgentState
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics.report_json import render

VIEW = ScreenView(sort=Sort.STATE, filter="", source="own samples every 2 s")
CODES = re.compile(r"\x1b\[[0-9;]*m")


def made(report: Report) -> Board:
    return board(json.loads(render(report)), Rates())


EXAMPLE = made(example_report())
LARGE = made(large_report(60))


def plain(lines: list[str]) -> list[str]:
    return [CODES.sub("", line) for line in lines]


@pytest.mark.parametrize("width", [20, 40, 80, 109, 110, 140, 300])
@pytest.mark.parametrize("height", [1, 5, 10, 24, 80])
def test_a_frame_fits_its_screen(width: int, height: int) -> None:
    for shown in (EXAMPLE, LARGE, None):
        lines = plain(frame(shown, VIEW, width, height))
        assert len(lines) <= height
        assert max(map(cell_len, lines)) <= width
        # Nothing but our own colours steers the terminal.
        assert not any(re.search(r"[\x00-\x1f\x7f]", line) for line in lines)


def test_eighty_columns_show_state_waiting_time_cost_leaks_and_the_next_check_in() -> None:
    waiting = agent("default", "work", "lead", "%1", program="claude", scale=2, state=AgentState.WAITING)
    report = replace(
        example_report(),
        sessions=(session("default", "work", 1),),
        agents=(replace(waiting, state_since_timestamp_seconds=NOW - 725),),
    )
    lines = plain(frame(made(report), VIEW, 80, 24))
    (title,) = [line for line in lines if "SESSION / AGENT" in line]
    assert title.split() == [
        "SESSION", "/", "AGENT", "STATE▾", "SINCE", "CPU", "MEM", "LIM", "FDS", "LEAK", "NEXT",
    ]  # fmt: skip
    (row,) = [line for line in lines if line.startswith("  lead")]
    assert row.split()[:5] == ["lead", "claude", "permission", "12m", "05s"]
    assert re.search(r"\d+(\.\d)?[KMG] +\d+%", row)
    wide = plain(frame(made(report), VIEW, 140, 24))
    (row,) = [line for line in wide if line.startswith("  lead")]
    assert row.split()[:6] == ["lead", "claude", "waiting", "permission", "12m", "05s"]
    assert " %1 " in row


@pytest.mark.parametrize("width", [80, 110, 120, 139, 140, 200])
def test_names_are_the_last_to_lose_room(width: int) -> None:
    far = "/tmp/a-folder-with-a-long-name/tmux-1000/default"
    agents = [
        agent(server, "work", "lead-of-all", "%1", program="claude", scale=2) for server in ("default", far)
    ]
    sessions = tuple(session(server, "work", 1) for server in ("default", far))
    report = replace(example_report(), sessions=sessions, agents=tuple(agents))
    lines = plain(frame(made(report), VIEW, width, 24))
    assert len([line for line in lines if line.startswith("  lead-of-all ")]) == 2
    assert ("HELPERS" in "".join(lines)) is (width >= 140)


def test_what_is_not_known_is_a_question_mark_not_a_zero() -> None:
    text = page(EXAMPLE, VIEW, 140, color=False)
    (row,) = [line for line in text.splitlines() if line.startswith("  lead") and "working" in line]
    assert " ? " in row
    assert "CPU ?" in text


def test_no_colour_is_no_escape_code() -> None:
    assert "\x1b" not in page(EXAMPLE, VIEW, 80, color=False)
    assert "\x1b[" in page(EXAMPLE, VIEW, 80, color=True)


def test_the_chosen_row_is_in_sight_and_the_first_and_last_are_the_ends() -> None:
    assert _pressed(VIEW, "up", LARGE.keys).selected == LARGE.keys[0]
    view = _pressed(_pressed(VIEW, "down", LARGE.keys), "down", LARGE.keys)
    assert view.selected == LARGE.keys[1]
    last = _pressed(view, "end", LARGE.keys)
    assert last.selected == _pressed(last, "down", LARGE.keys).selected == LARGE.keys[-1]
    first, end = plain(frame(LARGE, VIEW, 80, 24)), plain(frame(LARGE, last, 80, 24))
    assert any("more below" in line for line in first)
    assert not any("more below" in line for line in end)
    assert sum(bool(line) for line in end) >= 20, "a full screen"
    for key in LARGE.keys:
        chosen = [line for line in frame(LARGE, replace(VIEW, selected=key), 80, 24) if "\x1b[7m" in line]
        # The name of the view, the title, and one row.
        assert [(key[2] or key[1])[:8] in CODES.sub("", line) for line in chosen[2:]] == [True]


def test_a_row_stays_chosen_when_the_order_changes() -> None:
    view = _pressed(_pressed(VIEW, "end", LARGE.keys), "n", LARGE.keys)
    other = board(json.loads(render(large_report(60))), Rates(), sort=view.sort)
    assert view.selected == LARGE.keys[-1]
    assert view.selected in other.keys


def test_a_question_mark_shows_every_key_and_any_key_goes_back() -> None:
    view = _pressed(VIEW, "?", EXAMPLE.keys)
    text = "\n".join(plain(frame(EXAMPLE, view, 80, 24)))
    assert all(words in text for _, words in HELP)
    assert frame(EXAMPLE, _pressed(view, "x", EXAMPLE.keys), 100, 24) == frame(EXAMPLE, VIEW, 100, 24)


def test_an_old_report_says_so() -> None:
    assert "old" not in frame(EXAMPLE, replace(VIEW, now=NOW + 5), 140, 24)[0]
    assert "this is 1m 00s old" in CODES.sub("", frame(EXAMPLE, replace(VIEW, now=NOW + 60), 140, 24)[0])


def test_a_filter_is_typed_kept_and_cleared() -> None:
    view = _pressed(VIEW, "/", EXAMPLE.keys)
    for key in [*"wxx", "backspace", "backspace", "o", "up"]:
        view = _typed(view, key)
    assert (view.editing, view.filter) == (True, "wo")
    assert "filter: wo" in plain(frame(EXAMPLE, view, 80, 24))[-1]
    kept = _typed(view, "enter")
    assert (kept.editing, kept.filter) == (False, "wo")
    assert _pressed(kept, "escape", EXAMPLE.keys).filter == ""
    assert _typed(view, "escape").filter == ""


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page-up", "page-down"]),
        ("\x1b", ["escape"]),
        ("\x1b[200~x", ["x"]),
        ("\r\x7fü", ["enter", "backspace", "ü"]),
        ("\x00\x01", []),
        ("\x1b[<0;10;7M\x1b[<0;10;7m", ["click:7"]),
        ("\x1b[<64;1;1M\x1b[<65;1;1M\x1b[<2;1;1M", ["up", "down"]),
    ],
)
def test_keys_have_names(sent: str, keys: list[str]) -> None:
    assert keys_of(sent) == keys


def test_a_session_whose_orphans_nobody_could_watch_uses_at_least_what_is_shown() -> None:
    for missing, mark in ((None, False), (0.001, False), (1000.0, True)):
        short = replace(session("default", "work", 1), unwatched_cpu_seconds_total=missing)
        lines = plain(frame(made(replace(example_report(), sessions=(short,))), VIEW, 80, 24))
        (row,) = [line for line in lines if line.startswith("work")]
        assert ("≥" in row) is mark


def test_what_agents_spend_is_told_where_it_is_known_and_there_is_room() -> None:
    lead = agent("default", "work", "lead", "%1", program="claude", scale=2)
    spends = replace(SPENDING, context_tokens=150_000, context_window_tokens=200_000, whole=False)
    report = replace(
        example_report(),
        sessions=(session("default", "work", 1),),
        agents=(replace(lead, spending=spends), replace(lead, agent="test", spending=None)),
    )
    for width, titles in (
        (119, ()),
        (120, ("COST",)),
        (130, ("COST", "CTX")),
        (170, ("COST", "TOKENS", "CTX")),
    ):
        lines = plain(frame(made(report), VIEW, width, 24))
        (title,) = [line for line in lines if "SESSION / AGENT" in line]
        assert [each for each in title.split() if each in ("COST", "TOKENS", "CTX")] == list(titles)
        assert max(map(cell_len, lines)) <= width
    lines = plain(frame(made(report), VIEW, 170, 24))
    (known,) = [line for line in lines if line.startswith("  lead")]
    (other,) = [line for line in lines if line.startswith("  test")]
    assert " $0.02+ 720 " in " ".join(known.split()) + " " and " 75% " in known
    assert "$" not in other
    without = replace(report, agents=(replace(lead, spending=None),))
    assert "COST" not in "".join(plain(frame(made(without), VIEW, 200, 24)))
