"""Holds on the command line: parse a target, add, release, list."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import private_folder, state_path
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import format_duration, parse_duration
from tmux_exporter.facts.label import visible_text
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.decide.protection import Hold
from tmux_exporter.remediator.record.holds import Holds
from tmux_exporter.sampling.state_file import boot_id

LONGEST = 90 * 86400.0
_KINDS = ("server", "session", "agent", "pane")
_NAMED = ("server", "session", "agent")
_COLUMNS = columns("target", "until", "left>")


def parse_target(text: str, server: str, until: float) -> Hold | int:
    """What a text means: a hold by name, or a pid that is still to be looked up. Raises UsageError."""
    if text == "all":
        return Hold(until=until, server=server)
    if re.fullmatch(r"[0-9]{1,10}", text):
        return int(text)
    if re.fullmatch(r"%[0-9]{1,10}", text):
        return Hold(until=until, server=server, pane=text)
    kind, colon, name = text.partition(":")
    if colon and kind in _NAMED and name:
        named = {"server": server} | {kind: name}
        return Hold(
            until=until,
            server=named["server"],
            session=named.get("session", ""),
            agent=named.get("agent", ""),
        )
    raise UsageError(
        f"{visible_text(text)!r} is no target; write a pid, a pane (%3), agent:NAME, session:NAME, "
        "server:NAME or all"
    )


def parse_time(text: str) -> float:
    """For how long. Raises UsageError."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{error}") from None
    if not 1 <= seconds <= LONGEST:
        raise UsageError(f"{text} is out of range; write 1s to {format_duration(LONGEST)}")
    return seconds


def as_table(holds: tuple[Hold, ...], wall: float) -> str:
    """One row per hold, what ends first on top."""
    rows = [
        [words(each), _time(each.until), format_duration(round(max(0.0, each.until - wall)))]
        for each in sorted(holds, key=lambda each: each.until)
    ]
    return "\n".join(table(_COLUMNS, rows))


def as_json(holds: tuple[Hold, ...]) -> str:
    """The same as JSON."""
    return json.dumps({"holds": [asdict(each) for each in holds]}, indent=2)


def words(hold: Hold) -> str:
    """What is held."""
    parts = [f"{kind} {visible_text(name)}" for kind in _KINDS if (name := getattr(hold, kind))]
    if isinstance(hold.process, ProcessId):
        parts.insert(0, f"process {hold.process.pid}")
    return ", ".join(parts) or "everything"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def hold(environ: Mapping[str, str], target: str, server: str, seconds: float) -> Hold:
    """Hold something from now on. Raises UsageError for what is no target, OSError where that fails."""
    wall = SystemClock().time()
    found = meant(target, server, wall + seconds)
    _holds(environ).add(found, wall)
    return found


def release(environ: Mapping[str, str], target: str, server: str) -> tuple[Hold, bool]:
    """Hold something no longer; what that was, and whether it was held."""
    wall = SystemClock().time()
    found = meant(target, server, wall)
    return found, _holds(environ).release(found, wall)


def current_holds(environ: Mapping[str, str]) -> tuple[tuple[Hold, ...], float]:
    """What is held now, and the wall time that this is."""
    wall = SystemClock().time()
    return tuple(each for each in _holds(environ).read() if each.until > wall), wall


def _holds(environ: Mapping[str, str]) -> Holds:
    uid = os.getuid()
    return Holds(private_folder(state_path(environ), uid), uid=uid, boot=boot_id("/proc"))


def meant(target: str, server: str, until: float) -> Hold:
    """The hold of what a text means. Raises UsageError."""
    found = parse_target(target, server, until)
    if isinstance(found, Hold):
        return found
    try:
        return Hold(until=until, process=process_of(found))
    except (OSError, ValueError):
        raise UsageError(f"there is no process {found}; see ps") from None
