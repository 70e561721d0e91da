"""A process that serves a fake feed as `serve` would: prints its port, stops on SIGTERM and SIGINT.

For each byte on its standard input a thread that is not the main one gets a SIGTERM, as the kernel may do.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.web.http import FakeFeed
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.config import WebSettings
from tmux_exporter.web.server import WebServer


@contextmanager
def web_process(address: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Such a process, listening, and its port; killed in the end if it has not ended."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.support.web.process", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


def main() -> None:
    feed = FakeFeed()
    feed.publish()
    settings = WebSettings(listen_address=sys.argv[1])
    server = WebServer(settings, feed, clock=SystemClock(), who_listens=lambda _: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    threading.Thread(target=_take_signals, daemon=True).start()
    server.run(lambda port: print(port, flush=True))


def _take_signals() -> None:
    while os.read(0, 1):
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)


if __name__ == "__main__":
    main()
