"""Every query of the boards, put to a Prometheus that may be busy: what has no answer, or a wrong one."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from tests.support.boards.grafana import Answer, Asker, Choice, Moment
from tests.support.boards.lint import Json, Target, targets, variables

SLOWEST_SECONDS = 2.0
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.5

Place = tuple[str, str]
"""A board and a panel, or the name of an annotation."""


class Asked(NamedTuple):
    """What was wrong, in words, and which places had no answer though everything was chosen."""

    wrong: list[str]
    empty: set[Place]


class Questioner:
    """Asks a Prometheus about the last `span` seconds. What has no answer is asked again for a while."""

    def __init__(
        self, url: str, *, scrape_interval: float, span: float, slowest: float = SLOWEST_SECONDS
    ) -> None:
        self._url = url
        self._interval = scrape_interval
        self._span = span
        self._slowest = slowest

    def asker(self, board: Json) -> Asker:
        """Asks as a board does at this moment."""
        now = time.time()
        moment = Moment(start=now - self._span, end=now, scrape_interval=self._interval)
        return Asker(self._url, board, moment)

    def everything(
        self,
        boards: Mapping[str, Json],
        choices: Collection[Choice],
        preferred: Collection[str],
        may_be_empty: Collection[Place],
    ) -> Asked:
        """All queries, with each of the choices, and with one value of each variable: a preferred one."""
        wrong: list[str] = []
        empty: set[Place] = set()
        for name, board in boards.items():
            one = self.one_of_each(board, preferred)
            for choice in (*choices, one):
                for place, ask in self._questions(board, choice):
                    wanted = choice is not one and (name, place) not in may_be_empty
                    answer, said = _patiently(ask, self._slowest, wanted=wanted)
                    wrong += [f"{name}: {place}: {each}" for each in said]
                    if answer.series == 0 and choice is not one:
                        empty.add((name, place))
        return Asked(wrong, empty)

    def one_of_each(self, board: Json, preferred: Collection[str]) -> dict[str, list[str]]:
        """One value of each variable, of those that are left by the variables before it."""
        chosen: dict[str, list[str]] = {}
        asker = self.asker(board)
        for variable in variables(board):
            if variable != "datasource":
                offered = asker.offered(variable, chosen)
                assert offered, f"variable {variable} offers nothing"
                chosen[variable] = [*(each for each in preferred if each in offered), *offered][:1]
        return chosen

    def _questions(self, board: Json, choice: Choice) -> Iterator[tuple[str, Callable[[], Answer]]]:
        for each in targets(board):
            yield each.place, partial(self._target, board, each, choice)
        for note in board["annotations"]["list"]:
            yield note["name"], partial(self._annotation, board, note, choice)

    def _target(self, board: Json, target: Target, choice: Choice) -> Answer:
        return self.asker(board).target(target, choice)

    def _annotation(self, board: Json, note: Json, choice: Choice) -> Answer:
        return self.asker(board).annotation(note, choice)


def _patiently(ask: Callable[[], Answer], slowest: float, *, wanted: bool) -> tuple[Answer, list[str]]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = ask()
        said = [*answer.complaints]
        if answer.seconds > slowest:
            said.append(f"took {answer.seconds:.1f} s")
        if wanted and answer.series == 0:
            said.append("no answer")
        if not said or time.monotonic() > deadline or answer.complaints:
            return answer, said
        time.sleep(_PAUSE_SECONDS)
