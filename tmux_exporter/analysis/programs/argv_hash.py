"""A command line as a number: what names it without telling a word of it."""

import hashlib

from tmux_exporter.facts.process import Process


def argv_sha256(process: Process) -> str:
    """What `sha256sum /proc/PID/cmdline` prints; empty where the command line is not known as a whole."""
    if not process.argv or not process.argv_complete:
        return ""
    raw = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in process.argv)
    return hashlib.sha256(raw).hexdigest()
