"""The search for cyclic garbage leaves what stays alone; a burst's memory goes back to the kernel.

In processes of their own: a setting is for the whole process.
"""

import hashlib
import sys
from pathlib import Path

import pytest
from prometheus_client import PROCESS_COLLECTOR

from tests.support.processes.run_text import run_text
from tmux_exporter.base import runtime
from tmux_exporter.base.runtime import ReleaseAfterBursts, import_lean

PROGRAM = """
import gc
from tmux_exporter.commands.serve import Service
if {spared}:
    from tmux_exporter.base.runtime import tune_gc
    tune_gc()
runs = []
gc.callbacks.append(lambda phase, info: phase == "stop" and runs.append(info["generation"]))
for _ in range(100):
    sample = [[number] for number in range(2_000)]
print(len(gc.get_objects()), len(runs))
"""


def _count(*, spared: bool) -> tuple[int, int]:
    done = run_text([sys.executable, "-c", PROGRAM.format(spared=spared)], check=True)
    searched, runs = done.stdout.split()
    return int(searched), int(runs)


def test_samples_that_leave_no_cycles_are_searched_seldom_and_modules_never() -> None:
    searched, runs = _count(spared=True)
    usually, often = _count(spared=False)
    assert runs < often / 10
    assert searched - 2_000 < (usually - 2_000) / 10


BURST = """
from tmux_exporter.base.runtime import {needed}
def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096
burst = [bytes(1_000) for _ in range(40_000)]
kept = burst[::100]
del burst
before = resident()
{release}
print(before - resident())
"""


def test_memory_between_what_is_kept_goes_back_to_the_kernel() -> None:
    def given_back(needed: str, release: str) -> int:
        program = BURST.format(needed=needed, release=release)
        return int(run_text([sys.executable, "-c", program], check=True).stdout)

    assert given_back("release_memory", "release_memory()") > 20_000_000
    assert given_back("release_memory", "import gc; gc.collect()") < 10_000_000


@pytest.mark.parametrize(
    ("sizes", "released"),
    [
        # A sample each 30 s.
        ([1_000, 300, 300, 300, 300], [False, False, False, True, False]),
        ([1_000, 300, 800, 300, 300, 300], [False, False, False, False, False, True]),
        ([1_000, 800, 800, 800, 800], [False] * 5),
        ([150, 10, 10, 10, 10], [False] * 5),
        ([1_000, 300, 300, 300, 100, 100, 100], [False, False, False, True, False, False, True]),
    ],
)
def test_memory_is_released_a_minute_after_a_burst_once(sizes: list[int], released: list[bool]) -> None:
    memory = ReleaseAfterBursts()
    assert [memory.observe(size, at * 30.0) for at, size in enumerate(sizes)] == released


LEAN = """
import sys
import tmux_exporter.cli.serve
from tmux_exporter.base.runtime import import_lean
import_lean()
import hashlib
import tmux_exporter.commands.serve
unused = {"_hashlib", "_ssl", "bz2", "email", "http.server", "logging.config", "multiprocessing"}
ours = {"cli.exporter", "cli.hooks", "base.service_manager"}
print(*sorted((unused | {f"tmux_exporter.{each}" for each in ours}) & sys.modules.keys()))
import http.server, ssl
print(hashlib.sha256(b"lean").hexdigest(), http.server.HTTPServer.__name__, ssl.OPENSSL_VERSION[:7])
"""


def test_the_exporter_serves_without_what_its_libraries_import_and_it_never_uses() -> None:
    done = run_text([sys.executable, "-c", LEAN])
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == ""
    # Who needs these later gets them.
    assert second == f"{hashlib.sha256(b'lean').hexdigest()} HTTPServer OpenSSL"


@pytest.mark.parametrize(
    ("line", "at_first"), [("class A(lean_part.A): pass", True), ("NUMBER = int(lean_part.NUMBER)", False)]
)
def test_a_library_that_does_not_bear_it_is_imported_whole(
    line: str, at_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"lean_library_{at_first}"
    (tmp_path / f"{name}.py").write_text(f"import lean_part, {name}_part as part\n{line}\n")
    (tmp_path / f"{name}_part.py").write_text("import lean_part\n")
    (tmp_path / "lean_part.py").write_text("class A: NUMBER = 3\nNUMBER = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(runtime, "_LIBRARIES", ("hashlib", name))
    monkeypatch.setattr(runtime, "_UNUSED", ("lean_part",))
    import_lean()
    assert (name in sys.modules, "lean_part" in sys.modules) == (at_first, False)
    found = __import__(name)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "lean_part", raising=False)
    monkeypatch.delitem(sys.modules, f"{name}_part")
    assert at_first or (found.NUMBER, found.part.lean_part.NUMBER) == (3, 3)


def test_own_figures_are_those_of_the_client_library() -> None:
    # What starts or is read in between may take a little.
    close = {"process_cpu_seconds_total": 1.0, "process_resident_memory_bytes": 2**24, "process_open_fds": 2}
    ours = runtime.own_figures()
    theirs = {
        sample.name: sample.value for metric in PROCESS_COLLECTOR.collect() for sample in metric.samples
    }
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=close.get(name, 2**24 if "bytes" in name else 0.011))
