"""Exemptions from leaks: why a process that outlived its pane is not called leaked. One reason is enough.

Attribution exempts others before: members of an existing pane, tmux servers, their jobs and clients, and
processes whose pane is not known for certain never get here. docs/leaks.md lists all exemptions with the
incidents behind them.
"""

import posixpath
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tmux_exporter.analysis.leaks.kinds import why_lasting
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.analysis.programs.signatures import script_of
from tmux_exporter.facts.process import LeakDetails, Namespaces, Process, ProcessId

KEEP_VARIABLE = "TMUX_EXPORTER_KEEP"
"""A process with this variable in its environment, with any value, is meant to keep running."""

_OURS = frozenset({"tmux-exporter", "tmux-remediator"})
_PACKAGE = "tmux_exporter"
_MARKERS = frozenset(marker for row in SIGNATURES for marker in row.markers) | {"AI_AGENT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A living process whose pane is gone, with the facts that exemptions need.

    `ancestors` come nearest first; `schedulers` are the shells and sleeps of all schedulers.
    `holds_terminal`: the process or a descendant holds a terminal at which somebody may sit.
    `server_unit` is the systemd unit of the tmux server that it came from, None where that is not known.
    `own_namespaces` are the exporter's, None on a system without namespaces. `proven`: a sample saw it in its
    pane by more than its environment.
    """

    process: Process
    leak_details: LeakDetails | None
    ancestors: tuple[Process, ...]
    schedulers: frozenset[ProcessId]
    server_unit: str | None
    own_namespaces: Namespaces | None
    seen_before: bool
    holds_terminal: bool = False
    proven: bool = False


def is_unreadable(suspect: Suspect) -> str:
    """It cannot be read, as a protected one; of another user's process, seen in its pane, argv is enough."""
    process = suspect.process
    hidden = process.exe is None or (suspect.own_namespaces is not None and process.namespaces is None)
    if process.argv is None or (hidden and not suspect.proven):
        return "it cannot be read, so nobody can say what it is"
    return ""


def is_kept(suspect: Suspect) -> str:
    """The environment says that it is meant to keep running."""
    kept = (suspect.process.environ or {}).get(KEEP_VARIABLE)
    return f"{KEEP_VARIABLE} is set in its environment" if kept else ""


def is_ours(suspect: Suspect) -> str:
    """Our own programs and what they started: `tmux-exporter up` and `serve` may run on purpose."""
    for each in (suspect.process, *suspect.ancestors):
        if _is_our_program(each):
            return f"pid {each.id.pid} is this program"
    return ""


def is_lasting(suspect: Suspect) -> str:
    """The program, or that of an ancestor, is meant to keep running."""
    for each in (suspect.process, *suspect.ancestors):
        if why := why_lasting(each):
            return why if each is suspect.process else f"it descends from pid {each.id.pid}, {why}"
    return ""


def is_a_unit(suspect: Suspect) -> str:
    """A systemd service is managed by systemd, unless the tmux server itself runs in that service."""
    unit = suspect.leak_details.unit if suspect.leak_details else None
    if unit is None:
        return "its control group cannot be read, so it may be a service of systemd"
    if unit.endswith(".service") and unit != suspect.server_unit:
        return f"it is in the systemd unit {unit}"
    return ""


def is_elsewhere(suspect: Suspect) -> str:
    """In another pid namespace, as in a container, the pids in TMUX mean other processes."""
    own, own_namespaces = suspect.process.namespaces, suspect.own_namespaces
    elsewhere = own is not None and own_namespaces is not None and own.pid != own_namespaces.pid
    return "it lives in another pid namespace" if elsewhere else ""


def is_attended(suspect: Suspect) -> str:
    """A person may use its terminal; terminals that agents keep have no user."""
    environ = suspect.process.environ or {}
    if suspect.holds_terminal and _MARKERS.isdisjoint(environ):
        return "it keeps a terminal that is still there, so somebody may sit at it"
    return ""


def is_a_scheduler(suspect: Suspect) -> str:
    """The state of a scheduler says whether it is leaked."""
    for each in (suspect.process, *suspect.ancestors):
        if each.id in suspect.schedulers:
            return f"pid {each.id.pid} is a scheduler, which is judged by its state"
    return ""


def is_new(suspect: Suspect) -> str:
    """A process counts as leaked only after two samples: it may end a moment after its pane."""
    return "" if suspect.seen_before else "it was not yet seen without its pane in the sample before"


Exemption = Callable[[Suspect], str]

EXEMPTIONS: tuple[Exemption, ...] = (
    is_a_scheduler,
    is_unreadable,
    is_kept,
    is_ours,
    is_lasting,
    is_attended,
    is_elsewhere,
    is_a_unit,
    is_new,
)
"""In the order in which `explain` shows them; each returns the reason, or an empty text."""


def exempt_reason(suspect: Suspect) -> str:
    """Why a process is not leaked, in words; empty where it is leaked."""
    return next((why for exemption in EXEMPTIONS if (why := exemption(suspect))), "")


def is_meant(suspect: Suspect) -> bool:
    """Whether it is exempt for what it is, whatever terminals it has and however long it was seen."""
    return any(exemption(suspect) for exemption in EXEMPTIONS if exemption not in (is_attended, is_new))


def holding_terminal(suspects: Mapping[int, Process], nobody_at: Container[int] = ()) -> set[int]:
    """Pids of processes with a terminal, and of their ancestors that outlived their pane too.

    The terminals `nobody_at` do not count.
    """
    found: set[int] = set()
    for pid, process in suspects.items():
        if not process.tty or process.tty in nobody_at:
            continue
        holder = pid
        while holder in suspects and holder not in found:
            found.add(holder)
            holder = suspects[holder].ppid
    return found


def _is_our_program(process: Process) -> bool:
    return bool(process.argv) and _is_ours(process.argv or (), process.exe or "")


@lru_cache(maxsize=4096)
def _is_ours(argv: tuple[str, ...], file: str) -> bool:
    name = posixpath.basename(argv[0])
    script, _ = script_of(argv, name, posixpath.basename(file))
    return posixpath.basename(script or name) in _OURS or script.partition(".")[0] == _PACKAGE
