"""A person at a terminal: a real tmux client on a pseudo-terminal of its own."""

import os
import pty
import select
import signal
import threading
from pathlib import Path

from tests.support.wait import wait_for


class Terminal:
    """`tmux attach` to a session, with what it has drawn so far in `drawn`; `close` ends it."""

    def __init__(self, socket: Path, session: str) -> None:
        self._drawn = bytearray()
        self._closing = threading.Event()
        command = ("tmux", "-f", "/dev/null", "-S", str(socket), "attach-session", "-t", session)
        # A thread of the test may hold a lock while this forks: the child only executes.
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe("tmux", command, {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(lambda: self.drawn, "the client has drawn something", 60)

    @property
    def drawn(self) -> str:
        """All that it was told to draw."""
        return bytes(self._drawn).decode("utf-8", "replace")

    def close(self) -> None:
        """End the client."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._closing.set()
        self._reader.join(60)
        os.close(self._descriptor)

    def _read(self) -> None:
        while not self._closing.is_set():
            if not select.select((self._descriptor,), (), (), 0.05)[0]:
                continue
            try:
                self._drawn += os.read(self._descriptor, 65536)
            except OSError:
                return
