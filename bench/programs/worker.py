"""A process of a pane that rests until it is told to work a little every second (SIGUSR1; SIGUSR2 ends it).

`worker.py THREADS FILES`: with so many threads, and so many more open files, that all rest.
"""

import os
import signal
import sys
import threading
from typing import Never

_SIGNALS = {signal.SIGUSR1, signal.SIGUSR2}


def work(kept: list[bytes]) -> None:
    """About 2 ms of CPU, some memory that is taken and given back, some bytes that go nowhere."""
    kept[:] = [] if kept else [bytes(4096) for _ in range(64)]
    sum(number * number for number in range(15_000))
    with open(os.devnull, "wb") as out:
        out.write(bytes(4096))


def main() -> Never:
    threads, files = (int(word) for word in sys.argv[1:])
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    held = [open(os.devnull, "rb") for _ in range(files)]  # noqa: SIM115 - they stay open
    for _ in range(threads - 1):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    kept: list[bytes] = []
    active = False
    while held is not None:
        got = signal.sigtimedwait(_SIGNALS, 1.0) if active else signal.sigwaitinfo(_SIGNALS)
        if got is not None:
            active = got.si_signo == signal.SIGUSR1
        if active:
            work(kept)
    raise AssertionError


if __name__ == "__main__":
    main()
