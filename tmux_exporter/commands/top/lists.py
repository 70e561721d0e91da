"""The flat views of `top`: agents, schedulers, leaks, operations, the remediator and servers; pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tmux_exporter.commands.top.figures import cores, due_words, short_bytes
from tmux_exporter.commands.top.rows import URGENCY, Document, Rates, RowKey
from tmux_exporter.commands.views.schedulers import TROUBLE
from tmux_exporter.commands.views.text_table import UNKNOWN, number, span
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.facts.leaks import LeakKind

Thing = Mapping[str, Any]


class Tab(StrEnum):
    """The views, in the order of their keys 1 to 7. SESSIONS is the tree."""

    AGENTS = "agents"
    SESSIONS = "sessions"
    SCHEDULERS = "schedulers"
    LEAKS = "leaks"
    OPERATIONS = "operations"
    REMEDIATOR = "remediator"
    SERVERS = "servers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A text, and what its column is sorted by; None comes last."""

    text: str
    value: Any = None
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListColumn:
    """A column; it is left out below `from_width` columns of the terminal: names are the last to go."""

    title: str
    right: bool = False
    from_width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One view: the rows that fit the filter, in their order, by `keys`."""

    columns: tuple[ListColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: tuple[RowKey, ...]
    sorted_by: int
    nothing: str


def listed(
    tab: Tab,
    document: Document,
    rates: Rates,
    *,
    words: str = "",
    column: int | None = None,
    reverse: bool = False,
) -> Listed:
    """The rows of one view that have all words, by a column: by default by what needs somebody first."""
    view = _VIEWS[tab]
    found = [
        (key, cells)
        for key, cells in view.rows(document, rates)
        if all(word in " ".join(cell.text for cell in cells).lower() for word in words.lower().split())
    ]
    place = view.sorted_by if column is None else column % len(view.columns)

    def value(row: Row) -> Any:  # noqa: ANN401 - of the type of its column
        found = row[1][place].value
        return found.lower() if isinstance(found, str) else found

    found.sort(key=lambda row: row[0])
    unknown = [row for row in found if value(row) is None]
    # Of figures the largest is looked for.
    down = reverse != (view.down if column is None else view.columns[place].right)
    known = sorted((row for row in found if value(row) is not None), key=value, reverse=down)
    ordered = [*known, *unknown]
    return Listed(
        columns=view.columns,
        rows=tuple(cells for _, cells in ordered),
        keys=tuple(key for key, _ in ordered),
        sorted_by=place,
        nothing="nothing fits the filter" if words else view.nothing,
    )


def wanted(key: RowKey | None) -> Wanted | None:
    """What a row is about, where there is more to tell of it."""
    match key:
        case (server, session, agent):
            return Wanted(server=server, session=session, agent=agent)
        case ("scheduler" | "leak", pid):
            return Wanted(pid=int(pid))
        case ("server", server):
            return Wanted(server=server)
        case _:
            return None


Row = tuple[RowKey, tuple[Cell, ...]]


def _agents(document: Document, rates: Rates) -> Iterable[Row]:
    for each in document["agents"]:
        names = (each["server"], each["session"], each["agent"])
        since = each["state_since_timestamp_seconds"]
        state, style = each["state"], STATE_STYLES.get(each["state"], "")
        usage, rate = each["usage"], rates.of(("agent", *names))
        waited = max(0.0, document["timestamp"] - since)
        yield (
            names,
            (
                _text(each["agent"]),
                Cell(text=state, value=(URGENCY.index(state), since), style=style),
                Cell(text=span(waited) if since else UNKNOWN, value=waited if since else None, style=style),
                Cell(text=cores(rate), value=rate),
                Cell(text=short_bytes(usage["memory_bytes"]), value=usage["memory_bytes"]),
                _text((each["waiting_reason"] or "").replace("_", " "), style),
                _text(each["session"]),
                _text(each["program"]),
                _text(each["pane"], "dim"),
                _count(usage["open_fds"]),
                _count(usage["processes"]),
            ),
        )


def _schedulers(document: Document, _: Rates) -> Iterable[Row]:
    for each in document["schedulers"]:
        due = each["due_timestamp_seconds"]
        style = "bold red" if each["state"] in TROUBLE else ""
        targets = [target or "?" for target in each.get("targets", ())]
        yield (
            ("scheduler", str(each["pid"])),
            (
                _text(", ".join(targets) or UNKNOWN),
                Cell(text=each["state"].replace("_", " "), value=(not style, due or 0.0), style=style),
                Cell(text=due_words(due, document["timestamp"]), value=due, style=style),
                _count(each["pid"]),
                _text(each["session"] or UNKNOWN),
                Cell(text=short_bytes(each["memory_bytes"]), value=each["memory_bytes"]),
                _text(", ".join(each["remarks"]).replace("_", " "), "dim"),
            ),
        )


def _leaks(document: Document, _: Rates) -> Iterable[Row]:
    for each in document["leaks"]:
        if each["kind"] == LeakKind.SCHEDULER:
            continue
        started = each["start_time_seconds"]
        yield (
            ("leak", str(each["pid"])),
            (
                _text(each["kind"].replace("_", " ")),
                Cell(text=str(each["pid"]), value=each["pid"]),
                Cell(text=short_bytes(each["memory_bytes"]), value=each["memory_bytes"]),
                Cell(
                    text=span(max(0.0, document["timestamp"] - started)),
                    value=document["timestamp"] - started,
                ),
                _text(each["session"] or UNKNOWN),
                _text(each["pane"] or UNKNOWN, "dim"),
                _count(each["open_fds"]),
            ),
        )


def _operations(document: Document, _: Rates) -> Iterable[Row]:
    for each in document.get("operations") or ():
        done, errors = each["count"], sum(each["errors"].values())
        mean = each["seconds_total"] / done if done else None
        yield (
            ("operation", each["operation"]),
            (
                _text(each["operation"]),
                _count(done),
                Cell(text=UNKNOWN if mean is None else f"{mean:.2g}s", value=mean),
                Cell(text=str(errors), value=errors, style="yellow" if errors else ""),
                _count(each["in_flight"]),
                _count(each["retries_total"]),
            ),
        )


def _policies(document: Document, _: Rates) -> Iterable[Row]:
    for each in (document.get("remediator") or {}).get("policies", ()):
        acts = ", ".join(f"{act['action']}: {act['outcome']} {act['count']}" for act in each["actions"])
        yield (
            ("policy", each["policy"]),
            (
                _text(each["policy"]),
                _count(each["matches"]),
                _text(acts.replace("_", " ") or "nothing yet"),
                _count(sum(each["refusals"].values())),
                _count(each["leases"]),
            ),
        )


def _servers(document: Document, _: Rates) -> Iterable[Row]:
    for each in document["servers"]:
        state = "up" if each["up"] else "ended" if each["ended"] else f"not answering: {each['reason']}"
        style = "" if each["up"] else "dim" if each["ended"] else "bold red"
        yield (
            ("server", each["server"]),
            (
                _text(each["server"]),
                Cell(text=state, value=(each["up"], each["ended"]), style=style),
                *(_count(each[name]) for name in ("sessions", "panes", "clients")),
                Cell(text=short_bytes(each["resident_memory_bytes"]), value=each["resident_memory_bytes"]),
                _count(each["open_fds"]),
                _text(each["version"] or UNKNOWN),
            ),
        )
    if host := document.get("host"):
        none = _text(UNKNOWN)
        # The last one, whichever way the servers stand.
        words = Cell(text=_host_words(host), value=(True, True))
        yield ("host",), (_text("this host"), words, none, none, none, none, none, none)


def _host_words(host: Thing) -> str:
    free, memory, load = (host[name] for name in ("memory_available_bytes", "memory_bytes", "load1"))
    words = (
        "" if free is None else f"{short_bytes(free)} of {short_bytes(memory)} available",
        "" if load is None else f"load {load:.2f}",
        "" if host["processes"] is None else f"{host['processes']} processes",
    )
    return ", ".join(filter(None, words)) or UNKNOWN


STATE_STYLES = {"waiting": "bold red", "exited": "yellow", "unknown": "dim", "working": "green", "idle": ""}


def _text(text: str, style: str = "") -> Cell:
    return Cell(text=text, value=text, style=style)


def _count(count: int | None) -> Cell:
    return Cell(text=number(count), value=count)


def _columns(*told: str | tuple[str, int]) -> tuple[ListColumn, ...]:
    """Titles, those of figures with `>`; with the width of the terminal from which on they are shown."""
    pairs = [(each, 0) if isinstance(each, str) else each for each in told]
    return tuple(
        ListColumn(title=title.removesuffix(">"), right=title.endswith(">"), from_width=width)
        for title, width in pairs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    columns: tuple[ListColumn, ...]
    rows: Callable[[Document, Rates], Iterable[Row]]
    nothing: str
    sorted_by: int = 1
    down: bool = False


_VIEWS: Mapping[Tab, _View] = {
    Tab.AGENTS: _View(
        columns=_columns(
            *("AGENT", "STATE", "SINCE>", ("CPU>", 50), ("MEM>", 56), ("FOR", 76), ("SESSION", 66)),
            *(("PROGRAM", 96), ("PANE", 110), ("FDS>", 120), ("PROCS>", 130)),
        ),
        rows=_agents,
        nothing="no agent",
    ),
    Tab.SCHEDULERS: _View(
        columns=_columns(
            "TARGET", "STATE", "DUE>", ("PID>", 50), ("SESSION", 60), ("MEM>", 72), ("REMARKS", 90)
        ),
        rows=_schedulers,
        nothing="no scheduler pending",
    ),
    Tab.LEAKS: _View(
        columns=_columns("KIND", "PID>", "MEM>", ("AGE>", 40), ("LEFT BY", 50), ("PANE", 66), ("FDS>", 72)),
        rows=_leaks,
        nothing="nothing leaked",
        sorted_by=3,
        down=True,
    ),
    Tab.OPERATIONS: _View(
        columns=_columns("OPERATION", "DONE>", "MEAN>", "FAILED>", ("UNDER WAY>", 56), ("RETRIES>", 66)),
        rows=_operations,
        nothing="no operation was reported here",
        sorted_by=0,
    ),
    Tab.REMEDIATOR: _View(
        columns=_columns("POLICY", "MATCH>", ("DID OR WOULD", 50), ("LEFT ALONE>", 66), ("THROTTLED>", 80)),
        rows=_policies,
        nothing="no remediator has run",
        sorted_by=0,
    ),
    Tab.SERVERS: _View(
        columns=_columns(
            *("SERVER", "STATE", "SESSIONS>", ("PANES>", 48), ("CLIENTS>", 60), ("MEM>", 66), ("FDS>", 72)),
            ("TMUX", 80),
        ),
        rows=_servers,
        nothing="no server",
    ),
}
