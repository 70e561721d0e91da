"""The table of prices that the user names: its form, its day, and what is refused of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.analysis.spending.prices import cost_of
from tmux_exporter.facts.prices import ModelPrice, Price, PriceTable
from tmux_exporter.facts.spending import Cost, Line, RequestSeen, SpendingProblem, Tokens
from tmux_exporter.sampling.stages.spending_watch import FileWatch
from tmux_exporter.sources.spending import price_file
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.price_file import read_prices

MINE = {"input_cost_per_token": 2e-6, "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 5e-7}
DEAR = {"input_cost_per_token_above_200k_tokens": 4e-6, "output_cost_per_token_above_200k_tokens": 2e-5}


def written(folder: Path, content: Any, **more: Any) -> str:
    path = folder / "prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps({**content, **more}))
    return str(path)


def test_prices_are_by_kind_and_by_the_size_of_the_prompt(tmp_path: Path) -> None:
    table = read_prices(
        written(tmp_path, {"m-1": MINE, "m-2": MINE | DEAR}, prices_as_of="2026-11-30"), os.getuid()
    )
    usual = Price(2, 10, 0.5, None, None)
    assert table.as_of == "2026-11-30"
    assert table.models["m-1"] == ModelPrice(usual)
    assert table.models["m-2"] == ModelPrice(usual, 200_000, Price(4, 20, 0.5, None, None))
    assert cost_of(table, "m-2-20260801", Tokens(output=1_000_000), 300_000) == Cost(20, 0)


def test_the_table_of_the_docs_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "spending.md").read_text()
    block = page.partition("```json\n")[2].partition("```")[0]
    table = read_prices(written(tmp_path, block), os.getuid())
    assert (table.as_of, {*table.models}) == ("2026-11-30", {"our-model-1"})
    assert table.models["our-model-1"].price.cache_write_1h == pytest.approx(4)


def test_without_a_day_it_is_of_that_on_which_it_was_changed(tmp_path: Path) -> None:
    path = written(tmp_path, {"m-1": MINE})
    os.utime(path, (0, 86_400 * 365))
    assert read_prices(path, os.getuid()).as_of == "1971-01-01"


@pytest.mark.parametrize(
    "row",
    [
        MINE | {"output_cost_per_token": "cheap"},
        MINE | {"output_cost_per_token": -1},
        # Per million in the place of one.
        MINE | {"output_cost_per_token": 15},
        MINE | DEAR | {"input_cost_per_token_above_128k_tokens": 3e-6},
        {"output_cost_per_token": 1e-5},
        [],
    ],
)
def test_a_model_without_clear_prices_has_none(tmp_path: Path, row: Any) -> None:
    assert {*read_prices(written(tmp_path, {"m-1": row, "m-2": MINE}), os.getuid()).models} == {"m-2"}


def unreadable(folder: Path) -> str:
    return str(folder / "none")


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return str(folder / "pipe")


def for_everybody(folder: Path) -> str:
    path = written(folder, {"m-1": MINE})
    Path(path).chmod(0o666)
    return path


def huge(folder: Path) -> str:
    path = written(folder, {"m-1": MINE})
    os.truncate(path, price_file.LARGEST + 1)
    return path


REFUSED: dict[str, tuple[Callable[[Path], str], SpendingProblem]] = {
    "none": (unreadable, SpendingProblem.UNREADABLE),
    "a pipe": (pipe, SpendingProblem.UNTRUSTED),
    "everybody writes it": (for_everybody, SpendingProblem.UNTRUSTED),
    "huge": (huge, SpendingProblem.MALFORMED),
    "half": (lambda folder: written(folder, '{"m-1": {'), SpendingProblem.MALFORMED),
    "a list": (lambda folder: written(folder, "[]"), SpendingProblem.MALFORMED),
    "empty": (lambda folder: written(folder, "{}"), SpendingProblem.MALFORMED),
    "no day": (
        lambda folder: written(folder, {"m-1": MINE}, prices_as_of="today"),
        SpendingProblem.MALFORMED,
    ),
    "no text": (lambda folder: written(folder, {"m-1": MINE}, prices_as_of=7), SpendingProblem.MALFORMED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_read_prices_nothing_and_says_why(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, problem = REFUSED[case]
    path = make(tmp_path)
    with pytest.raises(NotFollowedError) as told:
        read_prices(path, os.getuid())
    assert told.value.problem is problem
    watch = FileWatch(
        uid=os.getuid(), clock=ManualClock(), environ={}, proc_root=str(tmp_path), at_once=0, prices=path
    )
    assert watch.problems["prices", problem] == 1
    assert watch.count((), 0).prices_as_of is None
    # No path is told.
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert str(tmp_path) not in caplog.text


def test_a_table_of_the_user_is_used_alone(tmp_path: Path) -> None:
    table = read_prices(written(tmp_path, {"m-1": MINE}), os.getuid())
    account = Account(0, prices=table)
    for at, model in enumerate(("m-1", "claude-opus-4-8"), 1):
        seen = RequestSeen(key=model, model=model, tokens=Tokens(input=1_000_000))
        account.conversation(begins=0).observe([Line(at=at, events=(seen,))])
    assert account.spent().costs == {"m-1": Cost(2, 0), "claude-opus-4-8": Cost(0, 1_000_000)}
    assert isinstance(account.prices, PriceTable)
