"""What agents have spent since they started, of the JSON of a report: a table, and JSON-ready data."""

from collections.abc import Iterable, Mapping
from typing import Any

from tmux_exporter.commands.views.text_table import UNKNOWN, columns, span, table
from tmux_exporter.facts.spending import TokenKind

Row = dict[str, Any]

_SUMS = ("requests", "turns", *map(str, TokenKind), "cost_dollars", "unpriced_tokens")
_FIGURES = ("INPUT>", "CACHE READ>", "CACHE WRITE>", "OUTPUT>", "COST>")
_KEYS = {
    "agent": ("server", "session", "agent", "program", "state"),
    "session": ("server", "session", "agents"),
    "model": ("model", "agents"),
    "day": ("day", "program"),
}

_NOTHING = {
    "model": "no agent runs whose file is known",
    "day": "none of your agents' files has a request of these days",
}
_DAYS = "by the times in your agents' files, those that ended too, in days of your time zone"


def as_dict(document: Mapping[str, Any], by: str) -> dict[str, Any]:
    """The agents that run, their sums by session or those by model, the dearest first.

    `whole` is False where more was spent than is known. Of an agent whose file is not known all figures are
    null; sums have those of the others, and are not whole. Requests and turns are not told by model.
    """
    running = [each for each in document["agents"] if each.get("pid") is not None]
    agents = [_agent(each) for each in running]
    if by == "agent":
        rows = agents
    elif by == "session":
        rows = _summed(agents, ("server", "session"))
    else:
        rows = _summed([row for each in running for row in _models(each)], ("model",))
    rows.sort(key=lambda row: (-(row["cost_dollars"] or 0.0), -(row["output"] or 0), str(row)))
    return {
        "version": 1,
        "timestamp": document["timestamp"],
        "by": by,
        "prices_as_of": document.get("prices_as_of"),
        "rows": rows,
    }


def as_text(found: Mapping[str, Any]) -> str:
    """The rows as a table for a terminal, with what its marks mean."""
    rows, by = found["rows"], found["by"]
    if not rows:
        return _NOTHING.get(by, "no agent runs")
    keys = _KEYS[by]
    more = ("CONTEXT>", "PROMPTED>") if by == "agent" else ()
    requests = ("REQUESTS>",) if by != "model" else ()
    titles = columns(*(key.upper() for key in keys), *requests, *_FIGURES, *more)
    lines = table(titles, [_cells(row, by, found["timestamp"]) for row in rows])
    lines.append("")
    lines.append(f"  {'since each agent started' if by != 'day' else _DAYS}; {_of_prices(found)}")
    if found.get("unread"):
        lines.append(f"  {sum(found['unread'].values())} files or databases could not be read")
    if any(not row["whole"] or row["unpriced_tokens"] for row in rows):
        lines.append("  +  at least that: more was spent before it was known, or has no price")
    if any(row["input"] is None for row in rows):
        lines.append("  ?  its program writes no file that is surely its own (docs/spending.md)")
    return "\n".join(lines)


def _of_prices(found: Mapping[str, Any]) -> str:
    if found["prices_as_of"] is None:
        return "your table of prices could not be read: only what programs say themselves has a cost"
    return f"cost as the program says, else by prices of {found['prices_as_of']} (an estimate)"


def _agent(agent: Mapping[str, Any]) -> Row:
    spending = agent.get("spending")
    row: Row = {name: agent[name] for name in _KEYS["agent"]}
    models = spending["since_start"]["models"].values() if spending else None
    for name in _SUMS:
        row[name] = None if models is None else sum(each.get(name, 0) for each in models)
    row["context_tokens"] = row["context_window_tokens"] = row["last_prompt_timestamp_seconds"] = None
    row["exactness"], row["whole"] = None, False
    if spending:
        since = spending["since_start"]
        row.update(requests=since["requests"], turns=since["turns"], whole=since["whole"])
        for name in ("context_tokens", "context_window_tokens", "last_prompt_timestamp_seconds", "exactness"):
            row[name] = spending[name]
    return row


def _models(agent: Mapping[str, Any]) -> Iterable[Row]:
    """What each model has got of an agent."""
    spending = agent.get("spending")
    since: Mapping[str, Any] = spending["since_start"] if spending else {"models": {}, "whole": False}
    for model, figures in since["models"].items():
        yield {"model": model, "requests": None, "turns": None, **figures, "whole": since["whole"]}


def _summed(rows: Iterable[Row], keys: tuple[str, ...]) -> list[Row]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        {
            **dict(zip(keys, group, strict=True)),
            "agents": len(parts),
            **{name: _sum(part[name] for part in parts) for name in _SUMS},
            "whole": all(part["whole"] for part in parts),
        }
        for group, parts in groups.items()
    ]


def _sum(values: Iterable[Any]) -> Any:  # noqa: ANN401 - of the type of its figures
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _cells(row: Row, by: str, now: float) -> list[str]:
    written = _sum((row["cache_write_5m"], row["cache_write_1h"]))
    figures = [row["input"], row["cache_read"], written, row["output"]]
    figures = [row["requests"], *figures] if by != "model" else figures
    cells = [*(str(row[key]) for key in _KEYS[by]), *map(_tokens, figures), _dollars(row)]
    if by == "agent":
        prompted = row["last_prompt_timestamp_seconds"]
        cells += [_fill(row), UNKNOWN if prompted is None else span(max(0.0, now - prompted))]
    return cells


def _tokens(count: int | None) -> str:
    if count is None:
        return UNKNOWN
    return str(count) if count < 10_000 else f"{count / 1e3:.1f}k" if count < 1e6 else f"{count / 1e6:.2f}M"


def _dollars(row: Row) -> str:
    if row["cost_dollars"] is None:
        return UNKNOWN
    if row["unpriced_tokens"] and not row["cost_dollars"]:
        return "no price"
    return f"${row['cost_dollars']:.2f}" + ("" if row["whole"] and not row["unpriced_tokens"] else "+")


def _fill(row: Row) -> str:
    tokens, window = row["context_tokens"], row["context_window_tokens"]
    if tokens is None:
        return UNKNOWN
    return f"{_tokens(tokens)} {tokens / window:.0%}" if window else _tokens(tokens)
