"""Real processes that are hard to read: odd names, zombies, lost main threads, closed doors."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_NAP = "while True: time.sleep(600)\n"

NAMED = (
    "import ctypes, sys, time\n"
    "ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)\n"  # PR_SET_NAME
    "print('ready', flush=True)\n" + _NAP
)
"""Takes a name, in hex because it may be any bytes."""

UNDUMPABLE = (
    "import ctypes, time\n"
    "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"  # PR_SET_DUMPABLE
    "print('ready', flush=True)\n" + _NAP
)
"""Lets nobody look into it, as ssh-agent does."""

ZOMBIE = (
    "import os, time\n"
    "child = os.fork() or os._exit(0)\n"
    "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
    "print(child, flush=True)\n" + _NAP
)
"""Prints the pid of a child that has ended and that it never waits for."""

MAIN_THREAD_LEFT = (
    "import ctypes, os, threading, time\n"
    "held = bytearray(os.urandom(1 << 20) * 24)\n"
    "def stay():\n"
    "    path = f'/proc/{os.getpid()}/stat'\n"
    "    while open(path).read().rsplit(')', 1)[1].split()[0] != 'Z': time.sleep(0.001)\n"
    "    print('ready', flush=True)\n"
    "    " + _NAP + "threading.Thread(target=stay).start()\n"
    "ctypes.CDLL(None).pthread_exit(None)\n"
)
"""Holds 24 MiB; its main thread ends, another one lives on."""

FILES = (
    "import os, sys, time\n"
    "held = [os.open('/dev/null', os.O_RDONLY) for _ in range(int(sys.argv[1]))]\n"
    "print('ready', flush=True)\n" + _NAP
)
"""Opens so many files, on top of the three it is born with."""

ACCEPTING = (
    "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\n"
    "print('ready', flush=True)\nlistener.accept()\n"
)
"""Waits in accept(2) soon after it is ready, with four files open."""

UNSHARES = (
    "import ctypes, os, signal, time\n"
    "kinds = 0x20000 | (0x10000000 if os.getuid() else 0)\n"  # CLONE_NEWNS, and CLONE_NEWUSER without power
    "signal.signal(signal.SIGUSR1, lambda *_: ctypes.CDLL(None).unshare(kinds))\n"
    "print('ready', flush=True)\n" + _NAP
)
"""Takes mounts of its own when it gets SIGUSR1."""

IDLE = "import time\nprint('ready', flush=True)\n" + _NAP
"""Does nothing."""


@contextmanager
def running(
    code: str, *args: str, python: Sequence[str] = (sys.executable,), environ: Mapping[str, str] | None = None
) -> Iterator[tuple[int, str]]:
    """Run `code` until the block ends; gives its pid and the line it prints once it is what it should be."""
    process = subprocess.Popen(
        [*python, "-c", code, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environ, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line, f"process {process.pid} ended before it was ready"
        yield process.pid, line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
