"""Bring up `lo` in a network of our own."""

import fcntl
import socket
import struct

_SIOCSIFFLAGS = 0x8914
_UP = 0x1

if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _UP, b""))
