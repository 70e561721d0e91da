"""`top`: read reports and keys, draw the table, until the user quits."""

import json
import logging
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event

from tmux_exporter.base.clock import SystemClock
from tmux_exporter.commands.top.attach import attach
from tmux_exporter.commands.top.detail import detail_lines
from tmux_exporter.commands.top.lists import Listed, Tab, listed, wanted
from tmux_exporter.commands.top.reports import Reports, ReportSource, SourcedReport
from tmux_exporter.commands.top.rows import Board, Rates, RowKey, Sort, as_dict, board
from tmux_exporter.commands.top.screen_view import ScreenView
from tmux_exporter.commands.top.table import frame, page, row_at
from tmux_exporter.commands.top.terminal import CLICK, Terminal
from tmux_exporter.config import Config

_LETTERS = {each.value[0]: each for each in Sort}
_STEPS = {
    "up": -1,
    "down": 1,
    "k": -1,
    "j": 1,
    "page-up": -10,
    "page-down": 10,
    "home": -10_000,
    "end": 10_000,
}
_TICK_SECONDS = 1.0
_FRESH_SECONDS = 1.0
"""An exporter takes a new sample on request at most this often."""


class _Compared:
    """The newest report and its rates; those of another source are forgotten."""

    def __init__(self) -> None:
        self.seen: SourcedReport | None = None
        self.rates = Rates()

    def take(self, seen: SourcedReport) -> None:
        if self.seen is None or self.seen.source != seen.source:
            self.rates = Rates()
        if self.seen is not seen:
            self.seen = seen
            self.rates.take(seen.document)

    def board(self, view: ScreenView) -> Board | None:
        if self.seen is None:
            return None
        words = view.filter.split()
        return board(self.seen.document, self.rates, sort=view.sort, words=words, reverse=view.reverse)

    def listed(self, view: ScreenView) -> Listed | None:
        """The rows of a flat view; None of the tree."""
        if self.seen is None or view.tab is Tab.SESSIONS:
            return None
        return listed(
            view.tab,
            self.seen.document,
            self.rates,
            words=view.filter,
            column=view.column,
            reverse=view.reverse,
        )


def compared(config: Config, environ: Mapping[str, str]) -> _Compared:
    """Two reports in a row, so that rates are known. Raises CannotSeeError."""
    source, found, clock = ReportSource(config, environ), _Compared(), SystemClock()
    found.take(source.report())
    deadline = clock.monotonic() + 2 * found.seen.document["interval_seconds"] if found.seen else 0.0
    while not found.rates.known and clock.monotonic() < deadline:
        Event().wait(_FRESH_SECONDS)
        found.take(source.report(fresh=True))
    return found


def once_text(config: Config, environ: Mapping[str, str], view: ScreenView, *, color: bool) -> str:
    """What one screen would show, without end below."""
    found = compared(config, environ)
    shown = found.board(view)
    if shown is None or found.seen is None:
        raise AssertionError("there is a report, or there was an error")
    width = shutil.get_terminal_size((120, 24)).columns
    return page(shown, replace(view, source=found.seen.source), width, color=color)


def once_json(config: Config, environ: Mapping[str, str], view: ScreenView) -> str:
    """The same as data."""
    shown = compared(config, environ).board(view)
    return json.dumps(as_dict(shown) if shown else {}, indent=2)


def run(config: Config, environ: Mapping[str, str], view: ScreenView) -> int:
    """Show it until the user quits; returns the exit code."""
    # Log lines would destroy the screen.
    logging.disable(logging.CRITICAL)
    with Terminal() as terminal:
        reports = Reports(ReportSource(config, environ), terminal.wake)
        reports.start()
        try:
            return _loop(terminal, reports, view)
        finally:
            reports.stop()


