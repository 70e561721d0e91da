"""The exporter with a leak planted into one kind of output, which TMUX_EXPORTER_LEAK names.

What leaks is what it has really read of a pane. The test of privacy must find it there.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tmux_exporter.analysis.agents.screen_state import read_screen
from tmux_exporter.cli import main
from tmux_exporter.commands import publisher
from tmux_exporter.facts.report import Report
from tmux_exporter.metrics import report_json
from tmux_exporter.metrics.render import Pages, Renderer
from tmux_exporter.sampling import state_file
from tmux_exporter.sampling.stages import agent_clues, screen_schedule
from tmux_exporter.web import app

VARIABLE = "TMUX_EXPORTER_LEAK"

_read: list[str] = []


def _put(place: object, name: str, value: object) -> None:
    """Set an attribute of a module or class, whatever its type is."""
    setattr(place, name, value)


def _text() -> bytes:
    return " ".join(_read).encode()


def _listen() -> None:
    """Keep what the screens show."""

    def read(program: str, rows: Sequence[str]) -> Any:
        _read.extend(rows)
        return read_screen(program, rows)

    _put(screen_schedule, "read_screen", read)


def _metrics() -> None:
    original = Renderer.render

    def render(self: Renderer, families: Any) -> Pages:
        pages = original(self, families)
        last = pages.bodies[-1]
        leaking = replace(last, lines=last.lines + b"# " + _text() + b"\n")
        return replace(pages, bodies=(*pages.bodies[:-1], leaking))

    _put(Renderer, "render", render)


def _report() -> None:
    def render(report: Report, *more: Any) -> bytes:
        return report_json.render(report, *more)[:-1] + b',"text":"' + _text() + b'"}'

    _put(publisher, "render_json", render)


def _page() -> None:
    original = app.App._index

    async def index(self: app.App, request: app.Request) -> Any:
        page = await original(self, request)
        return replace(page, body=page.body + _text())

    _put(app.App, "_index", index)


def _log() -> None:
    original = agent_clues.AgentWatch.look

    def look(*arguments: Any) -> Any:
        found = original(*arguments)
        logging.getLogger("tmux_exporter.sampling.stages.agent_clues").debug("seen: %s", " ".join(_read))
        return found

    _put(agent_clues.AgentWatch, "look", look)


def _state() -> None:
    original = state_file.render
    _put(state_file, "render", lambda memory, **words: original(memory, **words) + _text())


LEAKS: dict[str, tuple[Callable[[], None], frozenset[str]]] = {
    "metrics": (_metrics, frozenset({"metrics"})),
    # The live page and the stream of events show the report.
    "report": (_report, frozenset({"report", "events"})),
    "page": (_page, frozenset({"page"})),
    "log": (_log, frozenset({"log"})),
    "state": (_state, frozenset({"state"})),
}
"""By kind: how it leaks, and the outputs in which that is to be found."""


if __name__ == "__main__":
    _listen()
    LEAKS[os.environ[VARIABLE]][0]()
    main.main()
