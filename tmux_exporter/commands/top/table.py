"""Render the board of `top` as terminal lines. The only module that imports rich."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from tmux_exporter.commands.top.rows import (
    AgentRow,
    Board,
    LeaksAndSchedulers,
    RowKey,
    RowUsage,
    SessionRow,
    Sort,
)
from tmux_exporter.commands.views.text_table import UNKNOWN, number, span
from tmux_exporter.facts.report import INCOMPLETE_RATIO

WIDE = 110
"""From this width on there is room for what a waiting agent wants, program, pane and processes."""

WIDER = 140
"""From this width on what an agent has started is shown too: names are the last to lose room."""

_CRAMPED = 8
"""Columns that are bounded are no wider than this below WIDER: names come first."""

_OLD_SECONDS = 10.0
_NEARLY, _ALMOST = 0.7, 0.9
_STATE_STYLES = {"waiting": "bold red", "exited": "yellow", "unknown": "dim", "working": "green", "idle": ""}
_SHORT_REASONS = {"usage_limit": "limit", "other": "waiting"}
_SHORT_KINDS = {"mcp_server": "mcp", "language_server": "lsp", "browser": "web", "shell": "sh"}
KEYS = "q quit  ? help  / filter  ↑↓ choose  a attach  y copy  sort: s c m f l d n"
HELP = (
    ("↑↓ jk", "choose a row; PgUp PgDn Home End too"),
    ("a", "attach this terminal to its agent; detach to come back"),
    ("y", "copy the command for that (OSC 52, where the terminal takes it)"),
    ("/", "filter: rows with all its words; Enter keeps it, Esc clears it"),
    ("s c m f l d n", "sort by state, CPU, memory, fds, leaks, next due, name"),
    ("Ctrl-Z", "stop; fg goes on"),
    ("q Ctrl-C", "end"),
)
"""Keys and what they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """The user's view: the row that is chosen; `editing` while the filter is being typed, `help` on `?`.

    `note` is told once, in place of the keys. `source` says where the report comes from; `now` is wall time,
    None where the report has just been taken.
    """

    sort: Sort
    filter: str
    source: str
    now: float | None = None
    selected: RowKey | None = None
    editing: bool = False
    help: bool = False
    note: str = ""


