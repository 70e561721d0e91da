"""What Grafana makes of a board's queries before it sends them to Prometheus, and what Prometheus answers."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.boards.lint import Json, Target, label_values, variables

Choice = Mapping[str, Sequence[str]]
"""What is chosen in the variables, by name; a variable that is not in it stands at All."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The time range of a board, in seconds since the epoch, and the interval at which Prometheus scrapes."""

    start: float
    end: float
    scrape_interval: float

    def macros(self, step: float) -> dict[str, str]:
        """As Grafana's Prometheus data source documents them."""
        rate = max(step + self.scrape_interval, 4 * self.scrape_interval)
        return {"__rate_interval": f"{rate:.0f}s", "__range": f"{self.end - self.start:.0f}s"}


def interpolated(board: Json, expr: str, choice: Choice, macros: Mapping[str, str]) -> str:
    """An expression with its variables and macros replaced; one that is unknown raises KeyError."""
    known = variables(board)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in macros:
            return macros[name]
        if name not in choice:
            return str(known[name]["allValue"])
        chosen = [_escaped(each) for each in choice[name]]
        return chosen[0] if len(chosen) == 1 else f"({'|'.join(chosen)})"

    return re.sub(r"\$(\w+)", value, expr)


def _escaped(value: str) -> str:
    """A value as a regular expression within a string of PromQL."""
    return re.sub(r"[\\^$*+?.()|{}\[\]]", lambda special: rf"\\{special[0]}", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How many series came, which warnings and errors with them, and after how many seconds."""

    series: int
    complaints: tuple[str, ...]
    seconds: float


class Asker:
    """Asks a Prometheus what a board asks it."""

    def __init__(self, url: str, board: Json, moment: Moment) -> None:
        self.url = url
        self.board = board
        self.moment = moment

    def target(self, target: Target, choice: Choice) -> Answer:
        """One query of a panel."""
        return self._ask(target.expr, choice, instant=target.instant)

    def value(self, target: Target, choice: Choice) -> float | None:
        """The one value of an instant query, None where it has none."""
        text = interpolated(self.board, target.expr, choice, self.moment.macros(1.0))
        result = self._get("query", {"query": text, "time": self.moment.end})["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def annotation(self, annotation: Json, choice: Choice) -> Answer:
        """One query of annotations."""
        return self._ask(annotation["expr"], choice, instant=False)

    def offered(self, name: str, choice: Choice) -> list[str]:
        """The values that a variable offers."""
        series, label = label_values(variables(self.board)[name])
        match = interpolated(self.board, series, choice, {})
        parameters = {"match[]": match, "start": self.moment.start, "end": self.moment.end}
        values: list[str] = self._get(f"label/{label}/values", parameters)["data"]
        return values

    def _ask(self, expr: str, choice: Choice, *, instant: bool) -> Answer:
        step = max(1.0, self.moment.scrape_interval)
        text = interpolated(self.board, expr, choice, self.moment.macros(step))
        started = time.monotonic()
        if instant:
            answer = self._get("query", {"query": text, "time": self.moment.end})
        else:
            span = {"start": self.moment.start, "end": self.moment.end, "step": step}
            answer = self._get("query_range", {"query": text, **span})
        complaints = (*answer.get("warnings", ()), *([answer["error"]] if "error" in answer else ()))
        return Answer(
            series=len(answer.get("data", {}).get("result", ())),
            complaints=complaints,
            seconds=time.monotonic() - started,
        )

    def _get(self, path: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        found: dict[str, Any] = json.loads(body)
        return found
