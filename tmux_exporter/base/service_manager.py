"""Tell systemd how this service does (sd_notify(3)): ready, stopping, its status, alive for the watchdog."""

import math
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

_BEATS = 3
"""So many in the time that the watchdog waits: one may get lost."""


class ServiceManager:
    """The manager that started this process, by the socket that NOTIFY_SOCKET names.

    Takes its variables out of `environ`, as children are not the service. `beat_seconds` is how often the
    watchdog wants to hear WATCHDOG=1, infinite where there is none.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        name = environ.pop("NOTIFY_SOCKET", "")
        # A name without a file begins with a null byte, which no variable can hold.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        pid, microseconds = environ.pop("WATCHDOG_PID", ""), environ.pop("WATCHDOG_USEC", "")
        watches = pid in ("", str(os.getpid())) and microseconds.isdigit() and int(microseconds) > 0
        self.beat_seconds = int(microseconds) / 1e6 / _BEATS if watches else math.inf

    def tell(self, *lines: str) -> None:
        """Send these lines, such as READY=1; what the manager does not take is lost."""
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own,
        ):
            own.sendto("\n".join(lines).encode(), self._address)