def _loop(terminal: Terminal, reports: Reports, view: ScreenView) -> int:
    found, clock = _Compared(), SystemClock()
    while terminal.ended is None:
        if reports.failure is not None:
            raise reports.failure
        if reports.newest is not None:
            found.take(reports.newest)
        shown = found.board(view)
        view = replace(view, source=found.seen.source if found.seen else "", now=clock.time())
        columns, lines = terminal.size()
        flat = found.listed(view)
        keys = flat.keys if flat else shown.keys if shown else ()
        opened = _opened(reports, found.seen, view.opened)
        terminal.show(frame(shown, view, columns, lines, listed=flat, opened=opened))
        for key in terminal.keys(_TICK_SECONDS):
            if key == "q" and not view.editing and not view.help:
                return 0
            if key.startswith(CLICK) and shown is not None and view.opened is None:
                line = int(key.removeprefix(CLICK))
                view = _clicked(view, row_at(line, shown, view, keys, (columns, lines)))
                continue
            tab = view.tab
            view = _typed(view, key) if view.editing else _pressed(view, key, keys)
            if view.tab is not tab and shown is not None:
                # What follows in the same breath is meant for the rows of that view.
                flat = found.listed(view)
                keys = flat.keys if flat else shown.keys
            if key in ("a", "y") and not view.editing and shown is not None:
                view = replace(view, note=_attach(terminal, shown, view, copy=key == "y"))
    return 0 if terminal.ended == signal.SIGINT else 128 + terminal.ended


def _attach(terminal: Terminal, shown: Board, view: ScreenView, *, copy: bool) -> str:
    """Show the agent of the chosen row, or copy the command for that; what to tell about it."""
    agent = shown.agent_at(view.selected)
    if agent is None:
        return "choose an agent first: ↑ ↓"
    if not agent.attach_command:
        return "its pane cannot be attached to: its server does not answer, or the agent has ended"
    if copy:
        terminal.copy(agent.attach_command)
        return agent.attach_command
    with terminal.lent():
        return attach(agent.attach_command, os.environ)


def _opened(
    reports: Reports, seen: SourcedReport | None, key: RowKey | None
) -> Sequence[tuple[str, str]] | None:
    """The lines of what is opened; its detail follows when it is there."""
    meant = wanted(key)
    reports.want(meant)
    if key is None or seen is None:
        return None
    told = reports.detail
    return detail_lines(seen.document, key, told[1] if told and told[0] == meant else None)


_TABS = {str(number): tab for number, tab in enumerate(Tab, 1)}


def _pressed(view: ScreenView, key: str, keys: Sequence[RowKey]) -> ScreenView:
    view = replace(view, note="")
    if view.help or key == "?":
        return replace(view, help=not view.help)
    if key in _TABS or key == "tab":
        order = tuple(Tab)
        tab = _TABS.get(key) or order[(order.index(view.tab) + 1) % len(order)]
        return replace(view, tab=tab, column=None, reverse=False, selected=None, opened=None, scroll=0)
    if view.opened is not None:
        if key in ("escape", "enter"):
            return replace(view, opened=None, scroll=0)
        return replace(view, scroll=max(0, view.scroll + _STEPS.get(key, 0)))
    if key == "enter":
        return replace(view, opened=view.selected if wanted(view.selected) else None)
    if key in ("<", ">") and view.tab is not Tab.SESSIONS:
        # Python's remainder turns -1 into the last column.
        return replace(view, column=(view.column or 0) + (1 if key == ">" else -1), reverse=False)
    if key == "r":
        return replace(view, reverse=not view.reverse)
    if key in _LETTERS:
        return replace(view, sort=_LETTERS[key], reverse=False)
    if key == "/":
        return replace(view, editing=True)
    if key == "escape":
        return replace(view, filter="", selected=None)
    if key in _STEPS and keys:
        place = keys.index(view.selected) if view.selected in keys else None
        # The first key chooses the first row.
        chosen = 0 if place is None and _STEPS[key] < 10_000 else (place or 0) + _STEPS[key]
        return replace(view, selected=keys[max(0, min(chosen, len(keys) - 1))])
    return view


def _clicked(view: ScreenView, key: RowKey | None) -> ScreenView:
    """A click chooses a row, one on the chosen row opens it."""
    if key is None or view.help:
        return view
    return replace(view, opened=key if key == view.selected and wanted(key) else None, selected=key, note="")


def _typed(view: ScreenView, key: str) -> ScreenView:
    edits: Mapping[str, Callable[[], ScreenView]] = {
        "enter": lambda: replace(view, editing=False),
        "escape": lambda: replace(view, editing=False, filter=""),
        "backspace": lambda: replace(view, filter=view.filter[:-1]),
        "clear": lambda: replace(view, filter=""),
    }
    if key in edits:
        return edits[key]()
    return replace(view, filter=view.filter + key) if len(key) == 1 else view
