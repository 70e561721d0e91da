"""The command of the page attaches a real terminal to the pane of the agent, also among hostile names."""

import subprocess
from functools import partial
from pathlib import Path

from tests.support.processes.started import is_gone
from tests.support.wait import wait_for
from tmux_exporter.facts.attach import AttachPoint


def tmux(socket: Path, *words: str) -> str:
    command = ("tmux", "-f", "/dev/null", "-S", str(socket), *words)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_it_shows_the_pane_whatever_session_and_socket_are_called(tmp_path: Path) -> None:
    folder = tmp_path / "it's $(touch pwned)"
    folder.mkdir()
    socket, terminal = folder / "s", tmp_path / "t"
    try:
        tmux(socket, "new-session", "-d", "-s", "first", "sleep 3600")
        hostile = tmux(
            socket, "new-session", "-d", "-s", "$(touch pwned)", "-P", "-F", "#{session_id}", "sleep 3600"
        )
        other = tmux(socket, "new-window", "-d", "-t", hostile, "-P", "-F", "#{window_id}", "sleep 3600")
        shown = "#{session_id} #{window_id} #{pane_id}"
        ids = tmux(socket, "split-window", "-d", "-t", other, "-P", "-F", shown, "sleep 3600")
        session, window, pane = ids.split()
        point = AttachPoint(socket=str(socket), session=session, window=window, pane=pane)
        assert point.command is not None
        # The terminal is a pane of another server; a client refuses to attach inside tmux.
        tmux(terminal, "new-session", "-d", "-x", "100", "-y", "30", "-c", str(tmp_path),
             "env", "-u", "TMUX", "sh", "-c", point.command)  # fmt: skip
        wait_for(lambda: tmux(socket, "list-clients", "-F", shown) == ids, "the terminal shows the pane")
        assert not list(tmp_path.rglob("pwned"))
    finally:
        for each in (terminal, socket):
            pid = int(tmux(each, "display-message", "-p", "#{pid}"))
            tmux(each, "kill-server")
            wait_for(partial(is_gone, pid), "the server has ended")
