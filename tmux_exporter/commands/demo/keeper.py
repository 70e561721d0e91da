"""The keeper of the demo: builds the fleet, waits, and ends it all. `up` runs it as a module.

It is a separate process because it must outlive `up`: the kernel sends it SIGTERM when `up` ends.
"""

import os
import select
import signal
import sys
from collections.abc import Mapping
from types import FrameType

from tmux_exporter.base.clock import Clock, SystemClock
from tmux_exporter.base.errors import CannotSeeError, ExporterError
from tmux_exporter.base.paths import private_folder
from tmux_exporter.commands.demo.ending import end_all
from tmux_exporter.commands.demo.fleet import build
from tmux_exporter.commands.demo.home import Home, Lock, home_of, say, wipe

_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LAST_DEMO_SECONDS = 10.0


def main() -> None:
    """Keep a demo until a signal comes or its tmux server ends."""
    for number in _ENDINGS:
        signal.signal(number, _end)
    try:
        keep(os.environ, SystemClock())
    except ExporterError as error:
        say(str(error))
        sys.exit(error.exit_code)


def keep(environ: Mapping[str, str], clock: Clock) -> None:
    """Build the demo, and end it when its tmux server ends or an exception comes, such as a signal's."""
    home = home_of(environ)
    private_folder(home.folder.parent, os.getuid())
    lock = Lock(home)
    if not lock.wait(_LAST_DEMO_SECONDS, clock):
        raise CannotSeeError(f"the last demo in {home.folder} is still ending; try again in a moment")
    for_the_demo = home.environ(environ)
    os.environ.clear()
    os.environ.update(for_the_demo)
    try:
        try:
            # Left by a demo whose keeper and agents were all killed.
            _clear(home, clock)
            private_folder(home.folder, os.getuid())
            server = build(home, clock)
            home.ready.touch()
            say("the demo fleet stands")
            _wait_for_end(server)
            raise CannotSeeError("the demo's tmux server has ended")
        finally:
            _ignore_signals()
    finally:
        _clear(home, clock)


def _clear(home: Home, clock: Clock) -> None:
    if not end_all(home, clock):
        say(f"some processes of the demo could not be ended; their environment says {home.folder}")
    wipe(home)


def _wait_for_end(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()


def _end(_number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    sys.exit(0)


def _ignore_signals() -> None:
    """A second signal must not interrupt the cleanup."""
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
