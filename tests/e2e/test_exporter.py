"""A real exporter beside real tmux servers in trouble: it answers, tells the truth, and spares the others."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fixtures import StartExporter, StartTmux
from tests.support.processes.run_text import run_text
from tests.support.processes.started import end_process, is_gone, server_pid
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tests.support.web import exposition
from tmux_exporter.facts.label import label_text

Labels = tuple[tuple[str, str], ...]


def series(page: str, name: str, **labels: str) -> dict[Labels, float]:
    """The series of one name whose labels hold all of `labels`."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def value(page: str, name: str, **labels: str) -> float | None:
    """The only such series' value, None where there is none."""
    found = series(page, name, **labels)
    assert len(found) <= 1, found
    return next(iter(found.values()), None)


def timed_page(exporter: Exporter) -> str:
    """The page, which comes soon whatever tmux does."""
    started = time.monotonic()
    page = exporter.metrics()
    assert time.monotonic() - started < 4
    return page


@pytest.fixture
def hold(tmp_path: Path) -> tuple[str, ...]:
    """Arguments of an exporter that holds a listing for 3 s and waits 500 ms for an answer."""
    file = tmp_path / "hold.yml"
    file.write_text("tmux:\n  hold: 3s\n  query_timeout: 500ms\n", encoding="utf-8")
    return ("--config", str(file))


def test_a_stopped_server_is_held_then_ends_and_comes_back(
    start_exporter: StartExporter, tmux_server: StartTmux, hold: tuple[str, ...]
) -> None:
    sick, well = tmux_server("sick"), tmux_server("well")
    pid = server_pid(sick)
    exporter = start_exporter(*hold)
    assert value(exporter.metrics(), "tmux_up", server="sick") == 1
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: value(timed_page(exporter), "tmux_up", server="sick") == 0, "it is seen to hang")
        page = timed_page(exporter)
        assert value(page, "tmux_session_processes", server="sick", session="main") == 1, "held, not gone"
        assert value(page, "tmux_server_resident_memory_bytes", server="sick"), "process figures stay fresh"
        assert (value(page, "tmux_server_query_failures_total", server="sick", reason="hung") or 0) >= 1
        wait_for(
            lambda: not series(timed_page(exporter), "tmux_session_processes", server="sick"), "held no more"
        )
        page = timed_page(exporter)
        assert value(page, "tmux_up", server="sick") == 0
        assert value(page, "tmux_up", server="well") == 1
        assert value(page, "tmux_session_processes", server="well", session="main") == 1
        assert value(page, "tmux_server_query_failures_total", server="well", reason="hung") == 0
        assert exposition.problems(page) == []
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="sick") == 1, "it answers again", 20)
    assert value(exporter.metrics(), "tmux_session_processes", server="sick", session="main") == 1
    assert well.is_alive()


def test_a_killed_server_ends_and_another_starts(
    start_exporter: StartExporter, tmux_server: StartTmux
) -> None:
    first = tmux_server("fleet")
    first.cmd("new-session", "-d", "-s", "gone", "sleep 3600")
    exporter = start_exporter()
    old = value(exporter.metrics(), "tmux_server_start_time_seconds", server="fleet")
    assert value(exporter.metrics(), "tmux_session_processes", server="fleet", session="gone") == 1
    end_process(server_pid(first))
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="fleet") == 0, "the end is seen")
    page = timed_page(exporter)
    assert not series(page, "tmux_session_processes", server="fleet")
    assert exposition.problems(page) == []
    tmux_server("fleet")
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="fleet") == 1, "the successor is seen")
    page = timed_page(exporter)
    assert {dict(key)["session"] for key in series(page, "tmux_session_processes", server="fleet")} == {
        "main"
    }
    assert (value(page, "tmux_server_start_time_seconds", server="fleet") or 0) > (old or 0)


def test_a_deleted_socket_is_not_the_end_of_its_server(
    start_exporter: StartExporter, tmux_server: StartTmux, socket_dir: Path
) -> None:
    pid = server_pid(tmux_server("hidden"))
    exporter = start_exporter()
    (socket_dir / "hidden").unlink()
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="hidden") == 0, "it cannot be asked")
    page = timed_page(exporter)
    assert value(page, "tmux_session_processes", server="hidden", session="main") == 1, "held, not gone"
    assert value(page, "tmux_server_open_fds", server="hidden")
    os.kill(pid, signal.SIGUSR1)
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="hidden") == 1, "tmux made it anew", 20)


def test_a_denied_socket_is_no_end(
    start_exporter: StartExporter, tmux_server: StartTmux, socket_dir: Path
) -> None:
    tmux_server("closed")
    exporter = start_exporter()
    # Root may connect whatever the mode says; what it may not do either is trust a folder of somebody else.
    if os.getuid() == 0:
        os.chown(socket_dir / "closed", 65534, 65534)
    else:
        (socket_dir / "closed").chmod(0)
    reason = "untrusted" if os.getuid() == 0 else "denied"
    wait_for(lambda: value(timed_page(exporter), "tmux_up", server="closed") == 0, "it may not be asked")
    page = timed_page(exporter)
    assert value(page, "tmux_session_processes", server="closed", session="main") == 1, "held, not gone"
    assert (value(page, "tmux_server_query_failures_total", server="closed", reason=reason) or 0) >= 1


