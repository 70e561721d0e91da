"""So many processes that rest, forked by one of a pane: `forks.py COUNT`."""

import os
import signal
import sys


def main() -> None:
    for _ in range(int(sys.argv[1])):
        os.posix_spawn("/bin/sleep", ["sleep", "1000000"], {})
    signal.pause()


if __name__ == "__main__":
    main()
