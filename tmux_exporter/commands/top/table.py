"""Render the board of `top` as terminal lines. The only module that imports rich."""

import io
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tmux_exporter.commands.top.columns import COLUMNS, SPENDING, ColumnOf
from tmux_exporter.commands.top.figures import cores, dollars, due_words, short_bytes, short_count
from tmux_exporter.commands.top.keys import HELP, KEYS
from tmux_exporter.commands.top.lists import STATE_STYLES, Listed, Tab
from tmux_exporter.commands.top.rows import (
    AgentRow,
    Board,
    LeaksAndSchedulers,
    RowKey,
    RowSpending,
    RowUsage,
    SessionRow,
)
from tmux_exporter.commands.top.screen_view import ScreenView
from tmux_exporter.commands.views.text_table import UNKNOWN, number, span
from tmux_exporter.facts.report import INCOMPLETE_RATIO

WIDE = 110
"""From this width on there is room for what a waiting agent wants, program, pane and processes."""

WIDER = 140
"""From this width on what an agent has started is shown too: names are the last to lose room."""

_ROOMY = 160
"""From this width on a name has no more room than it needs."""

_CRAMPED = 8
"""Columns that are bounded are no wider than this below WIDER: names come first."""

_TABS_FROM = 12
"""Lines of a terminal that has room for the views' names."""
_LEAST_NAME, _MOST_NAME = 14, 60

_OLD_SECONDS = 10.0
_NEARLY, _ALMOST = 0.7, 0.9
_SHORT_REASONS = {"usage_limit": "limit", "other": "waiting"}
_SHORT_KINDS = {"mcp_server": "mcp", "language_server": "lsp", "browser": "web", "shell": "sh"}


def frame(
    board: Board | None,
    view: ScreenView,
    width: int,
    height: int,
    *,
    listed: Listed | None = None,
    opened: Sequence[tuple[str, str]] | None = None,
) -> list[str]:
    """The lines of a whole screen, at most `height`, with colours as escape codes.

    `listed` are the rows of a flat view, `opened` the lines of what is opened.
    """
    width = max(width, 20)
    if board is None:
        return _lines([Text("taking the first sample …", style="dim")], width, color=True)
    if view.help:
        return _lines([*_help()], width, color=True)[:height]
    head = _above(board, view, width, height)
    foot = _lines([_foot(view)], width, color=True)[:1]
    if opened is not None:
        room = max(1, height - len(head) - len(foot) - 1)
        lines = _lines([Text(text, style=style) for text, style in opened], width, color=True)
        offset = max(0, min(view.scroll, len(lines) - room))
        return [*head, *_filled(lines, offset, room, width), *foot][:height]
    keys = board.keys if listed is None else listed.keys
    place = keys.index(view.selected) if view.selected in keys else None
    table = _table(board, view, width, place) if listed is None else _list_table(listed, width, place)
    body = _lines([table], width, color=True)
    title, rows = body[:1], body[1:]
    room = max(1, height - len(head) - len(title) - len(foot) - 1)
    offset = _offset(place, len(rows), room)
    return [*head, *title, *_filled(rows, offset, room, width), *foot][:height]


def _above(board: Board, view: ScreenView, width: int, height: int) -> list[str]:
    tabs = [_tabs(view.tab, width)] if height >= _TABS_FROM else []
    return _lines([*_head(board, view), *tabs], width, color=True)


def row_at(
    line: int, board: Board, view: ScreenView, keys: Sequence[RowKey], size: tuple[int, int]
) -> RowKey | None:
    """The row on a line of the frame, from 1 on; None where there is none."""
    width, height = size
    head = len(_above(board, view, max(width, 20), height)) + 1
    place = keys.index(view.selected) if view.selected in keys else None
    room = max(1, height - head - 2)
    found = _offset(place, len(keys), room) + line - 1 - head
    return keys[found] if head < line <= head + room and found < len(keys) else None