def frame(board: Board | None, view: ScreenView, width: int, height: int) -> list[str]:
    """The lines of a whole screen, at most `height`, with colours as escape codes."""
    width = max(width, 20)
    if board is None:
        return _lines([Text("taking the first sample …", style="dim")], width, color=True)
    if view.help:
        return _lines([*_help()], width, color=True)[:height]
    place = place_of(board, view.selected)
    head = _lines(_head(board, view), width, color=True)
    body = _lines([_table(board, view, width, chosen=place)], width, color=True)
    foot = _lines([_foot(view)], width, color=True)[:1]
    title, rows = body[:1], body[1:]
    room = max(1, height - len(head) - len(title) - len(foot) - 1)
    # A full screen where there is enough for one, the chosen row in its middle.
    offset = max(0, min((place or 0) - room // 2, len(rows) - room))
    shown = rows[offset : offset + room]
    more = len(rows) - offset - len(shown)
    rest = _lines([Text(f"{more} more below" if more else "", style="dim")], width, color=True)[:1]
    return [*head, *title, *shown, *[""] * (room - len(shown)), *rest, *foot][:height]


def place_of(board: Board, selected: RowKey | None) -> int | None:
    """The line of a row below the title; None where it is not there (any more)."""
    return board.keys.index(selected) if selected in board.keys else None


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
    second.append(f"  CPU {_cores(board.cost.cpu_cores)}  memory {_bytes(board.cost.memory_bytes)}")
    third = Text.assemble(_leaks(board.owed), "  ", _check_ins(board.owed, board.timestamp))
    return [first, second, third]


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _agents(board: Board) -> Text:
    text = Text(_many(sum(board.agents.values()), "agent"))
    for place, (state, count) in enumerate(board.agents.items()):
        text.append(": " if place == 0 else ", ")
        text.append(f"{count} {state}", style=_STATE_STYLES.get(state, ""))
    return text


def _leaks(owed: LeaksAndSchedulers) -> Text:
    if not owed.leaks:
        return Text("nothing leaked")
    return Text(f"{owed.leaks} leaked ({_bytes(owed.leaked_memory_bytes)})", style="yellow")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column: its cells are found by `key`; `sort` orders the rows by it.

    `least` keeps it from jumping to and fro with its figures; a `wide` one needs a wide terminal, the
    one that is `wider` still more.
    """

    key: str
    title: str
    sort: Sort | None = None
    right: bool = False
    wide: bool = False
    wider: bool = False
    least: int | None = None
    most: int | None = None


_COLUMNS = (
    _Column(key="name", title="SESSION / AGENT", sort=Sort.NAME, least=15),
    _Column(key="program", title="PROGRAM", wide=True, least=8, most=11),
    _Column(key="state", title="STATE", sort=Sort.STATE, least=10),
    _Column(key="reason", title="FOR", wide=True, least=11),
    _Column(key="since", title="SINCE", right=True, least=7),
    _Column(key="cpu", title="CPU", sort=Sort.CPU, right=True, least=5),
    _Column(key="memory", title="MEM", sort=Sort.MEMORY, right=True, least=4),
    _Column(key="limit", title="LIM", right=True, least=4),
    _Column(key="fds", title="FDS", sort=Sort.FDS, right=True, least=4),
    _Column(key="processes", title="PROCS", right=True, wide=True),
    _Column(key="helpers", title="HELPERS", wide=True, wider=True, most=24),
    _Column(key="pane", title="PANE", wide=True),
    _Column(key="leaks", title="LEAK", sort=Sort.LEAKS, right=True, least=5),
    _Column(key="next", title="NEXT", sort=Sort.DUE, right=True, least=8),
    _Column(key="server", title="SERVER", wide=True, most=24),
)

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
    columns = [each for each in _COLUMNS if wide or not each.wide]
    if width < WIDER:
        columns = [each for each in columns if not each.wider]
    if not several:
        columns = [each for each in columns if each.key != "server"]
    table = Table(
        *(_column(each, width, chosen=each.sort is view.sort) for each in columns),
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        expand=True,
        header_style="reverse",
    )
    for place, row in enumerate(_rows(board, wide=wide, several=several)):
        style = "reverse" if place == chosen else ""
        table.add_row(*(row.get(each.key, Text("")) for each in columns), style=style)
    if not board.sessions:
        table.add_row(Text("nothing fits the filter" if view.filter else "no session", style="dim"))
    return table


def _column(column: _Column, width: int, *, chosen: bool) -> Column:
    most = column.most if width >= WIDER else column.most and min(column.most, _CRAMPED)
    return Column(
        Text(f"{column.title}▾" if chosen else column.title),
        justify="right" if column.right else "left",
        no_wrap=True,
        overflow="ellipsis",
        ratio=1 if column.key == "name" else None,
        min_width=column.least,
        max_width=most,
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
    style = _STATE_STYLES.get(agent.state, "")
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
    }


def _helpers(agent: AgentRow) -> str:
    """Those with the most memory first: `3 mcp 1 web 2 sh`."""
    largest = sorted(agent.helpers.items(), key=lambda each: -(each[1]["memory_bytes"] or 0))
    return " ".join(f"{found['count']} {_SHORT_KINDS.get(kind, kind)}" for kind, found in largest)


def _cost_cells(cost: RowUsage) -> _Cells:
    ratio = cost.memory_ratio
    strained = "" if ratio is None or ratio < _NEARLY else "yellow" if ratio < _ALMOST else "bold red"
    return {
        "cpu": Text(_cores(cost.cpu_cores)),
        "memory": Text(_bytes(cost.memory_bytes), style=strained),
        "limit": Text("-" if ratio is None else f"{ratio:.0%}", style=strained or "dim"),
        "fds": Text(number(cost.open_fds)),
    }


def _next(owed: LeaksAndSchedulers, now: float) -> Text:
    if not owed.check_ins:
        return Text("-", style="dim")
    return Text(
        _due(owed, now) + ("!" if owed.in_trouble else ""), style="bold red" if owed.in_trouble else ""
    )


def _due(owed: LeaksAndSchedulers, now: float) -> str:
    if owed.next_due_timestamp_seconds is None:
        return UNKNOWN
    left = owed.next_due_timestamp_seconds - now
    if left > 36_500 * 86_400:
        return "never"
    return span(left) if left >= 0 else f"-{span(-left)}"


def _cores(cores: float | None) -> str:
    """As a share of one core: 1 is 100 %."""
    if cores is None:
        return UNKNOWN
    return f"{cores:.1%}" if cores < 0.1 else f"{cores:.0%}"


def _bytes(count: int | None) -> str:
    """Four characters or so: `8.4M`, `226M`, `1.2G`."""
    if count is None:
        return UNKNOWN
    value = float(count)
    for unit in ("B", "K", "M", "G"):
        if value < 1000 or unit == "G":
            return f"{value:.1f}{unit}" if value < 10 and unit != "B" else f"{value:.0f}{unit}"
        value /= 1024
    raise AssertionError("the last unit returns")
