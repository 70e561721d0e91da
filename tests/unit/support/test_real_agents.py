"""What real agent programs were told, and the table that is made of it."""

import json
from pathlib import Path

from tests.support.real_agents.table import keep, score, table, with_table

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_has_the_table_of_what_is_kept() -> None:
    page, moments = (DOCS / "agents.md").read_text(), json.loads((DOCS / "agents.json").read_text())
    assert with_table(page, table(moments)) == page


def test_what_is_played_takes_the_place_of_what_was_kept_of_the_same_program(tmp_path: Path) -> None:
    file = tmp_path / "agents.json"

    def played(program: str, *moments: str) -> None:
        keep([{"program": program, "moment": each} for each in moments], file, ["claude", "pi"])

    played("pi", "thinks", "left")
    played("gone", "thinks")
    played("claude", "killed")
    played("pi", "killed")
    kept = [tuple(each.values()) for each in json.loads(file.read_text())]
    assert kept == [("claude", "killed"), ("pi", "killed")]


def test_the_goal_is_missed_by_one_false_wait_and_by_one_moment_in_ten() -> None:
    def moments(right: int, wrong: int, false: int = 0) -> list[dict[str, object]]:
        told = [{"right": True, "false_waiting": False}] * 2
        late = [{"right": True, "false_waiting": False}, {"right": False, "false_waiting": False}]
        waits = [{"right": False, "false_waiting": True}, {"right": True, "false_waiting": False}]
        return [{"told": each} for each in (*[told] * right, *[late] * wrong, *[waits] * false, [])]

    assert score(moments(60, 0)).reached and score(moments(60, 0)).is_perfect
    assert score(moments(190, 10)).reached and not score(moments(190, 10)).is_perfect
    assert not score(moments(189, 11)).reached
    assert not score(moments(59, 0)).reached and score(moments(59, 0)).is_perfect
    assert not score(moments(199, 0, false=1)).reached
