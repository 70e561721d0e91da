"""The figures of each subject of `check`, from the JSON of a report; pure.

Default ranges are the numbers of the alerts: what pages somebody there is CRITICAL here, the rest WARNING.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tmux_exporter.alerting.base.thresholds import LEVELS, Thresholds
from tmux_exporter.commands.check.ranges import Range, above
from tmux_exporter.commands.check.verdict import Figure
from tmux_exporter.commands.top.rows import Rates
from tmux_exporter.commands.views.schedulers import TROUBLE
from tmux_exporter.commands.views.text_table import known_sum, size, span
from tmux_exporter.facts.schedulers import SchedulerState

Document = Mapping[str, Any]

_NOT_MEANT_TO_ANSWER = frozenset(("denied", "untrusted"))
_PAGES = ("P1", "P2")


class Subject(StrEnum):
    """What can be checked."""

    MEMORY = "memory"
    CPU = "cpu"
    FDS = "fds"
    AGENTS = "agents"
    WAITING = "waiting"
    SCHEDULERS = "schedulers"
    LEAKS = "leaks"
    OPERATIONS = "operations"
    EXPORTER = "exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which things are checked, by their labels; empty is all of them. None is the default of a range."""

    server: str = ""
    session: str = ""
    agent: str = ""
    operation: str = ""
    warning: Range | None = None
    critical: Range | None = None

    def takes(self, thing: Mapping[str, Any]) -> bool:
        """Whether a thing of the report is among them."""
        wanted = {"server": self.server, "session": self.session, "agent": self.agent}
        return all(not name or thing.get(key) == name for key, name in wanted.items())

    @property
    def names(self) -> str:
        """The names that were given, empty without any."""
        given = (self.server, self.session, self.agent, self.operation)
        return ":".join(each for each in given if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a subject is judged by. `rates` are cores by key of `top`; `before` operations of earlier.

    `now` is wall time, by the clock of this machine.
    """

    document: Document
    now: float
    thresholds: Thresholds
    rates: Rates = field(default_factory=Rates)
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The figures of a subject, what is said where all is well, and what cannot be seen."""

    figures: tuple[Figure, ...]
    calm: str
    unseen: tuple[str, ...] = ()


def findings(subject: Subject, seen: Seen, wanted: Wanted) -> Findings:
    """The figures of a subject with the ranges that hold for them."""
    found = _SUBJECTS[subject](seen, wanted)
    figures = tuple(_with_ranges(each, wanted) if each.chosen else each for each in found.figures)
    unseen = found.unseen
    if subject not in (Subject.EXPORTER, Subject.OPERATIONS):
        unseen += tuple(_unseen(seen.document, wanted))
    return replace(found, figures=figures, unseen=unseen)


def _with_ranges(figure: Figure, wanted: Wanted) -> Figure:
    if wanted.warning is None and wanted.critical is None:
        return figure
    return replace(figure, warning=wanted.warning, critical=wanted.critical)


def _unseen(document: Document, wanted: Wanted) -> Iterable[str]:
    if not document["collector_success"].get("processes", True):
        yield "not all processes of this machine can be listed"
    for server in document["servers"]:
        silent = not server["up"] and not server["ended"]
        meant = server["reason"] in _NOT_MEANT_TO_ANSWER and wanted.server != server["server"]
        if silent and not meant and wanted.server in ("", server["server"]):
            yield f"tmux server {server['server']} does not answer ({server['reason'] or 'unknown'})"
    things = (*document["agents"], *document["sessions"])
    if wanted.names and not any(map(wanted.takes, things)):
        yield f"{wanted.names}: none of this name is seen"


def _levels(thresholds: Thresholds, table: str) -> tuple[Range, Range | None]:
    """The ranges, in percent, of a table that has ratios by level."""
    by_page: dict[bool, list[float]] = {True: [], False: []}
    for level in LEVELS:
        pages = thresholds.priority(table, level) in _PAGES
        by_page[pages].append(100 * thresholds.number(table, level))
    return above(min(by_page[False])), above(min(by_page[True])) if by_page[True] else None


def _label(thing: Mapping[str, Any]) -> str:
    return ":".join(thing[key] for key in ("server", "session", "agent") if key in thing)


def _users(seen: Seen, wanted: Wanted) -> list[Mapping[str, Any]]:
    """Sessions and agents that use something."""
    agents = [each for each in seen.document["agents"] if each["up"]]
    return [each for each in (*seen.document["sessions"], *agents) if wanted.takes(each)]


def _calm(users: Sequence[Mapping[str, Any]], words: str) -> str:
    agents = sum("agent" in each for each in users)
    return f"{len(users) - agents} sessions and {agents} agents {words}"


def _total(users: Sequence[Mapping[str, Any]], name: str, label: str, unit: str = "") -> Figure:
    """A sum over what was asked for; agents are a part of their sessions."""
    outermost = [each for each in users if "agent" not in each] or users
    return Figure(label=label, value=known_sum(each["usage"][name] for each in outermost) or 0, unit=unit)


def _memory(seen: Seen, wanted: Wanted) -> Findings:
    warning, critical = _levels(seen.thresholds, "agent_memory")
    users = _users(seen, wanted)
    figures = [_total(users, "memory_bytes", "memory", "B")]
    for each in users:
        used, limit = each["usage"]["memory_bytes"], each["usage"]["memory_limit_bytes"]
        percent, words = None, ""
        if used is not None and limit:
            # What is swapped out counts, as it does for the alert.
            used += each["usage"]["swap_memory_bytes"] or 0
            percent = 100 * used / limit
            words = f"{percent:.1f}% of its limit, {size(used)} of {size(limit)}"
        figures.append(
            Figure(
                label=_label(each), value=percent, unit="%", words=words, chosen=True,
                warning=warning, critical=critical,
            )
        )  # fmt: skip
    return Findings(figures=tuple(figures), calm=_calm(users, "are below their memory limits"))


def _cpu(seen: Seen, wanted: Wanted) -> Findings:
    users = _users(seen, wanted)
    figures = []
    for each in users:
        kind = "agent" if "agent" in each else "session"
        cores = seen.rates.of((kind, *(each[key] for key in ("server", "session", "agent") if key in each)))
        used = None if cores is None else 100 * cores
        figures.append(
            Figure(label=_label(each), value=used, unit="%", words=f"{used or 0:.0f}% of a core", chosen=True)
        )
    return Findings(figures=tuple(figures), calm=_calm(users, "use as much CPU as they may"))


def _fds(seen: Seen, wanted: Wanted) -> Findings:
    warning, critical = _levels(seen.thresholds, "fds")
    users = _users(seen, wanted)
    figures = [_total(users, "open_fds", "open files")]
    ratios = [(_label(each), each["usage"]["fd_utilization_ratio"]) for each in users]
    if not wanted.session and not wanted.agent:
        ratios += [
            (each["server"], each["open_fds"] / each["max_fds"])
            for each in seen.document["servers"]
            if wanted.takes(each) and each["open_fds"] is not None and each["max_fds"]
        ]
    figures += [
        Figure(
            label=label,
            value=None if ratio is None else 100 * ratio,
            unit="%",
            words="" if ratio is None else f"{100 * ratio:.0f}% of the files that its worst process may open",
            chosen=True,
            warning=warning,
            critical=critical,
        )
        for label, ratio in ratios
    ]
    return Findings(figures=tuple(figures), calm=_calm(users, "are below their limits of open files"))


def _agents(seen: Seen, wanted: Wanted) -> Findings:
    agents = [each for each in seen.document["agents"] if wanted.takes(each)]
    down = [each for each in agents if not each["up"]]
    names = ", ".join(_label(each) for each in down)
    figures = (
        Figure(
            label="up", value=len(agents) - len(down), words=f"{len(agents) - len(down)} agents", chosen=True
        ),
        Figure(label="down", value=len(down), words=f"{len(down)}: {names}", warning=above(0)),
        *(
            Figure(label=state, value=sum(each["state"] == state for each in agents))
            for state in ("working", "idle", "waiting", "unknown")
        ),
    )
    return Findings(figures=figures, calm=f"{len(agents)} agents are up")


def _waiting(seen: Seen, wanted: Wanted) -> Findings:
    agents = [each for each in seen.document["agents"] if wanted.takes(each)]
    waiting = [each for each in agents if each["state"] == "waiting"]
    longest = above(seen.thresholds.number("agent_waiting", "seconds"))
    figures = [Figure(label="waiting", value=len(waiting))]
    for each in waiting:
        seconds = max(0.0, seen.document["timestamp"] - each["state_since_timestamp_seconds"])
        words = f"waits for {each['waiting_reason'] or 'somebody'} since {span(seconds)}"
        figures.append(
            Figure(label=_label(each), value=seconds, unit="s", words=words, chosen=True, warning=longest)
        )
    unknown = sum(each["state"] == "unknown" for each in agents)
    untold = f", the state of {unknown} is not known" if unknown else ""
    return Findings(figures=tuple(figures), calm=f"{len(waiting)} of {len(agents)} agents wait{untold}")


def _schedulers(seen: Seen, wanted: Wanted) -> Findings:
    pending = [each for each in seen.document["schedulers"] if wanted.takes(each)]
    states = [SchedulerState(each["state"]) for each in pending]
    trouble = [each for each in states if each in TROUBLE]
    named = ", ".join(f"{trouble.count(state)} {state}" for state in dict.fromkeys(trouble))
    misdirected = states.count(SchedulerState.MISDIRECTED)
    figures = (
        Figure(
            label="trouble", value=len(trouble), words=f"{len(trouble)} will not arrive: {named}",
            chosen=True, warning=above(0),
        ),
        Figure(
            label="misdirected", value=misdirected, words=f"{misdirected} will be typed into a wrong program",
            critical=above(0),
        ),
        Figure(label="pending", value=len(pending)),
    )  # fmt: skip
    return Findings(figures=figures, calm=f"{len(pending)} schedulers are pending")


def _leaks(seen: Seen, wanted: Wanted) -> Findings:
    leaks = [each for each in seen.document["leaks"] if wanted.takes(each)]
    memory = known_sum(each["memory_bytes"] for each in leaks) or 0
    kinds = [each["kind"] for each in leaks]
    named = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    figures = (
        Figure(
            label="leaked", value=len(leaks), words=f"{len(leaks)} processes outlived their pane: {named}",
            chosen=True, warning=above(0),
        ),
        Figure(
            label="memory", value=memory, unit="B", words=f"leaked processes hold {size(memory)}",
            warning=above(seen.thresholds.number("leaked_memory", "bytes")),
        ),
    )  # fmt: skip
    return Findings(figures=figures, calm="no process outlived its pane")


def _operations(seen: Seen, wanted: Wanted) -> Findings:
    reported = seen.document.get("operations")
    if reported is None:
        return Findings(figures=(), calm="", unseen=("this exporter does not get the reports of operations",))
    numbers = seen.thresholds
    minutes = numbers.seconds("operations", "over") / 60
    least = numbers.number("operations", "least_per_minute") * minutes
    figures: list[Figure] = []
    finished = 0
    for each in reported:
        name = each["operation"]
        if wanted.operation not in ("", name):
            continue
        count, seconds, failed, slow = _since(each, seen.before.get(name))
        finished += count
        judged = count >= least
        part = 100 * failed / count if count else 0.0
        mean = seconds / count if count else 0.0
        figures += [
            Figure(label=f"{name} finished", value=each["count"], unit="c"),
            Figure(label=f"{name} in flight", value=each["in_flight"]),
            Figure(
                label=f"{name} failed", value=part, unit="%", words=f"{failed} of {count}, {part:.1f}%",
                chosen=judged, warning=_ratio(numbers, "operation_errors") if judged else None,
            ),
            Figure(
                label=f"{name} seconds", value=mean, unit="s", words=f"{mean:.2f} s on average",
            ),
        ]  # fmt: skip
        # An exporter that is older than this program has none.
        if (objective := each.get("objective_seconds")) is not None:
            late = 100 * slow / count if count else 0.0
            figures.append(
                Figure(
                    label=f"{name} slow", value=late, unit="%",
                    words=f"{slow} of {count} took longer than {objective:g} s, {late:.1f}%",
                    warning=_ratio(numbers, "operation_slow") if judged else None,
                )
            )  # fmt: skip
    unseen = () if figures or not wanted.operation else (f"{wanted.operation}: none of this name is seen",)
    return Findings(
        figures=tuple(figures), unseen=unseen,
        calm=f"{finished} operations have ended lately; each kind is judged from {least:g} on",
    )  # fmt: skip


def _ratio(thresholds: Thresholds, table: str) -> Range:
    return above(100 * thresholds.number(table, "warning"))


def operation_counts(document: Document) -> dict[str, list[float]]:
    """What a later check compares: by operation how many ended, in how many seconds, failed and slow ones."""
    return {each["operation"]: _counts(each) for each in document.get("operations") or ()}


def _counts(operation: Mapping[str, Any]) -> list[float]:
    failed, slow = sum(operation["errors"].values()), operation.get("slow_total") or 0
    return [operation["count"], operation["seconds_total"], failed, slow]


def _since(operation: Mapping[str, Any], before: Sequence[float] | None) -> tuple[int, float, int, int]:
    """How many ended, their seconds, how many failed and how many were slow, since an earlier check."""
    now = _counts(operation)
    # Fewer than before: the exporter was started anew. An earlier version kept no slow ones.
    known = before is not None and before[0] <= now[0] and len(before) == len(now)
    then = before if before is not None and known else (0, 0.0, 0, 0)
    count, seconds, failed, slow = (
        max(0.0, after - earlier) for after, earlier in zip(now, then, strict=True)
    )
    return int(count), seconds, int(failed), int(slow)


def _exporter(seen: Seen, _: Wanted) -> Findings:
    document = seen.document
    age = max(0.0, seen.now - document["timestamp"])
    oldest = max(
        seen.thresholds.seconds("exporter_stale", "over"),
        seen.thresholds.number("exporter_stale", "intervals") * document["interval_seconds"],
    )
    failing = sorted(name for name, works in document["collector_success"].items() if not works)
    dropped = sum(document["dropped_series"].values())
    figures = (
        Figure(
            label="age", value=age, unit="s", words=f"its last sample is {span(age)} old", chosen=True,
            critical=above(oldest),
        ),
        Figure(
            label="failing", value=len(failing), words=f"collectors fail: {', '.join(failing)}",
            warning=above(0),
            critical=above(0) if "processes" in failing else None,
        ),
        Figure(
            label="dropped", value=dropped, words=f"{dropped} series are beyond its limit", warning=above(0),
        ),
        Figure(label="sample", value=document["duration_seconds"], unit="s"),
        *(
            Figure(label=f"{result} samples", value=count, unit="c")
            for result, count in document["samples"].items()
        ),
    )  # fmt: skip
    return Findings(figures=figures, calm=f"its last sample is {span(age)} old")


_SUBJECTS: Mapping[Subject, Callable[[Seen, Wanted], Findings]] = {
    Subject.MEMORY: _memory,
    Subject.CPU: _cpu,
    Subject.FDS: _fds,
    Subject.AGENTS: _agents,
    Subject.WAITING: _waiting,
    Subject.SCHEDULERS: _schedulers,
    Subject.LEAKS: _leaks,
    Subject.OPERATIONS: _operations,
    Subject.EXPORTER: _exporter,
}
