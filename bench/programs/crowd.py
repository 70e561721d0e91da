"""So many processes that rest, far from tmux: `crowd.py COUNT`; nobody's where we are root."""

import os
import signal
import sys

_NOBODY = 65534


def main() -> None:
    count = int(sys.argv[1])
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:
        # In a user namespace of one user there is nobody else to be.
        pass
    for _ in range(count):
        os.posix_spawn("/bin/sleep", ["sleep", "1000000"], {})
    print("there", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