HOSTILE = {
    "quotes": 'say "hi" \\ back',
    "shell": "$(touch {witness}) `touch {witness}` ; touch {witness}",
    "format": "#(touch {witness}) #{{pane_pid}}",
    "long": "n" * 200,
    "emoji": "🦊 é ␞ 狐",
    "label": 'a"}} 1\ntmux_up{{server="forged"}} 1',
    "octal": "\x01\x1b[31mred",
}


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}], ids=["default locale", "C locale"])
def test_hostile_names_are_one_series_each_and_run_nothing(
    start_exporter: StartExporter,
    tmux_server: StartTmux,
    tmp_path: Path,
    locale: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in locale.items():
        monkeypatch.setenv(name, text)
    witness = tmp_path / "witness"
    base = ["tmux", "-u", "-S", str(tmux_server("hostile").socket_path)]
    for key, text in HOSTILE.items():
        name = text.format(witness=witness)
        cwd = tmp_path / f"cwd {key}\nnext"
        cwd.mkdir()
        # A session is made under a plain name and renamed with its format characters doubled: made with the
        # name itself, tmux would run `#(…)` before we ever see it.
        made = [*base, "new-session", "-d", "-P", "-F", "#{session_id}", "-s", key, "-c", str(cwd)]
        session = run_text([*made, "sleep 3600"], check=True).stdout.strip()
        escaped = name.replace("#", "##")
        subprocess.run([*base, "rename-session", "-t", session, "--", escaped], check=True)
        subprocess.run([*base, "rename-window", "-t", session, "--", escaped], check=True)
        subprocess.run(
            [*base, "set-option", "-p", "-t", session, "@agent", f"{name}\nsecond line"], check=True
        )
    raw = [*base, "new-window", "-d", "-t", "=main:", "-n"]
    subprocess.run([*raw, b"tab\there\nand \xff a line", "sleep 3600"], check=True)
    # An argv of 2 MB, and a program whose comm reads like the rest of its line in /proc/PID/stat.
    subprocess.run([*raw, "argv", "exec tail -f /dev/null $(printf '%020000d ' $(seq 100))"], check=True)
    comm = "import ctypes, time; ctypes.CDLL(None).prctl(15, b') R 1 1 (', 0, 0, 0); time.sleep(3600)"
    subprocess.run([*raw, "comm", f'exec python3 -c "{comm}"'], check=True)

    exporter = start_exporter()
    # Not by libtmux: one such name breaks all of its listings.
    panes = len(subprocess.check_output([*base, "list-panes", "-a", "-F", "#{pane_id}"]).split())
    wait_for(
        lambda: value(exporter.metrics(), "tmux_server_panes", server="hostile") == panes,
        "all panes are seen",
    )
    page = exporter.metrics()
    assert exposition.problems(page) == []
    sessions = series(page, "tmux_session_processes", server="hostile")
    assert len(sessions) == len(HOSTILE) + 1
    assert all(count >= 1 for count in sessions.values())
    assert len(series(page, "tmux_pane_processes", server="hostile")) == panes
    agents = series(page, "tmux_agent_processes", server="hostile")
    assert len(agents) == len(HOSTILE)
    assert not series(page, "tmux_up", server="forged")
    names = {dict(key)["session"] for key in sessions}
    assert label_text("n" * 200) in names
    assert not any(
        ord(letter) < 32 or 127 <= ord(letter) < 160 for key in agents for _, text in key for letter in text
    )
    assert any("🦊" in name for name in names)
    assert not witness.exists(), "nothing was executed"


def test_half_open_connections_delay_nothing(start_exporter: StartExporter, tmux_server: StartTmux) -> None:
    tmux_server("fleet")
    exporter = start_exporter()
    address = urlsplit(exporter.url)
    idle = [socket.create_connection((address.hostname or "", address.port or 0)) for _ in range(300)]
    try:
        for each in idle:
            each.sendall(b"GET /metrics HT")
        before = value(timed_page(exporter), "tmux_exporter_last_sample_timestamp_seconds") or 0.0
        with ThreadPoolExecutor(100) as scrapers:
            pages = list(scrapers.map(lambda _: timed_page(exporter), range(100)))
        assert all("tmux_up" in page for page in pages)

        def sampled_since() -> bool:
            return (
                value(timed_page(exporter), "tmux_exporter_last_sample_timestamp_seconds") or 0.0
            ) > before + 2

        wait_for(sampled_since, "samples go on")
    finally:
        for each in idle:
            each.close()


def test_the_exporter_leaves_no_process(start_exporter: StartExporter, tmux_server: StartTmux) -> None:
    pid = server_pid(tmux_server("fleet"))
    os.kill(pid, signal.SIGSTOP)
    try:
        exporter = start_exporter()
        started = time.monotonic()
        assert exporter.end() == 0
        assert time.monotonic() - started < 10
        assert is_gone(exporter.process.pid)
    finally:
        os.kill(pid, signal.SIGCONT)
