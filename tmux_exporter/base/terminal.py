"""The terminal that a program was started in."""

import os


def has_terminal() -> bool:
    """Whether a terminal controls this process. One that hangs up lets go before it sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
