import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.started import is_gone
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus


def test_the_preferred_port_is_taken_where_it_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert prometheus.free_port(port) == port


def test_a_port_that_somebody_listens_on_is_left_to_him() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = prometheus.free_port(port)
    assert other not in (0, port)


PARENT = """
import sys
from pathlib import Path
from tmux_exporter.commands.up_children import prometheus as stack
program = "import time; print('up', flush=True); time.sleep(600)"
child = stack.spawn([sys.executable, "-c", program], Path(sys.argv[1]))
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for(lambda: log.exists() and "up" in log.read_text(encoding="utf-8"), "the child runs")
    assert not is_gone(pid)
    parent.kill()
    parent.communicate()
    wait_for(lambda: is_gone(pid), "the child ends too")


def test_a_child_that_takes_no_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_GRACE_SECONDS", 0.2)
    log = tmp_path / "child.log"
    program = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    process = prometheus.spawn([sys.executable, "-c", program], log)
    child = prometheus.Child(name="deaf", url="", log=log, process=process)
    wait_for(lambda: prometheus.last_words(child) == "deaf", "it has begun")
    prometheus.stop([child])
    assert process.returncode == -9


def test_the_last_line_of_a_log_is_told(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    log = tmp_path / "x.log"
    child = prometheus.Child(name="x", url="", log=log, process=process)
    assert prometheus.last_words(child) == ""
    log.write_bytes(b"x" * 10_000 + b"\nthe reason\n\n")
    assert prometheus.last_words(child) == "the reason"
