"""What is opened in `top`, as lines; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tmux_exporter.commands.top.figures import due_words, short_bytes
from tmux_exporter.commands.top.rows import Document, RowKey
from tmux_exporter.commands.views.text_table import number, span

Thing = Mapping[str, Any]


def detail_lines(document: Document, key: RowKey, told: Thing | None) -> Sequence[tuple[str, str]]:
    """What is opened, as lines with their styles; `told` is its detail, None while it is not there."""
    thing = _thing(document, key)
    lines = [(" ".join(each for each in key if each), "bold"), ("", "")]
    if thing is None:
        return [*lines, ("it is not there any more", "yellow")]
    width = max(map(len, thing), default=0)
    lines += [(f"  {name:<{width}}  {value}", "") for name, value in thing.items()]
    if told is None:
        return [*lines, ("", ""), ("its processes are being asked for …", "dim")]
    for clue in told.get("clues", ()):
        said = (clue["state"] or "nothing sure").replace("_", " ")
        lines.append((f"  {'not decisive':<{width}}  {clue['source'].replace('_', ' ')}: {said}", "dim"))
    lines += [("", ""), (f"  {'PROCESS':<24}{'PID':>8}{'MEM':>7}{'CPU':>9}{'FDS':>6}  BELONGS BY", "reverse")]
    for each, depth in _tree(told["processes"]):
        name = f"{'  ' * min(depth, 6)}{each['name']}"[:23]
        memory, cpu = short_bytes(each["memory_bytes"]), f"{each['cpu_seconds_total']:.1f}s"
        fds, why = number(each["open_fds"]), each["evidence"].replace("_", " ")
        lines.append((f"  {name:<24}{each['pid']:>8}{memory:>7}{cpu:>9}{fds:>6}  {why}", ""))
    if told["left_out"]:
        lines.append((f"  and {told['left_out']} smaller ones", "dim"))
    return lines


def _tree(processes: Sequence[Thing]) -> Iterable[tuple[Thing, int]]:
    """Parents before their children, each with its depth."""
    there = {each["pid"] for each in processes}
    below: dict[int | None, list[Thing]] = {}
    for each in processes:
        below.setdefault(each["parent"] if each["parent"] in there - {each["pid"]} else None, []).append(each)
    todo = [(each, 0) for each in reversed(below.get(None, ()))]
    while todo:
        each, depth = todo.pop()
        yield each, depth
        todo += [(child, depth + 1) for child in reversed(below.get(each["pid"], ()))]


_FACTS = (
    *("state", "state_source", "waiting_reason", "program", "version", "role", "window", "pane", "kind"),
    *("targets", "remarks", "due_timestamp_seconds", "up", "held", "reason", "group", "attached_clients"),
    *("panes", "restarts_total", "pid", "start_time_seconds", "attach_command"),
)


def _thing(document: Document, key: RowKey) -> dict[str, str] | None:
    """Facts of a thing by their names; None where the report lacks it."""
    kinds = {"scheduler": ("schedulers", "pid"), "leak": ("leaks", "pid"), "server": ("servers", "server")}
    match key:
        case (server, session, ""):
            names, where = {"server": server, "session": session}, "sessions"
        case (server, session, agent):
            names, where = {"server": server, "session": session, "agent": agent}, "agents"
        case (kind, name) if kind in kinds:
            where, field = kinds[kind]
            names = {field: name}
        case _:
            return None
    found = next(
        (each for each in document[where] if all(str(each[name]) == value for name, value in names.items())),
        None,
    )
    if found is None:
        return None
    facts = {
        name: _fact(name, found[name], document["timestamp"]) for name in _FACTS if _is_said(found, name)
    }
    usage = found.get("usage")
    if usage:
        facts["memory"] = short_bytes(usage["memory_bytes"])
        facts["cpu time"] = f"{usage['cpu_seconds_total']:.1f}s"
        facts["open fds"] = number(usage["open_fds"])
    return facts


def _is_said(thing: Thing, name: str) -> bool:
    return thing.get(name) not in (None, "", [], ())


def _fact(name: str, value: Any, now: float) -> str:  # noqa: ANN401 - of a report
    if name == "due_timestamp_seconds":
        return due_words(value, now)
    if name == "start_time_seconds":
        return f"{span(max(0.0, now - value))} ago"
    if isinstance(value, list):
        return ", ".join(str(each).replace("_", " ") for each in value)
    return str(value).replace("_", " ") if name != "attach_command" else str(value)
