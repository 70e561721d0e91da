"""Keeper of a pause: stops processes by pidfd and continues them when their lease ends; a program of its own.

The remediator starts it with one socket and the pidfds as its only descriptors, and says go once its record
is on disk. It continues them too when the remediator is gone (the socket ends) or when it is asked to end. It
is run by its path, isolated: standard library only.
"""

import os
import select
import signal
import sys
from collections.abc import Sequence

READY, GO, STOPPED = b"r", b"g", b"s"
"""What it says once it watches, what it waits for, and what it says when it has stopped all of them."""

_ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(words: Sequence[str]) -> None:
    """Keep one lease: the descriptor of the socket, the seconds, then the pidfds, the first to stop first."""
    control, seconds, held = int(words[0]), float(words[1]), [int(each) for each in words[2:]]
    asked, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _ASKED:
        # The byte that each signal writes ends the wait.
        signal.signal(number, lambda _number, _frame: None)
    os.set_blocking(control, False)
    os.write(control, READY)
    _wait((control, asked), None)
    try:
        said = os.read(control, 1)
    except BlockingIOError:
        # It is asked to end before it has begun.
        return
    if said != GO:
        return
    try:
        for each in held:
            send(each, signal.SIGSTOP)
        os.write(control, STOPPED)
        _wait((control, asked), seconds)
    finally:
        for each in reversed(held):
            send(each, signal.SIGCONT)


def _wait(descriptors: Sequence[int], seconds: float | None) -> None:
    """Wait until one of them can be read or has ended, or for so many seconds."""
    waiting = select.poll()
    for each in descriptors:
        waiting.register(each, select.POLLIN)
    waiting.poll(None if seconds is None else round(seconds * 1000))


def send(descriptor: int, number: int) -> None:
    """Signal the process behind a pidfd; one that is gone meanwhile needs none."""
    try:
        signal.pidfd_send_signal(descriptor, number)  # noqa: TID251 - a keeper stops and continues, by pidfd
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
