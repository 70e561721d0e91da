"""What runs beside an orphaned scheduler and must outlive it, and by which guards it does."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.remediation import FLEET, OTHER
from tmux_exporter.remediator import candidates, proofs, vetoes

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


DECOYS = {
    "dev_server": Decoy(
        command=f"nohup {sys.executable} -m http.server 0 --bind 127.0.0.1",
        guards=frozenset(
            {
                is_shown,
                proofs.are_out_of_reach,
                proofs.is_a_shell,
                proofs.is_a_pure_scheduler,
                proofs.has_only_its_sleep,
                proofs.sleeps_its_first_sleep,
            }
        ),
        has_sleep=False,
    ),
    "sleep_job": Decoy(
        command="nohup sleep 20000",
        guards=frozenset(
            {is_shown, proofs.is_a_shell, proofs.is_a_pure_scheduler, proofs.has_only_its_sleep}
        ),
        has_sleep=False,
    ),
    "living_target": Decoy(
        command="nohup bash -c 'sleep 20000; tmux send-keys -t work:0 hi Enter'",
        guards=frozenset({candidates.is_for, vetoes.is_endable}),
    ),
    "loop": Decoy(
        command="nohup bash -c 'while sleep 20000; do tmux send-keys -t frontend:0 hi Enter; done'",
        guards=frozenset(
            {
                candidates.is_for,
                vetoes.is_endable,
                vetoes.sees_its_servers,
                vetoes.is_recent,
                proofs.is_a_pure_scheduler,
            }
        ),
    ),
    # A session of the lost one's name lives on the other server: it is asked, and not the one it came from.
    "other_server": Decoy(
        command=f"nohup bash -c 'sleep 20000 && tmux -L {OTHER} send-keys -t frontend:0 hi Enter'",
        guards=frozenset({candidates.is_for, vetoes.is_endable}),
    ),
    "on_other_server": Decoy(
        command="nohup bash -c 'sleep 20000; tmux send-keys -t frontend:0 hi Enter'",
        guards=frozenset({candidates.is_for, vetoes.is_endable}),
        server=OTHER,
    ),
    "script_file": Decoy(
        command="nohup bash $B/later.sh",
        guards=frozenset({is_shown, proofs.is_a_pure_scheduler}),
    ),
}
"""The decoys of the main job; `$B/later.sh` holds LATER, and OTHER has a session `frontend`."""

LATER = "sleep 20000\ntmux send-keys -t frontend:0 hi Enter\n"
