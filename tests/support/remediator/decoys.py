"""What runs beside an orphaned scheduler and must outlive it, and by which guards it does."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.remediator.remediation import FLEET, OTHER
from tmux_exporter.remediator.decide import candidates, last_checks, vetoes

Guard = Callable[..., object]


def is_shown(_: object) -> bool:
    """Stands for the eye: a sample shows no scheduler where none is, and the act ends nothing else."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoy:
    """A command for the background of a pane, and what saves it: each of the guards would do alone.

    `has_sleep` says that the shell waits for a sleep; one without it stands for both processes.
    """

    command: str
    guards: frozenset[Guard]
    server: str = FLEET
    has_sleep: bool = True


def decoy(command: str, *guards: Guard, server: str = FLEET, has_sleep: bool = True) -> Decoy:
    """A decoy with its guards one after the other."""
    return Decoy(command=command, guards=frozenset(guards), server=server, has_sleep=has_sleep)


ELSEWHERE = {
    "wrapper": "PATH=$B/wrapped:$PATH",
    "function": f"'BASH_FUNC_tmux%%=() {{ $(which tmux) -L {OTHER} \"$@\"; }}'",
    "startup_file": "BASH_ENV=$B/startup",
}
"""What makes a shell take another program for tmux, or may."""

AWAY = "bash -c 'sleep 20000; tmux send-keys -t frontend:0 hi Enter'"

NOT_UNDERSTOOD: frozenset[Guard] = frozenset(
    {candidates.fits_match, vetoes.is_endable, vetoes.sees_its_servers, vetoes.is_recent}
)

DECOYS = {
    "dev_server": decoy(f"nohup {sys.executable} -m http.server 0 --bind 127.0.0.1", is_shown,
        last_checks.are_out_of_reach, last_checks.is_a_shell, last_checks.is_a_pure_scheduler,
        last_checks.has_only_its_sleep, last_checks.sleeps_its_first_sleep, has_sleep=False),
    "sleep_job": decoy("nohup sleep 20000", is_shown, last_checks.is_a_shell, last_checks.is_a_pure_scheduler,
        last_checks.has_only_its_sleep, has_sleep=False),
    "living_target": decoy("nohup bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'",
        candidates.fits_match, vetoes.is_endable),
    "loop": decoy("nohup bash -c 'while sleep 20000; do tmux send-keys -t frontend:0 hi Enter; done'",
        candidates.fits_match, vetoes.is_endable, vetoes.sees_its_servers, vetoes.is_recent,
        last_checks.is_a_pure_scheduler),
    # A session of the lost one's name lives on the other server: it is asked, and not the one it came from.
    "other_server": decoy(f"nohup bash -c 'sleep 20000 && tmux -L {OTHER} send-keys -t frontend:0 hi Enter'",
        candidates.fits_match, vetoes.is_endable),
    "on_other_server": decoy("nohup bash -c 'sleep 20000; tmux send-keys -t frontend:0 hi Enter'",
        candidates.fits_match, vetoes.is_endable, server=OTHER),
    # A `tmux` that is not tmux sends its keys to the other server, where their target lives.
    **{
        f"tmux_by_{name}": decoy(f"nohup env {variable} {AWAY}", *NOT_UNDERSTOOD)
        for name, variable in ELSEWHERE.items()
    },
    "script_file": decoy("nohup bash $B/later.sh", is_shown, last_checks.is_a_pure_scheduler),
}  # fmt: skip
"""The decoys of the main job, with `make_files` done in `$B`; OTHER has a session `frontend`."""


def make_files(base: Path) -> None:
    """What decoys need in `$B`."""
    to_other = f'exec {shutil.which("tmux")} -L {OTHER} "$@"\n'
    (base / "later.sh").write_text("sleep 20000\ntmux send-keys -t frontend:0 hi Enter\n")
    (base / "startup").write_text(f"tmux() {{ ( {to_other.strip()} ) }}\n")
    (base / "wrapped").mkdir()
    (base / "wrapped" / "tmux").write_text(f"#!/bin/sh\n{to_other}")
    (base / "wrapped" / "tmux").chmod(0o755)
