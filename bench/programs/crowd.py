"""So many processes that rest, far from tmux: `crowd.py COUNT`; nobody's where we are root.

A daemon, as others' processes are: its parent ends and leaves it to init. Prints its pid when all are there.
"""

import os
import signal
import sys

_NOBODY = 65534


def main() -> None:
    count = int(sys.argv[1])
    if os.fork():
        os._exit(0)
    os.setsid()
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:
        # In a user namespace of one user there is nobody else to be.
        pass
    # Who waits for the end of what is printed does not wait for the crowd.
    os.set_inheritable(1, False)
    for _ in range(count):
        os.posix_spawn("/bin/sleep", ["sleep", "1000000"], {})
    print(os.getpid(), flush=True)
    os.close(1)
    signal.pause()


if __name__ == "__main__":
    main()
