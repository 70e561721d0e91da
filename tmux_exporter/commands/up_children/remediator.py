"""The observing remediator as a child of `up`: start it, show what it would do, remove its status file.

It is a program of its own, as it is in a service: the exporter never has the power to signal. Without
`--enforce`, which is never given here, neither has it.
"""

import fcntl
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tmux_exporter.base.paths import REMEDIATOR_LOCK, REMEDIATOR_STATUS
from tmux_exporter.commands.up_children import prometheus

NAME = "remediator"

WOULD = "would end an orphaned scheduler"

_LOCKED_OUT = 2
_POLL_SECONDS = 0.5


def start(
    folder: Path, interval: float, config_path: str | None, environ: Mapping[str, str], extra: Sequence[str]
) -> prometheus.Child:
    """Start it with the exporter's configuration file; its log goes into `folder`.

    `extra` are more flags. To be called from the main thread.
    """
    flags = ("--interval", f"{round(interval * 1000)}ms", "--log.level", "info", "--log.format", "json")
    config = ("--config", config_path) if config_path else ()
    command = (sys.executable, "-m", "tmux_exporter.cli.remediator", "run", *flags, *config, *extra)
    log = folder / "remediator.log"
    return prometheus.Child(name=NAME, log=log, process=prometheus.spawn(command, log, environ))


def follow(child: prometheus.Child, say: Callable[[str], None]) -> None:
    """Tell once of each scheduler that it would end, and of its own end; to be run in a thread."""
    told: set[object] = set()
    for words in _records(child):
        if words.get("message") == WOULD and (shell := words.get("shell")) not in told:
            told.add(shell)
            say(f"  {_would(words)}")
    status = child.process.wait()
    if status == _LOCKED_OUT:
        say(f"  No remediator of its own: {prometheus.last_words(child).removeprefix('tmux-remediator: ')}")
    elif status not in (0, -15):
        say(f"  remediator ended with status {status}: {prometheus.last_words(child)} (log: {child.log})")


def forget(runtime: Path) -> None:
    """Remove its status file unless a remediator runs: without this an alert would report it missing."""
    try:
        with (runtime / REMEDIATOR_LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (runtime / REMEDIATOR_STATUS).unlink(missing_ok=True)
    except OSError:
        return


def _records(child: prometheus.Child) -> Iterator[Mapping[str, Any]]:
    """What it logs, as it comes, until it ends."""
    waited = threading.Event()
    with child.log.open("rb") as log:
        rest = b""
        while True:
            ended = child.process.poll() is not None
            *lines, rest = (rest + log.read()).split(b"\n")
            for line in lines:
                # Its last words, an error's, are no JSON.
                if line.startswith(b"{"):
                    yield json.loads(line)
            if ended:
                return
            waited.wait(_POLL_SECONDS)


def _would(words: Mapping[str, Any]) -> str:
    maker = f"made in session {words['session']}" if words["session"] else "its session is gone"
    due = "" if words["seconds_left"] is None else f", due in {max(0, words['seconds_left']) // 60} min"
    return (
        f"The remediator, which only observes, would end shell {words['shell']} and sleep {words['sleep']}:\n"
        f"    a scheduler that has no target any more (server {words['server'] or '?'}, {maker}{due})"
    )
