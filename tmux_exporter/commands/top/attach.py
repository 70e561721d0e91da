"""Attach this terminal to the pane of an agent, with the program of its own tmux server.

The command comes from a report, which another program may have sent: nothing of it is run but what is made
anew from its ids and its socket, and only for a server of this user.
"""

import os
import subprocess
from collections.abc import Mapping

from tmux_exporter.facts.attach import AttachPoint
from tmux_exporter.sources.tmux.client_transport import ProgramError, check_program
from tmux_exporter.sources.tmux.socket_transport import ConnectError, connect


def attach(command: str, environ: Mapping[str, str]) -> str:
    """Show the pane until the user detaches; inside its own tmux the client switches to it.

    Returns what to tell about it, empty where there is nothing.
    """
    point = AttachPoint.of_command(command)
    if point is None:
        return "its pane cannot be attached to"
    try:
        connection, peer = connect(point.socket, os.getuid())
        connection.close()
        check_program(point.socket, peer, os.getuid())
    except (ConnectError, ProgramError) as error:
        return f"its server cannot be reached: {error}"
    outer = environ.get("TMUX", "").rsplit(",", 2)
    if outer[0] and outer[1:2] != [str(peer)]:
        return "this terminal is in another tmux server: detach from that first, or copy the command with y"
    first = ["switch-client", "-t", point.pane] if outer[0] else ["attach", "-t", point.session]
    chosen = [";", "select-window", "-t", point.window, ";", "select-pane", "-t", point.pane]
    try:
        run = subprocess.run(
            ["tmux", "-S", point.socket, *first, *([] if outer[0] else chosen)],
            executable=f"/proc/{peer}/exe",
            env=dict(environ),
            check=False,
        )
    except OSError as error:
        return f"its tmux cannot be run: {error.strerror}"
    return (
        "" if run.returncode == 0 else "tmux has refused: the pane is gone, or it does not know this terminal"
    )
