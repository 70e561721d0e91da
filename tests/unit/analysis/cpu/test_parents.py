"""The process tree over samples: which processes may have an ancestor that grew, or one that is not known."""

import pytest

from tests.support.literals.facts import process, table
from tmux_exporter.analysis.cpu.parents import ProcessTree
from tmux_exporter.facts.process import Process

INIT = process(1, 0)
SHELL = process(200, 1)
TOOL = process(300, 200)
CHILD = process(400, 300)
OTHER = process(500, 1)


def below(*pids: int, earlier: tuple[Process, ...] = (), now: tuple[Process, ...]) -> list[int]:
    tree = ProcessTree()
    for processes in (earlier, now):
        if processes:
            tree.advance(table(INIT, *processes))
    return sorted(each.id.pid for each in tree.below(pids))


@pytest.mark.parametrize(
    ("pids", "earlier", "now", "found"),
    [
        pytest.param((200,), (), (SHELL, TOOL, CHILD, OTHER), [300, 400], id="children of children"),
        pytest.param((500,), (), (SHELL, TOOL, CHILD, OTHER), [], id="nobody is below"),
        pytest.param((1,), (), (SHELL, TOOL, OTHER), [200, 300, 500], id="all are below init"),
        pytest.param((500,), (), (TOOL, CHILD, OTHER), [300, 400], id="a parent that nobody has seen"),
        pytest.param((500,), (SHELL, TOOL, CHILD), (TOOL, CHILD, OTHER), [300, 400], id="one that ended"),
        pytest.param(
            (500,), (TOOL, CHILD), (process(300, 1), CHILD, OTHER), [300, 400], id="one that was reparented"
        ),
        pytest.param(
            (500,), (), (process(200, 1, start=350), TOOL, CHILD, OTHER), [300, 400], id="a pid used again"
        ),
        pytest.param((300,), (), (process(300, 300), OTHER), [300], id="its own parent"),
    ],
)
def test_who_may_have_an_ancestor_that_grew_or_is_not_known(
    pids: tuple[int, ...], earlier: tuple[Process, ...], now: tuple[Process, ...], found: list[int]
) -> None:
    assert below(*pids, earlier=earlier, now=now) == found
