"""The options of a tmux server that answers: one constant question, asked by its own program."""

import subprocess
from collections.abc import Collection

from tmux_exporter.sources.tmux_program import ENVIRONMENT, ProgramError, check_program

_QUESTION = ("show-options", "-s", ";", "show-options", "-g", ";", "show-options", "-gw")
_SECONDS = 2.0


def read_options(path: str, peer: int, uid: int, names: Collection[str]) -> dict[str, str] | None:
    """The values of these options of the server `peer`, which listens on `path`; None where it gives none.

    Only for a server that has just answered as one of this uid: a stock client obeys its server.
    """
    try:
        check_program(path, peer, uid)
        answer = subprocess.run(
            ["tmux", "-u", "-S", path, *_QUESTION],
            executable=f"/proc/{peer}/exe",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            cwd="/",
            timeout=_SECONDS,
            check=True,
        ).stdout
    except (ProgramError, OSError, subprocess.SubprocessError):
        return None
    pairs = (line.partition(" ") for line in answer.decode("utf-8", "replace").splitlines())
    return {name: value for name, _, value in pairs if name in names}
