"""Lines of /proc/PID/mountinfo, as the kernel writes them, and the mount that a real path is on."""

import os
import re
from pathlib import Path


def mount_line(
    number: int, parent: int, point: bytes, kind: str, *, device: bytes = b"8:1", root: bytes = b"/"
) -> bytes:
    """One line; the kernel escapes blank, TAB, newline, backslash and `#` in paths and in the kind."""
    fields = [b"%d" % number, b"%d" % parent, device, escaped(root), escaped(point), b"rw,relatime"]
    fields += [b"shared:%d" % number, b"-", escaped(kind.encode()), b"/dev/some#thing", b"rw"]
    return b" ".join(fields) + b"\n"


def escaped(raw: bytes) -> bytes:
    return re.sub(rb"[ \t\n\\#]", lambda found: b"\\%03o" % found[0][0], raw)


def own_mount(path: bytes) -> int:
    """The id of the mount that a path is on."""
    descriptor = os.open(path, os.O_PATH)
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    finally:
        os.close(descriptor)
    return int(re.findall(r"^mnt_id:\s+(\d+)$", info, re.MULTILINE)[0])
