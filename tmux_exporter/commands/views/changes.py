"""What the remediator has changed and what is still so: limits of open files, history-limit of sessions.

Each with the command that puts it back; it is for you to run: nothing is changed here.
"""

import json
import os
import re
import resource
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.base.paths import REMEDIATOR_AUDIT, REMEDIATOR_FD_LIMITS, state_path
from tmux_exporter.commands.views import audit
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.remediator.act.fd_limit import first_limits
from tmux_exporter.remediator.act.live_view import is_there
from tmux_exporter.remediator.record.audit_fields import limits_in
from tmux_exporter.sampling.state_file import boot_id
from tmux_exporter.sources.tmux.client_transport import ProgramError, run_program

_COLUMNS = columns("what", "now>", "was>", "to put it back")
_PANE = re.compile(r"%[0-9]{1,10}")
_SECONDS = 2.0
"""For how long a server is waited for."""


class Change(NamedTuple):
    """One of them: its value now and before, empty where none was set, and the command that puts it back."""

    what: str
    now: int
    was: str
    command: str


def changes(environ: Mapping[str, str]) -> tuple[Change, ...]:
    """All of this user. Raises CannotSeeError where what they rest on cannot be read."""
    state = state_path(environ)
    return (*_limits(state / REMEDIATOR_FD_LIMITS), *_histories(state / REMEDIATOR_AUDIT))


def as_table(found: tuple[Change, ...]) -> str:
    """One row per change."""
    return "\n".join(table(_COLUMNS, [[each.what, str(each.now), each.was, each.command] for each in found]))


def as_json(found: tuple[Change, ...]) -> str:
    """The same as JSON."""
    return json.dumps({"changes": [each._asdict() for each in found]}, indent=2)


def _limits(path: Path) -> Iterator[Change]:
    firsts = first_limits(path, os.getuid(), boot_id("/proc"))
    if firsts is None:
        raise CannotSeeError(f"{path} is damaged: which limits were raised is not known")
    for process, first in firsts.items():
        try:
            now = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0]
        except OSError:
            continue
        # Asked last: what is there by now had this limit.
        if now != first and is_there(process):
            back = f"prlimit --pid {process.pid} --nofile={first}:"
            yield Change(f"open files of process {process.pid}", now, str(first), back)


def _histories(path: Path) -> Iterator[Change]:
    """The sessions whose history-limit is still as it was set last; before that it was as at first."""
    records = audit.load(path).records
    steps = {each["seq"]: each for each in records if each["kind"] == "set_option"}
    firsts: dict[tuple[str, int, str], str] = {}
    lasts: dict[tuple[str, int, str], tuple[Mapping[str, Any], int]] = {}
    for outcome in records:
        step = steps.get(outcome.get("of"))
        done = limits_in(str(outcome.get("detail")))
        if step is None or done is None or not step.get("socket"):
            continue
        key = step["socket"], step["server_pid"], step["session"]
        firsts.setdefault(key, done[1])
        lasts[key] = step, done[0]
    for key, (step, value) in lasts.items():
        socket, pid, session = key
        if _history_limit(socket, pid, step["pane"]) == str(value):
            unset, old = ("", f" {firsts[key]}") if firsts[key] else ("-u ", "")
            back = f"tmux -S {shlex.quote(socket)} set-option {unset}-t {step['pane']} history-limit{old}"
            yield Change(f"history-limit of session {session}", value, firsts[key], back)


def _history_limit(socket: str, pid: int, pane: str) -> str:
    """What is set on the session of a pane; empty where nothing is, or nobody says."""
    if not _PANE.fullmatch(pane):
        return ""
    try:
        asked = ("show-options", "-v", "-t", pane, "history-limit")
        return (
            run_program(socket, pid, os.getuid(), asked, seconds=_SECONDS).decode("ascii", "replace").strip()
        )
    except ProgramError:
        return ""
