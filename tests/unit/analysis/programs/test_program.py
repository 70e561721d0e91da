"""The hash of a command line equals that of its file in /proc."""

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from tests.support.clock import ManualClock
from tests.support.literals.listings import process
from tests.support.wait import wait_for
from tmux_exporter.analysis.programs.program import argv_sha256
from tmux_exporter.sources.processes.full_reader import ProcReader


def test_it_is_what_sha256sum_says_of_the_file() -> None:
    child = subprocess.Popen(["sh", "-c", "read x", "\udcff", ""], stdin=subprocess.PIPE)
    file = Path(f"/proc/{child.pid}/cmdline")
    try:
        wait_for(lambda: file.read_bytes().startswith(b"sh\0"), "it runs")
        raw = file.read_bytes()
        table = ProcReader(uid=os.getuid(), clock=ManualClock()).read()
    finally:
        child.communicate(b"\n")
    assert argv_sha256(table.processes[child.pid]) == hashlib.sha256(raw).hexdigest()


def test_what_is_not_known_as_a_whole_has_none() -> None:
    known = process(500, 1, ["sleep", "600"])
    assert len(argv_sha256(known)) == 64
    assert argv_sha256(known) != argv_sha256(process(500, 1, ["sleep", "601"]))
    assert argv_sha256(replace(known, argv=None)) == ""
    assert argv_sha256(replace(known, argv_complete=False)) == ""