def _offset(place: int | None, rows: int, room: int) -> int:
    # A full screen where there is enough for one, the chosen row in its middle.
    return max(0, min((place or 0) - room // 2, rows - room))


def _filled(lines: Sequence[str], offset: int, room: int, width: int) -> list[str]:
    """So many lines from there on, and one that says how many more there are."""
    shown = lines[offset : offset + room]
    more = len(lines) - offset - len(shown)
    rest = _lines([Text(f"{more} more below" if more else "", style="dim")], width, color=True)[:1]
    return [*shown, *[""] * (room - len(shown)), *rest]


def _tabs(chosen: Tab, width: int) -> Text:
    """All views with their keys; where there is no room, the numbers of the others only."""
    text, whole = Text(), sum(len(each) + 4 for each in Tab) <= width
    for number_of, tab in enumerate(Tab, 1):
        name = f" {tab}" if whole or tab is chosen else ""
        text.append(f" {number_of}{name} ", style="reverse" if tab is chosen else "dim")
    return text


def _list_table(listed: Listed, width: int, chosen: int | None) -> Table:
    shown = [(place, each) for place, each in enumerate(listed.columns) if each.from_width <= width]
    table = Table(
        *(
            Column(
                Text(f"{each.title}▾" if place == listed.sorted_by else each.title),
                justify="right" if each.right else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=_LEAST_NAME if place == 0 else 4,
                max_width=_MOST_NAME,
            )
            for place, each in shown
        ),
        box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="reverse",
    )  # fmt: skip
    for place, row in enumerate(listed.rows):
        cells = (Text(row[column].text, style=row[column].style) for column, _ in shown)
        table.add_row(*cells, style="reverse" if place == chosen else "")
    if not listed.rows:
        table.add_row(Text(listed.nothing, style="dim"))
    return table


def page(board: Board, view: ScreenView, width: int, *, color: bool) -> str:
    """The whole board as text, for `--once`."""
    lines = _lines([*_head(board, view), _table(board, view, width)], max(width, 20), color=color)
    return "\n".join(lines)


def _lines(parts: Sequence[Text | Table], width: int, *, color: bool) -> list[str]:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, no_wrap=True, overflow="ellipsis", crop=True)
    text = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    return [line.rstrip() for line in text.removesuffix("\n").split("\n")]


def _head(board: Board, view: ScreenView) -> list[Text]:
    first = Text.assemble(("top", "bold"), f"  {_many(board.servers, 'server')}")
    if board.servers_down:
        first.append(f", {board.servers_down} not answering", style="bold red")
    first.append(f", {_many(board.sessions_there, 'session')}  ")
    age = 0.0 if view.now is None else view.now - board.timestamp
    if age > max(3 * board.interval_seconds, _OLD_SECONDS):
        first.append(f"this is {span(age)} old  ", style="bold red")
    first.append(view.source, style="dim")
    second = _agents(board)
    second.append(f"  CPU {cores(board.cost.cpu_cores)}  memory {short_bytes(board.cost.memory_bytes)}")
    third = Text.assemble(_leaks(board.owed), "  ", _check_ins(board.owed, board.timestamp))
    return [first, second, third]


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _agents(board: Board) -> Text:
    text = Text(_many(sum(board.agents.values()), "agent"))
    for place, (state, count) in enumerate(board.agents.items()):
        text.append(": " if place == 0 else ", ")
        text.append(f"{count} {state}", style=STATE_STYLES.get(state, ""))
    return text


def _leaks(owed: LeaksAndSchedulers) -> Text:
    if not owed.leaks:
        return Text("nothing leaked")
    return Text(f"{owed.leaks} leaked ({short_bytes(owed.leaked_memory_bytes)})", style="yellow")


def _check_ins(owed: LeaksAndSchedulers, now: float) -> Text:
    if not owed.check_ins:
        return Text("no scheduler pending")
    text = Text(_many(owed.check_ins, "scheduler"))
    if owed.in_trouble:
        text.append(f", {owed.in_trouble} in trouble", style="bold red")
    if owed.next_due_timestamp_seconds is not None:
        text.append(f", next {_due(owed, now)}")
    return text


def _foot(view: ScreenView) -> Text:
    if view.editing:
        return Text.assemble(
            ("filter: ", "bold"), view.filter, ("▏", "bold"), ("  Enter keeps, Esc clears", "dim")
        )
    if view.note:
        return Text(view.note, style="bold")
    if view.filter:
        return Text.assemble((f"filter: {view.filter}", "bold"), ("  Esc clears  ", "dim"), (KEYS, "dim"))
    return Text(KEYS, style="dim")


_Cells = dict[str, Text]


def _help() -> Iterator[Text]:
    yield Text("keys", style="bold")
    for keys, what in HELP:
        yield Text.assemble((f"  {keys:<14}", "bold"), what)
    yield Text("")
    yield Text("any key goes back", style="dim")


def _table(board: Board, view: ScreenView, width: int, chosen: int | None = None) -> Table:
    wide = width >= WIDE
    several = len({each.server for each in board.sessions}) > 1
    columns = [each for each in COLUMNS if (wide or not each.wide) and each.from_width <= width]
    if width < WIDER:
        columns = [each for each in columns if not each.wider]
    if not several:
        columns = [each for each in columns if each.key != "server"]
    if not any(agent.spent for session in board.sessions for agent in session.agents):
        columns = [each for each in columns if each.key not in SPENDING]
    table = Table(
        *(_column(each, width, chosen=each.sort is view.sort) for each in columns),
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        expand=width < _ROOMY,
        header_style="reverse",
    )
    for place, row in enumerate(_rows(board, wide=wide, several=several)):
        style = "reverse" if place == chosen else ""
        table.add_row(*(row.get(each.key, Text("")) for each in columns), style=style)
    if not board.sessions:
        table.add_row(Text("nothing fits the filter" if view.filter else "no session", style="dim"))
    return table


def _column(column: ColumnOf, width: int, *, chosen: bool) -> Column:
    most = column.most if width >= WIDER else column.most and min(column.most, _CRAMPED)
    return Column(
        Text(f"{column.title}▾" if chosen else column.title),
        justify="right" if column.right else "left",
        no_wrap=True,
        overflow="ellipsis",
        ratio=1 if column.key == "name" and width < _ROOMY else None,
        min_width=column.least,
        max_width=_MOST_NAME if column.key == "name" and width >= _ROOMY else most,
    )


def _rows(board: Board, *, wide: bool, several: bool) -> Iterator[_Cells]:
    for session in board.sessions:
        yield _session_cells(session, board.timestamp, several=several and not wide)
        for agent in session.agents:
            yield _agent_cells(agent, board.timestamp, wide=wide)


def _session_cells(session: SessionRow, now: float, *, several: bool) -> _Cells:
    name = Text(session.session or "(no session)", style="dim" if session.gone else "bold")
    if several and session.server:
        name.append(f" {session.server}", style="dim not bold")
    leaks = session.owed.leaks
    cells = {
        "name": name,
        "leaks": Text(str(leaks), style="yellow") if leaks else Text("-", style="dim"),
        "next": _next(session.owed, now),
        "server": Text(session.server, style="dim"),
    }
    if session.gone:
        return cells | {"state": Text("gone", style="dim")}
    cells |= {
        "state": Text("attached" if session.attached_clients else "", style="dim"),
        "processes": Text(str(session.cost.processes)),
        **_cost_cells(session.cost),
    }
    if session.cpu_incomplete_ratio > INCOMPLETE_RATIO:
        cells["cpu"] = Text(f"≥{cells['cpu']}", style="yellow")
    return cells


def _agent_cells(agent: AgentRow, now: float, *, wide: bool) -> _Cells:
    name = Text(f"  {agent.agent}")
    if not wide and agent.program not in agent.agent.lower():
        name.append(f" {agent.program}", style="dim")
    waiting = agent.state == "waiting"
    # Where there is no room for both, what it waits for says that it does.
    said = agent.state if wide or not waiting else _SHORT_REASONS.get(agent.reason, agent.reason or "waiting")
    style = STATE_STYLES.get(agent.state, "")
    since, ends = agent.state_since_timestamp_seconds, agent.usage_limit_reset_timestamp_seconds
    reason = agent.reason.replace("_", " ")
    if ends is not None and ends > now:
        reason = f"limit, {span(ends - now)}"
        said = agent.state if wide else reason
    cells = {
        "name": name,
        "program": Text(agent.program),
        "state": Text(said, style=style),
        "reason": Text(reason, style=style),
        "since": Text(span(max(0.0, now - since)) if since else UNKNOWN, style=style if waiting else ""),
        "pane": Text(agent.pane, style="dim"),
    }
    if agent.state == "exited":
        return cells
    return cells | {
        "processes": Text(str(agent.cost.processes)),
        "helpers": Text(_helpers(agent), style="dim"),
        **_cost_cells(agent.cost),
        **(_spent_cells(agent.spent) if agent.spent else {}),
    }


def _helpers(agent: AgentRow) -> str:
    """Those with the most memory first: `3 mcp 1 web 2 sh`."""
    largest = sorted(agent.helpers.items(), key=lambda each: -(each[1]["memory_bytes"] or 0))
    return " ".join(f"{found['count']} {_SHORT_KINDS.get(kind, kind)}" for kind, found in largest)


def _cost_cells(cost: RowUsage) -> _Cells:
    ratio = cost.memory_ratio
    strained = "" if ratio is None or ratio < _NEARLY else "yellow" if ratio < _ALMOST else "bold red"
    return {
        "cpu": Text(cores(cost.cpu_cores)),
        "memory": Text(short_bytes(cost.memory_bytes), style=strained),
        "limit": Text("-" if ratio is None else f"{ratio:.0%}", style=strained or "dim"),
        "fds": Text(number(cost.open_fds)),
    }


def _spent_cells(spent: RowSpending) -> _Cells:
    ratio = spent.context_ratio
    return {
        "cost": Text(dollars(spent.cost_dollars, whole=spent.whole)),
        "tokens": Text(short_count(spent.tokens)),
        "context": Text(
            UNKNOWN if ratio is None else f"{ratio:.0%}",
            style="dim" if ratio is None else "" if ratio < _NEARLY else "yellow",
        ),
    }


def _next(owed: LeaksAndSchedulers, now: float) -> Text:
    if not owed.check_ins:
        return Text("-", style="dim")
    return Text(
        _due(owed, now) + ("!" if owed.in_trouble else ""), style="bold red" if owed.in_trouble else ""
    )


def _due(owed: LeaksAndSchedulers, now: float) -> str:
    return due_words(owed.next_due_timestamp_seconds, now)
