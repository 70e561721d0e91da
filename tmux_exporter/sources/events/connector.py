"""The connection to the kernel's process events (netlink process connector).

It needs no privilege since Linux 6.6, CAP_NET_ADMIN before, and the initial pid, user and network namespace.
"""

import os
import select
import socket
import threading

from tmux_exporter.base.clock import Clock
from tmux_exporter.sources.events.exec_parse import Acknowledged, parse, request
from tmux_exporter.sources.events.receive_many import ReceiveMany

_NETLINK_CONNECTOR = 11
_PROCESS_EVENTS = 1
_LONGEST = 8192
_RECEIVE_BUFFER = 1 << 20
_ANSWER_SECONDS = 0.5


class Connection:
    """The connection to the kernel's events. Raises OSError with a text for the user if there are none."""

    def __init__(self, clock: Clock, *, mend: str, only: int | None) -> None:
        """`mend` says what helps where they are refused; `only` is the mask of wanted events, None: all."""
        self._clock = clock
        self._mend = mend
        self._only = only
        family: int | None = getattr(socket, "AF_NETLINK", None)
        if family is None:
            raise OSError("this system has no process events; only Linux has")
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_CONNECTOR)
        except OSError as error:
            raise OSError(f"this kernel has no process connector ({error.strerror})") from error
        try:
            self._ask()
        except BaseException:
            self._socket.close()
            raise
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._turn = threading.Lock()
        self._closed = False
        self._poll, self._poll_end = select.poll(), select.poll()
        self._poll.register(self._socket.fileno(), select.POLLIN)
        for each in (self._poll, self._poll_end):
            each.register(self._woken, select.POLLIN)

    def _ask(self) -> None:
        mend = f"it needs Linux 6.6, or CAP_NET_ADMIN; {self._mend}"
        try:
            self._socket.bind((0, _PROCESS_EVENTS))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            port = self._socket.getsockname()[0]
            self._socket.send(request(port))
        except OSError as error:
            raise OSError(f"the kernel refuses ({error.strerror}); {mend}") from error
        self._await_answer(mend)
        if self._only is not None:
            # An older kernel ignores it.
            self._socket.send(request(port, only=self._only))
        self._socket.setblocking(False)

    def _await_answer(self, mend: str) -> None:
        # Events of other processes come first, and without end where the kernel does not answer.
        until = self._clock.monotonic() + _ANSWER_SECONDS
        while (left := until - self._clock.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message = self._socket.recv(_LONGEST)
            except OSError:
                continue
            for event in parse(message):
                if isinstance(event, Acknowledged):
                    if event.error:
                        raise OSError(f"the kernel refuses ({os.strerror(event.error)}); {mend}")
                    return
        raise OSError(f"the kernel does not answer, as in a container; {self._mend}")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for events, for so long at most; False to end."""
        timeout = None if seconds is None else seconds * 1000
        return all(descriptor != self._woken for descriptor, _ in self._poll.poll(timeout))

    def receive(self) -> bytes:
        """One message. Raises BlockingIOError if there is none, another OSError if some were lost."""
        return self._socket.recv(_LONGEST)

    def receive_many(self, size: int) -> ReceiveMany:
        """For many messages at a time, of so many bytes each."""
        return ReceiveMany(self._socket.fileno(), size)

    def rest(self, seconds: float) -> None:
        """Pause reading, unless it is time to end."""
        self._poll_end.poll(max(0.0, seconds) * 1000)

    def end(self) -> None:
        """End the thread, which closes everything; one that has ended by a mistake has done so already."""
        with self._turn:
            if not self._closed:
                os.write(self._wake, b"e")

    def __enter__(self) -> None:
        """For the thread that reads."""

    def __exit__(self, *_: object) -> None:
        # The numbers may be those of other files from here on.
        with self._turn:
            self._closed = True
            self._socket.close()
            os.close(self._woken)
            os.close(self._wake)
